"""Writing dead letters: of records that are refused, and again of those that were sent again and refused again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from logyard.batch import Selection
from logyard.bus.dead import Letter, letter_fields
from logyard.server import Server, keys
from logyard.server.scripts import BURY, BURY_AGAIN

__all__ = ["DeadLetters"]

log = logging.getLogger("logyard.router")

KEEP = 100_000
"""Dead letters kept for a drain and partition, about."""


class DeadLetters:
    """Writes the dead-letter stream of one drain in one partition.

    Args:
        server: connected.
        tag: the partition's hash tag.
        drain: the drain's name.
        mask: takes secrets out of what the destination said.
    """

    def __init__(self, server: Server, tag: str, drain: str, mask: Callable[[str], str] = str) -> None:
        self._link = server.link(tag)
        self._progress = keys.replayed_key(tag, drain)
        self._returning: dict[int, Letter] = {}
        self._drain = drain
        self._stream = keys.dead_key(tag, drain)
        self._counters = keys.drain_key(tag, drain)
        self._mask = mask
        self._writes: list[asyncio.Future[Any]] = []

    async def bury(self, records: Sequence[Selection], refused: Mapping[int, str]) -> int:
        """Store the records at the positions in ``refused``; they are stored when this returns.

        Returns:
            How many.

        Raises:
            ConnectionLost, ServerError: as `Server.call`.
        """
        for position, reason in sorted(refused.items()):
            self._record(*_at(records, position), self._mask(reason))
        await self.flush()
        return len(refused)

    def bury_entry(self, key: str, entry: str, reason: str) -> None:
        """Note an entry that cannot be read; stored by `flush`."""
        self._write("died", str(_now_ms()), "reason", reason, "key", key, "entry", entry)

    async def flush(self) -> None:
        """Wait until everything is stored. Raises `ConnectionLost`, `ServerError`."""
        writes, self._writes = self._writes, []
        lost = sum([await write for write in writes])
        if lost:
            log.error("drain %s has more than %d dead letters: the %d oldest are lost", self._drain, KEEP, lost)

    def expect(self, letter: Letter) -> None:
        """The letter's record is about to be sent again: refused again it stays, with the new reason, as the newest.

        The letter must be kept by the caller until `forget`.
        """
        self._returning[id(letter.batch)] = letter

    def forget(self, letter: Letter) -> None:
        """The letter's record is no longer on its way."""
        self._returning.pop(id(letter.batch), None)

    def forget_all(self) -> None:
        """No letter's record is on its way."""
        self._returning.clear()

    def _record(self, selection: Selection, index: int, reason: str) -> None:
        letter = self._returning.get(id(selection.batch))
        if letter is None:
            self._write(*letter_fields(selection, index, reason, died_ms=_now_ms()))
            return
        fields = letter_fields(selection, index, reason, died_ms=_now_ms(), tries=letter.tries + 1)
        command = ("EVALSHA", BURY_AGAIN.sha, 2, self._stream, self._progress, letter.id, *fields)
        self._writes.append(self._link.call(*command))

    def _write(self, *fields: str | bytes) -> None:
        command = ("EVALSHA", BURY.sha, 2, self._stream, self._counters, KEEP, *fields)
        self._writes.append(self._link.call(*command))


def _at(records: Sequence[Selection], position: int) -> tuple[Selection, int]:
    """The selection that holds the record at ``position`` (counted over all selections), and its place in it."""
    for selection in records:
        if position < selection.count:
            return selection, position
        position -= selection.count
    raise IndexError(position)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
