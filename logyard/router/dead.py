"""The dead letters of a drain: records that its destination refused for good, with the reason."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from logyard.batch import Selection
from logyard.server import Server, keys

__all__ = ["DeadLetters"]

KEEP = 100_000
"""Dead letters kept for a drain and partition, about."""


class DeadLetters:
    """Writes the dead-letter stream of one drain in one partition (docs/wire-format.md).

    Args:
        server: connected.
        tag: the partition's hash tag.
        drain: the drain's name.
    """

    def __init__(self, server: Server, tag: str, drain: str) -> None:
        self._link = server.link(tag)
        self._stream = keys.dead_key(tag, drain)
        self._writes: list[asyncio.Future[Any]] = []

    async def bury(self, records: Sequence[Selection], refused: Mapping[int, str]) -> int:
        """Store the records at the positions in ``refused``; they are stored when this returns.

        Returns:
            How many.

        Raises:
            ConnectionLost, ServerError: as `Server.call`.
        """
        for position, reason in sorted(refused.items()):
            selection, index = at(records, position)
            batch = selection.batch
            optional = {"app": batch.app, "instance": batch.instance}
            self._write(
                reason=reason, key=batch.key, entry=batch.entry, node=batch.node, source=batch.source,
                id=batch.identity(selection.offsets()[index]), time=str(batch.time_ns),
                **{name: value for name, value in optional.items() if value is not None},
                text=selection.lines[index],
            )  # fmt: skip
        await self.flush()
        return len(refused)

    def bury_entry(self, key: str, entry: str, reason: str) -> None:
        """Note an entry that cannot be read; stored by `flush`."""
        self._write(reason=reason, key=key, entry=entry)

    async def flush(self) -> None:
        """Wait until everything is stored. Raises `ConnectionLost`, `ServerError`."""
        writes, self._writes = self._writes, []
        for write in writes:
            await write

    def _write(self, **fields: str | bytes) -> None:
        flat = [part for item in fields.items() for part in item]
        died = str(time.time_ns() // 1_000_000)
        self._writes.append(
            self._link.call_even_full("XADD", self._stream, "MAXLEN", "~", KEEP, "*", "died", died, *flat)
        )


def at(records: Sequence[Selection], position: int) -> tuple[Selection, int]:
    """The selection that holds the record at ``position`` (counted over all selections), and its place in it."""
    for selection in records:
        if position < selection.count:
            return selection, position
        position -= selection.count
    raise IndexError(position)
