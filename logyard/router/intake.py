"""Reading ahead for one drain: claims first, then new entries, into a bounded buffer."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from logyard.batch import Batch
from logyard.bus.groups import Decoder, Group, Position
from logyard.server import Connection

__all__ = ["Intake", "Taken"]

AHEAD_BYTES = 4 * 1024 * 1024
"""Bytes of text read ahead of the destination."""
READ_ENTRIES = 16
"""Entries asked for at once, over all streams; a batch has at most 256 KiB of text but for single long records."""
READ_STREAMS = 32
"""Streams asked for at once while there is a backlog, so that an answer stays bounded however many there are."""
BLOCK_MS = 200
"""How long a read waits; new streams, and a wish to stop, are seen after it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An entry on its way.

    Attributes:
        batch: its records.
        again: it may have been sent before.
        missing: records of the stream that were removed before the drain could read them, just before this entry.
    """

    batch: Batch
    again: bool = False
    missing: int = 0


class Intake:
    """Fills a buffer from the drain's group; `take` empties it. Used by one worker, for one opening of its drain.

    Args:
        group: the drain's group in one partition.
        connection: a dedicated one.
        decoder: shared with the other drains of the partition.
        streams: the keys to read now; asked again at each read, so it may grow.
        positions: how far the drain is, by key; moved on as entries are read.
        tried: by key the last entry that this process began to send; entries up to it count as sent before.
        refuse: called with key, id and reason for each entry that cannot be read.
    """

    def __init__(
        self,
        group: Group,
        connection: Connection,
        decoder: Decoder,
        streams: Callable[[], Sequence[str]],
        positions: dict[str, Position],
        tried: dict[str, tuple[int, int]],
        refuse: Callable[[str, str, str], None],
    ) -> None:
        self._group = group
        self._connection = connection
        self._decoder = decoder
        self._streams = streams
        self._positions = positions
        self._tried = tried
        self._refuse = refuse
        self._buffer: deque[Taken] = deque()
        self._bytes = 0
        self._claimed: set[str] = set()
        self._filled = asyncio.Event()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def fill(self) -> None:
        """Read until cancelled.

        Raises:
            ConnectionLost, ServerError: reading is over.
        """
        busy = True
        while True:
            await self._room.wait()
            streams = list(self._streams())
            await self._claim([key for key in streams if key not in self._claimed])
            if not streams:
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(BLOCK_MS / 1000):
                        await self._changed.wait()
            elif len(streams) <= READ_STREAMS:
                await self._read(streams, max(1, READ_ENTRIES // len(streams)), BLOCK_MS)
            elif busy:
                parts = [streams[at : at + READ_STREAMS] for at in range(0, len(streams), READ_STREAMS)]
                busy = any([await self._read_with_room(part) for part in parts])
            else:
                busy = await self._read(streams, 1, BLOCK_MS)

    async def take(self, most_bytes: int, most_records: int, wait: float | None) -> list[Taken]:
        """The next entries, in order, at least one unless ``wait`` seconds pass first (None: no limit)."""
        if not self._buffer:
            self._filled.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._filled.wait()
            except TimeoutError:
                return []
        taken: list[Taken] = []
        size = records = 0
        while self._buffer:
            batch = self._buffer[0].batch
            text = batch.last - batch.first
            if taken and (size + text > most_bytes or records + batch.count > most_records):
                break
            taken.append(self._buffer.popleft())
            size += text
            records += batch.count
        self._bytes -= size
        if self._bytes < AHEAD_BYTES:
            self._room.set()
        return taken

    def streams_changed(self) -> None:
        """Have `fill` look at once for streams to read, if there was none."""
        self._changed.set()

    def wake(self) -> None:
        """Have a `take` that waits return, with nothing."""
        self._filled.set()

    @property
    def waiting(self) -> tuple[int, int]:
        """Bytes of text and entries in the buffer."""
        return self._bytes, len(self._buffer)

    async def _read_with_room(self, streams: list[str]) -> bool:
        await self._room.wait()
        return await self._read(streams, 1, None)

    async def _read(self, streams: list[str], count: int, block_ms: int | None) -> bool:
        answer: list[Any] | None = await self._group.read(self._connection, streams, count=count, block_ms=block_ms)
        for stream, entries in answer or ():
            self._put(stream.decode().partition(":stream:")[2], entries, claimed=False)
        return bool(answer)

    async def _claim(self, streams: list[str]) -> None:
        """Take over what was read and not acknowledged, before anything newer of the stream is read."""
        for key in streams:
            after = "0-0"
            while True:
                entries, after = await self._group.claim(key, after, READ_ENTRIES)
                self._put(key, entries, claimed=True)
                await self._room.wait()
                if after == "0-0":
                    break
            await self._group.forget_others(key)
            self._claimed.add(key)

    def _put(self, key: str, entries: Sequence[Any], *, claimed: bool) -> None:
        batches, unreadable = self._decoder.batches(key, entries)
        for entry, reason in unreadable:
            self._refuse(key, entry, reason)
        tried = self._tried.get(key)
        for batch in batches:
            position = self._positions.get(key, Position())
            missing = max(0, batch.total - batch.count - position.total)
            self._positions[key] = Position(batch.total, batch.entry)
            again = claimed and (tried is None or entry_number(batch.entry) <= tried)
            self._buffer.append(Taken(batch, again, missing))
            self._bytes += batch.last - batch.first
        if batches:
            self._filled.set()
        if self._bytes >= AHEAD_BYTES:
            self._room.clear()


def entry_number(entry: str) -> tuple[int, int]:
    """An entry's id as numbers that compare in the stream's order."""
    ms, _, serial = entry.partition("-")
    return int(ms), int(serial)
