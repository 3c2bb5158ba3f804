"""What is already in the streams: the newest records over all of them, or everything from a time on, in order.

Reading goes only as far as it must: for the last ten lines of a thousand streams, the newest batch of each is
fetched, and only those are unpacked that can hold one of the ten. A filter makes it search further back, a bounded
piece at a time, until enough is found, nothing more is kept, or whoever asked has waited long enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from logyard.batch import Batch, Selection
from logyard.bus.read import Page, Positions, read_back, read_on
from logyard.server import Server
from logyard_cli.context import source_of
from logyard_cli.merge import Merger, falling, newest_cut
from logyard_cli.picking import Picking
from logyard_cli.renderers import Part

__all__ = ["Run", "Searched", "before_first", "everything", "last_records"]

Run = tuple[list[int], list[Part]]
"""Of one stream: rising times to merge by, over all its parts, and its parts in order."""

_Item = TypeVar("_Item")

_AT_ONCE = 8
"""Streams unpacked at a time while it is unknown which of them hold the newest records."""
_FETCH_AT_ONCE = 64
_MOST_ENTRIES = 256
_MOST_TEXT = 8 * 1024 * 1024
"""Bytes of text that one step backwards in a stream unpacks, about."""
_CONTEXT_ENTRIES = 64
"""Entries in which the records before the first match are looked for."""
_LATE_CLOCK_NS = 60 * 1_000_000_000
"""How much Redis's clock may be behind that of a node without hiding its records from a time limit."""

_UNKNOWN = 1 << 63


@dataclass(slots=True)
class Searched:
    """How far a search backwards has come.

    Attributes:
        records: how many were looked at.
        found: how many of them are shown.
        oldest_ns: when the oldest of them was stored.
        everything: nothing older is kept.
    """

    records: int = 0
    found: int = 0
    oldest_ns: int = 0
    everything: bool = False


@dataclass(slots=True)
class _Backwards:
    """A stream that is read from its end; ``ceiling``: no record that is not yet unpacked is later."""

    key: str
    pending: list[Batch]
    edge: str
    ended: bool
    ceiling: int
    parts: list[Part] = field(default_factory=list)  # the newest first
    times: list[list[int]] = field(default_factory=list)  # falling, parallel to parts
    entries: int = 0
    records: int = 0
    looked_at: int = 0
    size: int = 0

    @property
    def exhausted(self) -> bool:
        return self.ended and not self.pending

    @property
    def oldest_ns(self) -> int:
        """When the oldest entry fetched was stored."""
        return int(self.edge.partition("-")[0] or 0) * 1_000_000

    def take(self, page: Page, picking: Picking) -> None:
        for error in page.unreadable:
            picking.unreadable(error)
        self.pending += page.batches
        self.edge = page.edge or self.edge
        self.ended = page.ended
        if picking.since_ns is not None and self.oldest_ns < picking.since_ns - _LATE_CLOCK_NS:
            self.ended = True

    def open(self, picking: Picking, number: int) -> None:
        """Unpack what is pending; of each batch no more than its last ``number`` records can be wanted."""
        for batch in self.pending:
            self.entries += 1
            self.looked_at += batch.count
            self.size += batch.last - batch.first
            part = picking.matches(Selection(batch))
            if part is None:
                self.ceiling = min(self.ceiling, batch.time_ns)
                continue
            times = falling(part.order, self.ceiling)
            if len(times) > number:
                part, times = _from(part, len(times) - number), times[-number:]
            self.ceiling = times[0]
            self.parts.append(part)
            self.times.append(times)
            self.records += len(times)
        self.pending = []

    def still_to_fetch(self, number: int) -> int:
        """How many entries are likely to hold the records that are missing."""
        entries = max(self.entries, 1)
        wanted = round((number - self.records) / (max(self.records, 1) / entries))
        bearable = round(_MOST_TEXT / max(self.size / entries, 1))
        return min(_MOST_ENTRIES, max(1, min(wanted, bearable)))


async def last_records(
    server: Server,
    keys: Sequence[str],
    number: int,
    picking: Picking,
    positions: Positions,
    goes_on: Callable[[Searched], bool] = lambda _: True,
) -> tuple[list[Run], Searched]:
    """The newest ``number`` records over all streams that are looked for.

    ``positions`` start behind the newest entry of each, so that following from them joins without a gap.

    Args:
        goes_on: asked between two steps whether to search further back.

    Returns:
        A run of each stream that has some of them, and how far it had to search.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    streams = [
        _Backwards(key, page.batches, page.edge, page.ended, page.batches[0].time_ns if page.batches else _UNKNOWN)
        for key, page in await _newest(server, keys, picking, positions)
    ]
    searched = Searched()
    while number > 0:
        _, oldest = newest_cut([times for stream in streams for times in stream.times], number)
        waiting = sorted(
            (stream for stream in streams if not stream.exhausted and stream.ceiling > oldest),
            key=lambda stream: -stream.ceiling,
        )[:_AT_ONCE]
        if not waiting:
            searched.everything = all(stream.exhausted for stream in streams)
            break
        if searched.records and not goes_on(searched):
            break
        unfetched = [stream for stream in waiting if not stream.pending]
        pages = await asyncio.gather(
            *(
                read_back(server, stream.key, before=stream.edge, count=stream.still_to_fetch(number))
                for stream in unfetched
            )
        )
        for stream, page in zip(unfetched, pages, strict=True):
            stream.take(page, picking)
        for stream in waiting:
            stream.open(picking, number)
        searched.records = sum(stream.looked_at for stream in streams)
        searched.found = sum(stream.records for stream in streams)
        searched.oldest_ns = min(stream.oldest_ns for stream in streams if stream.entries)
    runs = [
        ([moment for times in reversed(stream.times) for moment in times], stream.parts[::-1]) for stream in streams
    ]
    cuts, _ = newest_cut([times for times, _ in runs], number)
    return [
        (times[cut:], _without_first(parts, cut)) for (times, parts), cut in zip(runs, cuts, strict=True) if times[cut:]
    ], searched


async def before_first(server: Server, runs: Sequence[Run], before: int) -> dict[str, str]:
    """Where to begin reading each run's stream to see ``before`` records of the source of its first record before it.

    Returns:
        For each stream the entry behind which to begin, "" for its beginning.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    return dict([await _before(server, parts[0].selection, before) for _, parts in runs])


async def _before(server: Server, selection: Selection, before: int) -> tuple[str, str]:
    first = selection.batch
    wanted = before - (selection.positions[0] if selection.positions else 0)
    edge, entries, ended = first.entry, 0, False
    while wanted > 0 and not ended and entries < _CONTEXT_ENTRIES:
        page = await read_back(server, first.key, before=edge, count=4)
        edge, ended = page.edge or edge, page.ended
        entries += 4
        wanted -= sum(batch.count for batch in page.batches if source_of(batch) == source_of(first))
    page = await read_back(server, first.key, before=edge)
    return first.key, page.edge


def _without_first(parts: list[Part], number: int) -> list[Part]:
    """``parts`` without their first ``number`` records."""
    kept = []
    for part in parts:
        size = part.selection.count
        if number < size:
            kept.append(_from(part, number) if number else part)
        number = max(0, number - size)
    return kept


def _from(part: Part, position: int) -> Part:
    """The records of ``part`` from ``position`` on."""
    return Part(part.selection.part(position, part.selection.count), part.times[position:], part.order[position:])


async def everything(
    server: Server,
    keys: Sequence[str],
    picking: Picking,
    positions: Positions,
    render: Callable[[list[Part]], list[list[_Item]]],
    behind: Mapping[str, str] | None = None,
) -> AsyncIterator[list[_Item]]:
    """All records of the streams, or all since ``picking.since_ns``, rendered and merged, piece by piece.

    ``positions`` start behind the newest entry that there was at the beginning.

    Args:
        behind: of each of ``keys`` the entry behind which to begin; ``positions`` have started already.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    if behind is None:
        ends = {key: page.edge for key, page in await _newest(server, keys, picking, positions) if page.edge}
        start = 0 if picking.since_ns is None else max(0, (picking.since_ns - _LATE_CLOCK_NS) // 1_000_000)
        edges = dict.fromkeys(ends, "")
    else:
        ends, start, edges = {key: positions.entries[key] for key in behind}, 0, dict(behind)
    count = max(1, 32 // max(1, len(ends)))
    merger: Merger[_Item] = Merger(ends)
    while not merger.done:
        wanting = merger.wanting()
        for at in range(0, len(wanting), _FETCH_AT_ONCE):
            some = wanting[at : at + _FETCH_AT_ONCE]
            pages = await asyncio.gather(
                *(read_on(server, key, after=edges[key], start_ms=start, until=ends[key], count=count) for key in some)
            )
            for key, page in zip(some, pages, strict=True):
                for error in page.unreadable:
                    picking.unreadable(error)
                edges[key] = page.edge or edges[key]
                parts = [part for batch in page.batches for part in picking.parts(Selection(batch))]
                if parts:
                    lines = [line for rendered in render(parts) for line in rendered]
                    merger.add(key, [moment for part in parts for moment in part.order], lines)
                if page.ended or edges[key] == ends[key]:
                    merger.end(key)
        if lines := merger.take():
            yield lines


async def _newest(
    server: Server, keys: Sequence[str], picking: Picking, positions: Positions
) -> list[tuple[str, Page]]:
    """The newest batch of each stream; positions start behind it."""
    found = []
    for at in range(0, len(keys), _FETCH_AT_ONCE):
        some = keys[at : at + _FETCH_AT_ONCE]
        found += list(zip(some, await asyncio.gather(*(read_back(server, key) for key in some)), strict=True))
    for key, page in found:
        for error in page.unreadable:
            picking.unreadable(error)
        positions.start(key, page.batches[0] if page.batches else None, page.edge)
    return found
