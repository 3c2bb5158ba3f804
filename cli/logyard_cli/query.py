"""Searching what is stored: records in order of time, or what pipes make of them.

Records are shown as tail shows them. What pipes make does not depend on the order of streams, so for these one stream
is read after the other, the next entries being fetched while the last ones are worked on.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from itertools import repeat
from typing import Protocol, TypeVar, cast

from logyard.batch import Batch, Selection
from logyard.bus.catalogue import stream_keys
from logyard.bus.read import Positions
from logyard.derive.time import times
from logyard.errors import UsageError, WireError
from logyard.filters import columns
from logyard.pipes import Aggregate, Plan, Table, as_series, make_plan, offset_in
from logyard.server import Server
from logyard_cli.choice import StreamChoice
from logyard_cli.colour import wanted
from logyard_cli.context import Context
from logyard_cli.entries import Expected, read_entries
from logyard_cli.exits import FAILED, INTERRUPTED, OK
from logyard_cli.history import Run, before_first, everything, last_records
from logyard_cli.merge import interleave, merge_times
from logyard_cli.notes import make_notes
from logyard_cli.output import Output
from logyard_cli.pager import PagedOutput, pager_command
from logyard_cli.picking import Picking
from logyard_cli.progress import Progress
from logyard_cli.queries import Queries, read_queries
from logyard_cli.renderers import Part
from logyard_cli.rowscreen import RowScreen
from logyard_cli.screen import Screen, TailOptions
from logyard_cli.selecting import Selecting
from logyard_cli.stopping import unless
from logyard_cli.tables import Look, encode_rows, pretty_table
from logyard_cli.units import duration, plural
from logyard_cli.zones import ThisMachine, stamps_in

__all__ = ["QueryOptions", "QuerySummary", "check_plan", "run_query"]

Connect = Callable[[], AbstractAsyncContextManager[Server]]
_Item = TypeVar("_Item")

_SECOND = 1_000_000_000
_COLUMNS = 100
"""Of a chart that is not drawn on a terminal."""
_FOR_RECORDS = {"raw": "-o raw", "text": "-o text", "template": "--template", "expanded": "-x"}


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """What to search, and how to show it.

    Attributes:
        text: a filter, and pipes.
        view: which streams, from when to when, and how records are shown; ``last`` None for all.
        chart: draw what pipes give.
        pager: whether long output on a terminal goes through one.
    """

    text: str
    view: TailOptions = field(default_factory=lambda: TailOptions(last=None, follow=False))
    chart: bool = False
    pager: bool = True


@dataclass(slots=True)
class QuerySummary:
    """What a search came to.

    Attributes:
        code: exit code.
        read, matched: records looked at, and those that passed.
        streams: how many were searched.
        oldest_ns: when the oldest record that was looked at was stored, 0 for none.
        partial: it was ended before all was read.
        started: ``time.monotonic`` when it began.
    """

    code: int = OK
    read: int = 0
    matched: int = 0
    streams: int = 0
    oldest_ns: int = 0
    partial: bool = False
    started: float = field(default_factory=time.monotonic)


class _Sink(Protocol[_Item]):
    """Shows records: what is to be merged is rendered first, and then written in order."""

    async def begin(self) -> None: ...

    def render(self, parts: list[Part]) -> list[list[_Item]]: ...

    async def write(self, items: Sequence[_Item], /) -> object: ...


def check_plan(plan: Plan, options: QueryOptions) -> None:
    """Refuse options that have nothing to do with what the pipes give.

    Raises:
        UsageError: see there.
    """
    view = options.view
    if plan.source is None:
        if options.chart:
            raise UsageError(
                "--chart draws numbers: end the filter with a pipe that counts, as in '| count by level every 1m'"
            )
        return
    if plan.streams_rows and options.chart:
        raise UsageError("--chart draws what count, stats and top give; fields gives no numbers")
    if view.output in _FOR_RECORDS:
        raise UsageError(
            f"{_FOR_RECORDS[view.output]} shows records, and pipes give a table: use -o pretty, json, csv or logfmt"
        )
    if options.chart and view.output != "pretty":
        raise UsageError(f"--chart is drawn for eyes and -o {view.output} is for programs: give one of them")
    if not view.fields.everything:
        raise UsageError("--fields and --hide choose fields of records: behind pipes write | fields a,b")
    if view.before or view.after:
        raise UsageError("-A, -B and -C show lines around others, and pipes give a table: leave out one of them")
    if view.highlight:
        raise UsageError("--highlight marks words in records, and pipes give a table: leave out one of them")


async def run_query(
    connect: Connect,
    options: QueryOptions,
    stop: asyncio.Event,
    *,
    output: Output | None = None,
    notice: Callable[[str], None] | None = None,
) -> QuerySummary:
    """Search, and show what was found.

    Args:
        connect: connects to the server.
        options: what to search.
        stop: ends it; what was counted so far is shown.
        output: where to; standard output by default.
        notice: says one line; on standard error by default.

    Raises:
        UsageError: the filter, a pipe, a STREAM or an option is wrong.
        ConnectionLost, ServerError: the server cannot be reached or used.
    """
    choice = StreamChoice(options.view.streams)
    # What needs no saved filter is checked before anybody is asked.
    query = None if "@" in options.text else read_queries((options.text,), {})
    if query is not None:
        check_plan(make_plan(query.pipes), options)
    with output or Output.standard() as place:
        async with AsyncExitStack() as stack:

            async def begin() -> tuple[Server, Queries, list[str]]:
                server = await stack.enter_async_context(connect())
                if query is not None:
                    return server, query, await stream_keys(server)
                from logyard.bus.filters import get_filters, texts_of

                found = read_queries((options.text,), texts_of(await get_filters(server)))
                return server, found, await stream_keys(server)

            begun = await unless(stop, begin())
            if begun is None:
                return QuerySummary(partial=True)
            server, asked, keys = begun
            search = _Search(server, options, asked, choice, place, notice or make_notes(options.view.color))
            return await search.run(keys, stop)


class _Search:
    """One run."""

    def __init__(
        self,
        server: Server,
        options: QueryOptions,
        query: Queries,
        choice: StreamChoice,
        output: Output,
        notice: Callable[[str], None],
    ) -> None:
        self._server = server
        self._options = options
        self._view = view = options.view
        self._query = query
        self._choice = choice
        self._notice = notice
        self._plan = make_plan(query.pipes)
        check_plan(self._plan, options)
        size = shutil.get_terminal_size()
        self._lines = size.lines
        self._columns = size.columns if output.terminal else _COLUMNS
        command = pager_command(os.environ) if options.pager else []
        self._place = PagedOutput(output, command, self._columns, size.lines)
        zone = view.zone or (None if output.terminal and not view.utc else UTC)
        self._zone: tzinfo | None = None if isinstance(zone, ThisMachine) else zone
        self._summary = QuerySummary()
        tables = self._plan.source is not None and not self._plan.streams_rows
        self._aggregate: Aggregate | None = self._plan.aggregate(offset_in(self._zone)) if tables else None
        self._progress = Progress(wanted=True)
        self._expected = Expected()
        self._unreadable: set[str] = set()
        self._items = 0
        pipe = self._plan.context
        before, after = (pipe.before, pipe.after) if pipe is not None else (view.before, view.after)
        self._before = before
        limited = view.since_ns is not None or view.until_ns is not None
        in_order = self._plan.records is not None or view.last is not None
        timed = limited or in_order or self._aggregate is None or self._aggregate.timed
        self._picking = Picking(
            self._accepts,
            self._part if timed else _untimed,
            view.since_ns,
            self._cannot_read,
            until_ns=view.until_ns,
            select=None if query.filter is None else Selecting(query.filter).select,
            context=Context(before, after) if before or after else None,
        )

    async def run(self, keys: list[str], stop: asyncio.Event) -> QuerySummary:
        chosen = [key for key in keys if self._choice.selects(key) and self._query.wants(key)]
        if not self._there(keys, chosen):
            self._summary.code = FAILED
            return self._summary
        self._summary.streams = len(chosen)
        work = self._gather(chosen) if self._aggregate is not None else self._show(chosen)
        reading = asyncio.ensure_future(work)
        ends = [asyncio.ensure_future(event.wait()) for event in (stop, self._place.closed)]
        try:
            await asyncio.wait([reading, *ends], return_when=asyncio.FIRST_COMPLETED)
            self._summary.partial = not reading.done()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            self._progress.end()
            if not reading.cancelled() and (error := reading.exception()) is not None:
                raise error
            if self._aggregate is not None and not self._place.closed.is_set():
                await self._present(self._plan.finish(self._aggregate.table()))
        except BrokenPipeError:
            self._place.closed.set()
        finally:
            for end in ends:
                end.cancel()
            self._progress.end()
            await self._finish()
        self._conclude(stop.is_set())
        return self._summary

    async def _finish(self) -> None:
        try:
            await self._place.finish()
        except BrokenPipeError:
            self._place.closed.set()

    def _there(self, keys: Sequence[str], chosen: Sequence[str]) -> bool:
        """Whether there is something to search; says what is not."""
        if hint := self._choice.hint(keys):
            self._notice(hint)
        if self._choice.unmatched(keys, plain=True):
            return False
        if not keys:
            self._notice("there are no streams yet")
        elif not chosen and self._query.filter is not None and not self._choice.unmatched(keys):
            from logyard_cli.narrowing import stream_hint

            self._notice(stream_hint(self._query.filter.node, keys))
        return bool(chosen)

    # ---- tables

    async def _gather(self, keys: Sequence[str]) -> None:
        """Read all records and feed them to the aggregate."""
        aggregate, picking, view = self._aggregate, self._picking, self._view
        assert aggregate is not None
        if self._plan.records is not None or view.last is not None:
            await self._gather_some(keys, aggregate)
            return
        async with aclosing(read_entries(self._server, keys, view.since_ns, self._expected)) as pages:
            async for page in pages:
                for error in page.unreadable:
                    self._cannot_read(error)
                for batch in page.batches:
                    part = picking.matches(Selection(batch))
                    if part is not None:
                        self._feed(aggregate, part)
                self._tell()
                await asyncio.sleep(0)

    async def _gather_some(self, keys: Sequence[str], aggregate: Aggregate) -> None:
        """Feed the newest, or the first, of the records that pass."""
        left = self._plan.records
        async for parts in self._in_order(keys, _one_by_one):
            for part in parts if left is None else parts[:left]:
                self._feed(aggregate, part)
            if left is not None:
                left -= len(parts)
                if left <= 0:
                    return

    def _feed(self, aggregate: Aggregate, part: Part) -> None:
        try:
            aggregate.feed(part.selection, part.order, columns)
            self._summary.matched += part.selection.count
        except WireError as error:
            self._cannot_read(error)

    async def _present(self, table: Table) -> None:
        summary = self._summary
        if not table.rows and summary.matched == 0 and self._view.output == "pretty":
            return
        encoding = _encoding(self._place.terminal)
        text = self._drawn(table)
        await self._place.write(text.encode(encoding, "backslashreplace"))
        await self._place.shown()
        for note in table.notes:
            self._notice(note)

    def _drawn(self, table: Table) -> str:
        view, terminal = self._view, self._place.terminal
        if view.output != "pretty":
            return "".join(encode_rows(table.columns, table.rows, view.output, self._zone, terminal=terminal))
        buckets = self._plan.buckets(offset_in(self._zone))
        window = None
        if view.since_ns is not None:
            window = (view.since_ns, (view.until_ns or time.time_ns()) - 1)
        colour = wanted(view.color, terminal=terminal, environment=os.environ)
        if self._options.chart:
            from logyard_cli.chart import Canvas, draw_bars, draw_series

            lines = self._lines - 4 if terminal else 24
            canvas = Canvas(self._columns, max(8, lines), colour, not _unicode(), self._zone)
            series = None if buckets is None else as_series(table, buckets, window=window)
            drawn = (
                draw_bars(table, canvas) if series is None or buckets is None else draw_series(series, buckets, canvas)
            )
            return "".join(f"{line}\n" for line in drawn)
        look = Look(colour, self._zone, self._columns if terminal else 0, buckets, window)
        return pretty_table(table, look)

    # ---- records and rows

    async def _show(self, keys: Sequence[str]) -> None:
        """Write records, or rows of their fields, in order of time."""
        view, plan = self._view, self._plan
        if plan.source is None:
            await self._write(Screen(view, cast("Output", self._place), self._query.looked_for), keys, plan.records)
            return
        colour = wanted(view.color, terminal=self._place.terminal, environment=os.environ)
        rows = RowScreen(plan, columns, self._place, output=view.output, zone=self._zone, colour=colour)
        await self._write(rows, keys, _smaller(plan.records, plan.row_limit))

    async def _write(self, sink: _Sink[_Item], keys: Sequence[str], left: int | None) -> None:
        # Columns for eyes are as wide as the first records need.
        begun = self._view.output != "pretty"
        if begun:
            await sink.begin()
        async for items in self._in_order(keys, sink.render):
            if self._place.terminal:
                self._progress.end()
            if not begun:
                begun = True
                await sink.begin()
            await sink.write(items if left is None else items[:left])
            if left is not None:
                left -= len(items)
                if left <= 0:
                    return

    async def _in_order(
        self, keys: Sequence[str], render: Callable[[list[Part]], list[list[_Item]]]
    ) -> AsyncIterator[list[_Item]]:
        """What ``render`` makes of the records that are shown, merged by time, piece by piece."""
        server, picking = self._server, self._picking
        positions = Positions(self._choice.selects)

        def counted(parts: list[Part]) -> list[list[_Item]]:
            for part in parts:
                if self._aggregate is None:
                    self._summary.matched += part.selection.count if part.matched is None else sum(part.matched)
            self._tell()
            return render(parts)

        if self._view.last is None:
            await self._expected.estimate(server, keys)
            async for items in everything(server, list(keys), picking, positions, counted):
                yield items
            return
        runs, searched = await last_records(server, list(keys), self._view.last, picking, positions, self._goes_on)
        self._summary.oldest_ns = searched.oldest_ns
        if picking.context is None:
            yield interleave(_rendered(runs, counted))
        elif runs:
            first = {}
            for _, parts in runs:
                selection = parts[0].selection
                at = selection.positions[0] if selection.positions else 0
                first[selection.batch.key] = (selection.batch.entry, at)
            picking.first, read = first, picking.read
            behind = await before_first(server, runs, self._before)
            async for items in everything(server, list(behind), picking, positions, counted, behind):
                yield items
            picking.read = read

    def _goes_on(self, searched: object) -> bool:
        del searched
        self._tell()
        return True

    # ---- what is told

    def _accepts(self, batch: Batch) -> bool:
        stored = int(batch.entry.partition("-")[0] or 0) * 1_000_000
        oldest = self._summary.oldest_ns
        self._summary.oldest_ns = stored if not oldest else min(oldest, stored)
        return self._choice.accepts(batch)

    def _tell(self) -> None:
        self._progress.tell(self._picking.read, self._expected.records, self._summary.matched)

    def _part(self, selection: Selection) -> Part:
        observed = selection.batch.time_ns
        found = times(selection.lines, observed)
        return Part(selection, found, merge_times(found, observed))

    def _cannot_read(self, error: WireError) -> None:
        reason = str(error).partition(" has format ")[2] or str(error)
        if reason not in self._unreadable:
            self._unreadable.add(reason)
            self._progress.end()
            self._notice(f"skipped: {error}")

    def _conclude(self, interrupted: bool) -> None:
        """Say what was searched, where somebody looks or where it is not what was asked for."""
        summary = self._summary
        summary.read = self._picking.read
        if self._place.closed.is_set():
            return
        if interrupted:
            summary.code = INTERRUPTED
        elif not summary.matched:
            summary.code = FAILED
        if interrupted and self._aggregate is not None:
            self._notice(f"stopped early: this is what {self._covered()} give")
        elif not summary.matched:
            self._notice(f"nothing matched in {self._covered()}")
        elif interrupted or sys.stderr.isatty():
            seconds = duration(time.monotonic() - summary.started)
            self._notice(f"{summary.matched:,} of {self._covered()} matched, in {seconds}")

    def _covered(self) -> str:
        summary, view = self._summary, self._view
        text = f"{plural(summary.read, 'record')} of {plural(summary.streams, 'stream')}"
        since = view.since_ns or summary.oldest_ns
        if since:
            (begun,) = stamps_in(self._zone, [since // _SECOND * _SECOND])
            # Without a limit it is not known from when the records are, only since when they are here.
            text += f" {'stored ' if view.since_ns is None else ''}since {begun}"
        if view.until_ns is not None:
            (ended,) = stamps_in(self._zone, [view.until_ns // _SECOND * _SECOND])
            text += f" until {ended}"
        return text


def _rendered(
    runs: list[Run], render: Callable[[list[Part]], list[list[_Item]]]
) -> list[tuple[list[int], list[_Item]]]:
    drawn = iter(render([part for _, parts in runs for part in parts]))
    return [(moments, [item for _ in parts for item in next(drawn)]) for moments, parts in runs]


def _one_by_one(parts: list[Part]) -> list[list[Part]]:
    """Each record as a part of its own, so that they can be merged and counted off."""
    out = []
    for part in parts:
        positions = part.selection.positions or range(part.selection.batch.count)
        order = part.order or list(repeat(part.selection.batch.time_ns, part.selection.count))
        out.append(
            [
                replace(part, selection=Selection(part.selection.batch, [position]), times=[moment], order=[moment])
                for position, moment in zip(positions, order, strict=True)
            ]
        )
    return out


def _untimed(selection: Selection) -> Part:
    return Part(selection, (), ())


def _smaller(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def _encoding(terminal: bool) -> str:
    encoding = getattr(sys.stdout, "encoding", None)
    return encoding if terminal and encoding else "utf-8"


def _unicode() -> bool:
    """Whether the output can show more than ASCII."""
    try:
        "█▁─".encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
