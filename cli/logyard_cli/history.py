"""What is already in the streams: the newest records over all of them, or everything from a time on, in order.

Reading goes only as far as it must: for the last ten lines of a thousand streams, the newest batch of each is
fetched, and only those are unpacked that can hold one of the ten.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from logyard.batch import Batch, Selection
from logyard.bus.read import Page, Positions, read_back, read_on
from logyard.errors import WireError
from logyard.server import Server
from logyard_cli.merge import Merger, falling, newest_cut
from logyard_cli.renderers import Part

__all__ = ["Reading", "everything", "last_records"]

_AT_ONCE = 8
"""Streams unpacked at a time while it is unknown which of them hold the newest records."""
_FETCH_AT_ONCE = 64
_MOST_ENTRIES = 256
_LATE_CLOCK_NS = 60 * 1_000_000_000
"""How much Redis's clock may be behind that of a node without hiding its records from a time limit."""

_UNKNOWN = 1 << 63


@dataclass(frozen=True, slots=True)
class Reading:
    """How batches become parts.

    Attributes:
        accepts: whether a batch is shown at all.
        part: makes a part of the batch (raises `WireError` when it is damaged).
        since_ns: only records from then on; None for all.
        unreadable: told about each entry that cannot be read.
    """

    accepts: Callable[[Batch], bool]
    part: Callable[[Selection], Part]
    since_ns: int | None
    unreadable: Callable[[WireError], None]

    def opened(self, batch: Batch) -> Part | None:
        """The batch's records that are shown, None when there are none."""
        if not self.accepts(batch):
            return None
        try:
            part = self.part(Selection(batch))
        except WireError as error:
            self.unreadable(error)
            return None
        since = self.since_ns
        if since is None or min(part.order) >= since:
            return part
        kept = [position for position, moment in enumerate(part.order) if moment >= since]
        if not kept:
            return None
        return Part(Selection(batch, kept), [part.times[at] for at in kept], [part.order[at] for at in kept])


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

    @property
    def exhausted(self) -> bool:
        return self.ended and not self.pending

    def take(self, page: Page, reading: Reading) -> None:
        for error in page.unreadable:
            reading.unreadable(error)
        self.pending += page.batches
        self.edge = page.edge or self.edge
        self.ended = page.ended
        oldest = int(self.edge.partition("-")[0] or 0) * 1_000_000
        if reading.since_ns is not None and oldest < reading.since_ns - _LATE_CLOCK_NS:
            self.ended = True

    def open(self, reading: Reading, number: int) -> None:
        """Unpack what is pending; of each batch no more than its last ``number`` records can be wanted."""
        for batch in self.pending:
            self.entries += 1
            part = reading.opened(batch)
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
        share = max(self.records, 1) / max(self.entries, 1)
        return min(_MOST_ENTRIES, max(1, round((number - self.records) / share)))


async def last_records(
    server: Server, keys: Sequence[str], number: int, reading: Reading, positions: Positions
) -> list[tuple[list[int], list[Part]]]:
    """The newest ``number`` records over all streams.

    ``positions`` start behind the newest entry of each, so that following from them joins without a gap.

    Returns:
        For each stream that has some of them: rising times to merge by, over all its parts, and its parts in order.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    streams = [
        _Backwards(key, page.batches, page.edge, page.ended, page.batches[0].time_ns if page.batches else _UNKNOWN)
        for key, page in await _newest(server, keys, reading, positions)
    ]
    while number > 0:
        _, oldest = newest_cut([times for stream in streams for times in stream.times], number)
        waiting = sorted(
            (stream for stream in streams if not stream.exhausted and stream.ceiling > oldest),
            key=lambda stream: -stream.ceiling,
        )[:_AT_ONCE]
        if not waiting:
            break
        unfetched = [stream for stream in waiting if not stream.pending]
        pages = await asyncio.gather(
            *(
                read_back(server, stream.key, before=stream.edge, count=stream.still_to_fetch(number))
                for stream in unfetched
            )
        )
        for stream, page in zip(unfetched, pages, strict=True):
            stream.take(page, reading)
        for stream in waiting:
            stream.open(reading, number)
    runs = [
        ([moment for times in reversed(stream.times) for moment in times], stream.parts[::-1]) for stream in streams
    ]
    cuts, _ = newest_cut([times for times, _ in runs], number)
    return [
        (times[cut:], _without_first(parts, cut)) for (times, parts), cut in zip(runs, cuts, strict=True) if times[cut:]
    ]


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
    reading: Reading,
    positions: Positions,
    render: Callable[[list[Part]], list[list[bytes]]],
) -> AsyncIterator[list[bytes]]:
    """All records of the streams, or all since ``reading.since_ns``, rendered and merged, piece by piece.

    ``positions`` start behind the newest entry that there was at the beginning.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    ends = {key: page.edge for key, page in await _newest(server, keys, reading, positions) if page.edge}
    start = 0 if reading.since_ns is None else max(0, (reading.since_ns - _LATE_CLOCK_NS) // 1_000_000)
    count = max(1, 32 // max(1, len(ends)))
    edges = dict.fromkeys(ends, "")
    merger: Merger[bytes] = Merger(ends)
    while not merger.done:
        wanting = merger.wanting()
        for at in range(0, len(wanting), _FETCH_AT_ONCE):
            some = wanting[at : at + _FETCH_AT_ONCE]
            pages = await asyncio.gather(
                *(read_on(server, key, after=edges[key], start_ms=start, until=ends[key], count=count) for key in some)
            )
            for key, page in zip(some, pages, strict=True):
                for error in page.unreadable:
                    reading.unreadable(error)
                edges[key] = page.edge
                parts = [part for batch in page.batches if (part := reading.opened(batch)) is not None]
                if parts:
                    lines = [line for rendered in render(parts) for line in rendered]
                    merger.add(key, [moment for part in parts for moment in part.order], lines)
                if page.ended or page.edge == ends[key]:
                    merger.end(key)
        if lines := merger.take():
            yield lines


async def _newest(
    server: Server, keys: Sequence[str], reading: Reading, positions: Positions
) -> list[tuple[str, Page]]:
    """The newest batch of each stream; positions start behind it."""
    found = []
    for at in range(0, len(keys), _FETCH_AT_ONCE):
        some = keys[at : at + _FETCH_AT_ONCE]
        found += list(zip(some, await asyncio.gather(*(read_back(server, key) for key in some)), strict=True))
    for key, page in found:
        for error in page.unreadable:
            reading.unreadable(error)
        positions.start(key, page.batches[0] if page.batches else None, page.edge)
    return found
