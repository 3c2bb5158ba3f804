"""Reading streams without a group, for people: backwards from the end, forwards, and on as records come.

A position in a stream is the id of an entry. Whoever has read up to an entry and follows from it misses nothing and
gets nothing twice; `Positions` keeps count of what vanished in between, and of what was stored a second time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from logyard.batch import Batch, Selection, decode
from logyard.errors import WireError
from logyard.names import partition_of
from logyard.server import Connection, Server, keys

__all__ = ["Page", "Positions", "backlog", "catch_up", "follow", "read_back", "read_on", "skip_ahead"]

START = "0-0"
LOOK_FOR_NEW = 0.5
"""Seconds between two looks for streams that appeared."""
ROUND_AT_LEAST = 0.008
"""Seconds from one read to the next while much is coming: fewer, larger rounds, and times merge better."""
ENTRIES_AT_ONCE = 16
"""Entries that one read takes from a single stream (each holds up to 256 KiB of text); fewer from each of several."""
_MOST_ENTRIES = 256
_MUCH = 4 * 1024 * 1024
_MAX_ORIGINS = 10_000


@dataclass(slots=True)
class Page:
    """Consecutive entries of one stream.

    Attributes:
        batches: in the order in which they were asked for.
        edge: id of the last entry read, "" when there was none; the next page begins behind it.
        ended: there is nothing behind ``edge``.
        unreadable: entries that this version cannot read; they are skipped.
    """

    batches: list[Batch] = field(default_factory=list)
    edge: str = ""
    ended: bool = False
    unreadable: list[WireError] = field(default_factory=list)


async def read_back(server: Server, key: str, *, before: str = "", count: int = 1) -> Page:
    """Up to ``count`` batches of a stream, the newest first, older than the entry ``before`` ("" = from the end).

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    tag = keys.tag_of(key, server.partitions)
    end = f"({before}" if before else "+"
    return _page(key, await server.call(tag, "XREVRANGE", keys.stream_key(tag, key), end, "-", "COUNT", count), count)


async def read_on(
    server: Server, key: str, *, after: str = "", start_ms: int = 0, until: str = "+", count: int = 1
) -> Page:
    """Up to ``count`` batches of a stream, the oldest first.

    Args:
        after: only entries behind this one.
        start_ms: without ``after``, only entries stored at this time or later (ms since 1970 on Redis's clock).
        until: id of the last entry to read.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    tag = keys.tag_of(key, server.partitions)
    start = f"({after}" if after else str(start_ms)
    return _page(key, await server.call(tag, "XRANGE", keys.stream_key(tag, key), start, until, "COUNT", count), count)


def _page(key: str, entries: Iterable[tuple[bytes, Any]], count: int) -> Page:
    page = Page()
    seen = 0
    for entry, fields in entries:
        seen += 1
        page.edge = entry.decode()
        try:
            page.batches.append(decode(key, entry, fields))
        except WireError as error:
            page.unreadable.append(error)
    page.ended = seen < count
    return page


class Positions:
    """How far each stream has been read, and which sources' records.

    Args:
        wanted: whether a stream that appears is read.
    """

    def __init__(self, wanted: Callable[[str], bool]) -> None:
        self.wanted = wanted
        self.entries: dict[str, str] = {}
        self._totals: dict[str, int] = {}
        self._origins: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._jumped: dict[str, tuple[int, int]] = {}

    def start(self, key: str, newest: Batch | None, edge: str = "") -> None:
        """Read on behind ``newest`` (or the unreadable entry ``edge``), or from the start of an empty stream."""
        self._jumped.pop(key, None)
        self.entries[key] = edge or START
        if newest is not None:
            self.entries[key] = max(newest.entry, edge, key=_entry_order)
            self._totals[key] = newest.total
            self._remember(newest)

    def advance(self, batch: Batch) -> tuple[Selection | None, int]:
        """Move behind ``batch``, the next one of its stream.

        Returns:
            Its records that were not read before (None when all were: Redis lost its newest entries and the agent
            stored their records again; or when the position has jumped over it), and how many records vanished
            between the last batch and this one.
        """
        key = batch.key
        if key in self._jumped:
            if _entry_order(batch.entry) <= self._jumped[key]:
                return None, 0
            del self._jumped[key]
        self.entries[key] = batch.entry
        known = self._totals.get(key)
        missing = 0
        if batch.total:
            missing = 0 if known is None else max(0, batch.total - batch.count - known)
            self._totals[key] = batch.total
        read_to = self._origins.get((key, batch.origin))
        self._remember(batch)
        if read_to is None or batch.first >= read_to:
            return Selection(batch), missing
        if batch.last <= read_to:
            return None, missing
        fresh = [position for position, offset in enumerate(batch.offsets()) if offset >= read_to]
        return (Selection(batch, fresh) if fresh else None), missing

    def skip(self, key: str, entry: str) -> None:
        """Move behind an entry that cannot be read."""
        if key not in self._jumped or _entry_order(entry) > self._jumped[key]:
            self.entries[key] = entry

    def jump(self, batch: Batch) -> int:
        """Move behind ``batch``, far ahead; how many records that leaves out, its own included.

        Entries up to there that are read all the same, because they were asked for already, are not news any more.
        """
        key = batch.key
        if _entry_order(batch.entry) <= _entry_order(self.entries.get(key, START)):
            return 0
        skipped = max(0, batch.total - self._totals.get(key, batch.total - batch.count))
        self.entries[key] = batch.entry
        self._totals[key] = batch.total
        self._jumped[key] = _entry_order(batch.entry)
        self._remember(batch)
        return skipped

    @property
    def totals(self) -> Mapping[str, int]:
        """Records of each stream up to its position, counted from its first ever, as far as known."""
        return self._totals

    def pass_over(self, key: str, records: int) -> None:
        """Take ``records`` that vanished behind the position for known, so that `advance` does not tell them again."""
        self._totals[key] += records

    def _remember(self, batch: Batch) -> None:
        origins, name = self._origins, (batch.key, batch.origin)
        origins[name] = max(batch.last, origins.get(name, 0))
        origins.move_to_end(name)
        if len(origins) > _MAX_ORIGINS:
            origins.popitem(last=False)


def _entry_order(entry: str) -> tuple[int, int]:
    """Sorts entry ids."""
    milliseconds, _, sequence = entry.partition("-")
    return int(milliseconds or 0), int(sequence or 0)


async def catch_up(server: Server, positions: Positions) -> int:
    """How many records vanished behind the positions, after a time without a connection; they are passed over.

    A server that came back without its newest entries (a failover) gives out their ids again where its clock is
    behind. Positions that are ahead of it are taken back; records that agents store again are recognised.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    totals = dict(positions.totals)
    removed = 0
    for key, stored in zip(totals, await _records(server, list(totals)), strict=True):
        if stored == totals[key]:
            continue
        page = await read_on(server, key, after=positions.entries[key])
        if not page.edge and await _taken_back(server, key, positions, stored):
            continue
        ahead = page.batches[0].total - page.batches[0].count if page.batches else stored
        missing = 0 if page.unreadable else max(0, ahead - totals[key])
        positions.pass_over(key, missing)
        removed += missing
    return removed


async def _taken_back(server: Server, key: str, positions: Positions, stored: int) -> bool:
    """Whether the position was ahead of the stream; then it is behind the last entry known to have been read."""
    page = await read_back(server, key)
    if page.edge and _entry_order(page.edge) >= _entry_order(positions.entries[key]):
        return False
    if not page.edge and stored > positions.totals[key]:  # all of it was trimmed
        return False
    while not page.ended and not any(batch.total <= positions.totals[key] for batch in page.batches):
        page = await read_back(server, key, before=page.edge, count=ENTRIES_AT_ONCE)
    read = next((batch for batch in page.batches if batch.total <= positions.totals[key]), None)
    positions.start(key, read)
    return True


async def backlog(server: Server, positions: Positions) -> int:
    """How many records are stored behind the positions and were not read yet.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    totals = dict(positions.totals)
    stored = await _records(server, list(totals))
    return sum(max(0, there - read) for there, read in zip(stored, totals.values(), strict=True))


async def skip_ahead(server: Server, positions: Positions) -> int:
    """Move all positions to just before the newest batch of their stream; how many records that leaves out.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    followed = list(positions.totals)
    pages = await asyncio.gather(*(read_back(server, key, count=2) for key in followed))
    return sum(positions.jump(page.batches[1]) for page in pages if len(page.batches) == 2)


async def _records(server: Server, streams: list[str]) -> list[int]:
    """How many records were ever published to each stream."""
    tags = [keys.tag_of(key, server.partitions) for key in streams]
    answers = await asyncio.gather(
        *(server.call(tag, "HGET", keys.meta_key(tag, key), "records") for tag, key in zip(tags, streams, strict=True))
    )
    return [int(answer or 0) for answer in answers]


async def follow(
    server: Server,
    positions: Positions,
    deliver: Callable[[Mapping[str, Page]], Awaitable[None]],
) -> None:
    """Read on in all streams that ``positions`` wants, those included that appear, until cancelled.

    Each round of reading is handed to ``deliver``, a page of each stream that had something; while it waits nothing
    further is read from that partition. ``deliver`` moves the positions (`Positions.advance`) before it first waits.

    Raises:
        ConnectionLost, ServerError: the server is gone; connect again and follow from the same positions.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(server.partitions):
                group.create_task(_follow_partition(server, number, positions, deliver))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _follow_partition(
    server: Server, number: int, positions: Positions, deliver: Callable[[Mapping[str, Page]], Awaitable[None]]
) -> None:
    tag = keys.partition_tag(number)
    prefix = len(keys.stream_key(tag, ""))
    loop = asyncio.get_running_loop()
    look_at, last_round, per_stream = 0.0, 0.0, ENTRIES_AT_ONCE
    async with server.dedicated(tag) as connection:
        mine: dict[str, str] = {}
        while True:
            if loop.time() >= look_at:
                mine = await _streams(connection, tag, positions, server.partitions, number)
                look_at = loop.time() + LOOK_FOR_NEW
            if not mine:
                await asyncio.sleep(LOOK_FOR_NEW / 2)
                continue
            count = max(1, per_stream // len(mine))
            wait = max(1, round((look_at - loop.time()) * 1000))
            answer = await connection.call(
                "XREAD",
                "COUNT",
                count,
                "BLOCK",
                wait,
                "STREAMS",
                *mine.values(),
                *(positions.entries[key] for key in mine),
            )
            if not answer:
                continue
            pages = {}
            for name, entries in answer:
                key = name[prefix:].decode()
                pages[key] = _page(key, entries, count)
            size = sum(batch.last - batch.first for page in pages.values() for batch in page.batches)
            per_stream = _next_count(per_stream, size, full=any(not page.ended for page in pages.values()))
            await deliver(pages)
            pause = last_round + ROUND_AT_LEAST - loop.time()
            if pause > 0 and all(page.ended for page in pages.values()):
                await asyncio.sleep(pause)
            last_round = loop.time()


def _next_count(per_stream: int, size: int, *, full: bool) -> int:
    """How many entries the next read takes: more of small ones while there is a backlog, fewer of large ones."""
    if size > _MUCH:
        return max(ENTRIES_AT_ONCE, per_stream // 2)
    if full and size < _MUCH // 4:
        return min(_MOST_ENTRIES, per_stream * 2)
    return per_stream


async def _streams(
    connection: Connection, tag: str, positions: Positions, partitions: int, number: int
) -> dict[str, str]:
    """The wanted streams of the partition: key to the stream's name in Redis; new ones are read from their start."""
    found = {key.decode() for key in await connection.call("SMEMBERS", keys.streams_key(tag))}
    known = {key for key in positions.entries if partition_of(key, partitions) == number}
    for key in sorted(found - known):
        if positions.wanted(key):
            positions.start(key, None)
            known.add(key)
    return {key: keys.stream_key(tag, key) for key in sorted(known)}
