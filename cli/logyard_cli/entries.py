"""All entries of streams, one stream after the other: the next ones are fetched while somebody works on the last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from logyard.bus.read import Page, read_back, read_on
from logyard.server import Server, keys

__all__ = ["Expected", "read_entries"]

_ENTRIES = 32
"""Fetched at once, up to 8 MiB of text; more of small ones."""
_MOST_ENTRIES = 2048
_LITTLE = 1024 * 1024
_MUCH = 4 * 1024 * 1024
_AT_ONCE = 64
_LATE_CLOCK_NS = 60 * 1_000_000_000
"""How much Redis's clock may be behind that of a node without hiding its records from a time limit."""


@dataclass(slots=True)
class Expected:
    """How many records there are to read, as far as known; each stream's number becomes exact when it is begun."""

    by_stream: dict[str, int] = field(default_factory=dict)

    @property
    def records(self) -> int:
        return sum(self.by_stream.values())

    async def estimate(self, server: Server, streams: Sequence[str]) -> None:
        """Take what each stream says that it holds.

        Raises:
            ConnectionLost, ServerError: as `Server.call`.
        """
        for at in range(0, len(streams), _AT_ONCE):
            some = streams[at : at + _AT_ONCE]
            tags = [keys.tag_of(key, server.partitions) for key in some]
            told = await asyncio.gather(
                *(
                    server.call(tag, "HMGET", keys.meta_key(tag, key), "records", "trimmed")
                    for tag, key in zip(tags, some, strict=True)
                )
            )
            for key, (records, trimmed) in zip(some, told, strict=True):
                self.by_stream[key] = max(0, int(records or 0) - int(trimmed or 0))

    def begin(self, key: str, page: Page, last: int) -> None:
        """The first page of a stream whose records number ``last`` in all since it began."""
        if page.batches and last:
            first = page.batches[0]
            self.by_stream[key] = max(0, last - (first.total - first.count))


async def read_entries(
    server: Server, streams: Sequence[str], since_ns: int | None, expected: Expected
) -> AsyncGenerator[Page, None]:
    """The pages of all streams up to what is their newest entry when they are begun.

    Args:
        since_ns: without entries whose records are all older.
        expected: is told how many records there are to come.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    await expected.estimate(server, streams)
    start = 0 if since_ns is None else max(0, (since_ns - _LATE_CLOCK_NS) // 1_000_000)
    fetched: asyncio.Queue[Page | None] = asyncio.Queue(maxsize=1)

    async def fetch() -> None:
        for key in streams:
            newest = await read_back(server, key)
            edge, count = "", _ENTRIES
            last = newest.batches[0].total if newest.batches else 0
            while newest.edge and edge != newest.edge:
                page = await read_on(server, key, after=edge, start_ms=start, until=newest.edge, count=count)
                if not edge:
                    expected.begin(key, page, last)
                    if not page.edge:
                        expected.by_stream[key] = 0
                await fetched.put(page)
                if page.ended:
                    break
                edge = page.edge
                size = sum(batch.last - batch.first for batch in page.batches)
                count = min(_MOST_ENTRIES, 2 * count) if size < _LITTLE else _ENTRIES if size > _MUCH else count
        await fetched.put(None)

    fetching = asyncio.ensure_future(fetch())
    try:
        while True:
            taking = asyncio.ensure_future(fetched.get())
            await asyncio.wait([taking, fetching], return_when=asyncio.FIRST_COMPLETED)
            if not taking.done() and fetching.done() and fetching.exception() is not None:
                taking.cancel()
                fetching.result()
            page = await taking
            if page is None:
                return
            yield page
    finally:
        fetching.cancel()
