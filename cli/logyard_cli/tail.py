"""The live view: the last records of all selected streams, then what comes, without a gap or a repetition between.

One task reads on in the streams, one draws and writes; between them stands at most one round of reading, so that a
slow reader makes this process read less and costs nobody else anything. A terminal that cannot keep up for a while is
shown the present instead: what is left out is counted and told. When Redis goes away, reading goes on from the same
positions as soon as it is back, and what was removed meanwhile is told.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any, Protocol

from logyard.batch import Selection
from logyard.bus.catalogue import stream_keys
from logyard.bus.read import Page, Positions, backlog, catch_up, follow, skip_ahead
from logyard.derive.time import times
from logyard.errors import ServerError, WireError
from logyard.server import Server
from logyard_cli.choice import StreamChoice
from logyard_cli.context import Context
from logyard_cli.exits import FAILED, cause
from logyard_cli.history import Run, Searched, before_first, everything, last_records
from logyard_cli.merge import merge_times, rising
from logyard_cli.notes import make_notes
from logyard_cli.output import Output
from logyard_cli.picking import Picking
from logyard_cli.queries import Queries, read_queries
from logyard_cli.renderers import Part
from logyard_cli.screen import Late, Screen, TailOptions, TailSummary
from logyard_cli.selecting import Selecting, expressions_of
from logyard_cli.stopping import unless
from logyard_cli.units import duration, plural
from logyard_cli.zones import stamps_in

__all__ = ["Connect", "TailOptions", "TailSummary", "run_tail"]

Connect = Callable[[], AbstractAsyncContextManager[Server]]

_NO_STREAMS = "no streams yet; waiting for the first records"
_SLOWEST_RETRY = 2.0
_SAY_AGAIN_AFTER = 5.0
SEARCH_FOR = 10.0
"""Seconds of searching backwards for records that match, before what comes live has waited long enough."""
_SAY_SEARCHING_AFTER = 1.0
PATIENCE = 1.0
"""Seconds that a terminal may take for what was read at once, before it is asked how far behind it is."""
BEHIND = 10_000
"""Records behind the present that a terminal may always catch up with."""
_BEHIND_SECONDS = 2.0
"""The same for one that takes many a second."""


async def run_tail(
    connect: Connect,
    options: TailOptions,
    stop: asyncio.Event,
    *,
    output: Output | None = None,
    notice: Callable[[str], None] | None = None,
) -> TailSummary:
    """Show records until ``stop`` is set, or, without ``follow``, until all are shown.

    Args:
        connect: connects to the server; called again whenever the connection was lost.
        options: what to show.
        stop: ends it in order.
        output: where to; standard output by default.
        notice: says one line about what is going on; on standard error by default.

    Raises:
        UsageError: a STREAM, a filter, an expression or a template is wrong.
        ConnectionLost, ServerError: the server cannot be reached in the first place.
    """
    choice = StreamChoice(options.streams, options.excluded)
    include = expressions_of(options.include, "--include")
    exclude = expressions_of(options.exclude, "--exclude")
    queries = await unless(stop, _queries(connect, options))
    if queries is None:
        return TailSummary()
    selecting = Selecting(queries.filter, include, exclude)
    with output or Output.standard() as place:
        options, screen = _sink(options, queries, place)
        tail = _Tail(
            connect,
            options,
            _Wanted(choice, queries),
            selecting,
            screen,
            notice or make_notes(options.color, screen.make_room),
        )
        try:
            async with asyncio.TaskGroup() as group:
                work = group.create_task(tail.run())
                ends = [group.create_task(event.wait()) for event in (stop, place.closed)]
                status = group.create_task(screen.keep_status())
                await asyncio.wait([work, *ends], return_when=asyncio.FIRST_COMPLETED)
                for task in (work, *ends, status):
                    task.cancel()
        except BaseExceptionGroup as group_error:
            error = cause(group_error)
            if not isinstance(error, BrokenPipeError):
                raise error from None
        tail.summary.closed = place.closed.is_set()
        if not tail.summary.closed:
            await screen.finish()
        tail.summary.read = 0 if selecting.everything else tail.picking.read
    return tail.summary


class _Sink(Protocol):
    """Where records go: to the screen, or into a table; see `logyard_cli.screen.Screen`."""

    timed: bool
    skips: bool
    summary: TailSummary

    def render(self, parts: list[Part], /) -> list[list[Any]]: ...

    async def show(self, runs: list[Run], late: Late | None = None, /) -> int: ...

    async def write(self, lines: Any, /) -> object: ...

    async def begin(self) -> None: ...

    async def keep_status(self) -> None: ...

    async def finish(self) -> None: ...

    def make_room(self) -> None: ...


def _sink(options: TailOptions, queries: Queries, place: Output) -> tuple[TailOptions, _Sink]:
    """What shows the records, and the options with what the pipes say."""
    if not queries.pipes:
        return options, Screen(options, place, queries.looked_for)
    from logyard_cli.tablescreen import RowTail, TableScreen, plan_of

    plan = plan_of(queries.pipes, options)
    if plan.context is not None:
        options = replace(options, before=plan.context.before, after=plan.context.after)
    if plan.source is None:
        return options, Screen(options, place, queries.looked_for)
    if plan.streams_rows:
        return options, RowTail(options, plan, place)
    if not options.last_given and options.last is not None:
        options = replace(options, last=0)  # counting begins now, unless somebody says when
    return options, TableScreen(options, plan, place)


async def _queries(connect: Connect, options: TailOptions) -> Queries:
    """The filters, with saved ones in place; what is wrong is told before anything is shown."""
    if not any("@" in text for text in options.filters):
        return read_queries(options.filters, {})
    from logyard.bus.filters import get_filters, texts_of

    async with connect() as server:
        return read_queries(options.filters, texts_of(await get_filters(server)))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which streams are read."""

    choice: StreamChoice
    queries: Queries

    def selects(self, key: str) -> bool:
        """Whether anything of the stream may be shown."""
        return self.choice.selects(key) and self.queries.wants(key)


class _Tail:
    """One run of the live view."""

    def __init__(
        self,
        connect: Connect,
        options: TailOptions,
        wanted: _Wanted,
        selecting: Selecting,
        screen: _Sink,
        notice: Callable[[str], None],
    ) -> None:
        self._connect = connect
        self._options = options
        self._wanted = wanted
        self._choice = wanted.choice
        self._notice = notice
        self._positions = Positions(wanted.selects)
        self._screen = screen
        self.summary = self._screen.summary
        self.picking = Picking(
            wanted.choice.accepts,
            self._part,
            options.since_ns,
            self._cannot_read,
            until_ns=options.until_ns,
            select=None if selecting.everything else selecting.select,
            context=Context(options.before, options.after) if options.before or options.after else None,
        )
        self._server: Server | None = None
        self._pending: list[Part] = []
        self._changed = asyncio.Condition()
        self._unreadable: set[str] = set()
        self._asked_at = 0.0

    async def run(self) -> None:
        """History, then live."""
        async with asyncio.TaskGroup() as group:
            drawing = group.create_task(self._draw())
            try:
                lost = await self._first()
                while lost is not None:
                    lost = await self._again(lost)
            finally:
                drawing.cancel()

    async def _first(self) -> ServerError | None:
        """Show history and follow; why the connection ended, None when there is nothing to follow."""
        async with self._connect() as server:
            keys = await stream_keys(server)
            chosen = [key for key in keys if self._wanted.selects(key)]
            if not self._matched(keys, chosen):
                self.summary.code = FAILED
                return None
            await self._screen.begin()
            await self._history(server, chosen)
            return await self._follow(server) if self._options.follow else None

    async def _follow(self, server: Server) -> ServerError:
        self._server = server
        try:
            await follow(server, self._positions, self._deliver)
        except ServerError as error:
            return error
        finally:
            self._server = None
        raise AssertionError("following ends only by an error")

    async def _again(self, lost: ServerError) -> ServerError:
        """Connect until it works and follow on; why that connection ended."""
        since = time.monotonic()
        said = ""
        delay = 0.1
        while True:
            # What is wrong changes at first, from a broken connection to a refused one: once is enough.
            if not said or (str(lost) != said and time.monotonic() - since > _SAY_AGAIN_AFTER):
                said = str(lost)
                self._notice(f"{said}; trying again")
            await asyncio.sleep(delay * random.uniform(0.7, 1.0))  # noqa: S311 - it spreads load and hides nothing
            delay = min(delay * 1.6, _SLOWEST_RETRY)
            try:
                async with self._connect() as server:
                    removed = await catch_up(server, self._positions)
                    self._say_back(time.monotonic() - since, removed)
                    return await self._follow(server)
            except ServerError as error:
                lost = error

    def _matched(self, keys: list[str], chosen: list[str]) -> bool:
        """Whether there is something to show or to wait for; says what is not there."""
        options = self._options
        named = any(self._choice.selects(key) for key in keys)
        if not options.streams or (named and not chosen):
            if not chosen and options.follow:
                self._notice(f"{self._none(keys)}; waiting for it" if keys else _NO_STREAMS)
            elif not chosen and keys:
                self._notice(self._none(keys))
            return bool(chosen) or options.follow
        if hint := self._choice.hint(keys):
            self._notice(hint + ("" if not (chosen and options.follow) else "; waiting for it"))
        if not chosen:
            return False
        return options.follow or not self._choice.unmatched(keys, plain=True)

    def _none(self, keys: list[str]) -> str:
        """Why none of the streams there are can be shown."""
        asked = self._wanted.queries.filter
        if asked is None or not any(self._choice.selects(key) for key in keys):
            return "--exclude-stream leaves no stream"
        from logyard_cli.narrowing import stream_hint

        return stream_hint(asked.node, keys)

    async def _history(self, server: Server, keys: list[str]) -> None:
        options, picking = self._options, self.picking
        # Times are worked out only where they decide something.
        limited = options.since_ns is not None or options.until_ns is not None
        picking.part = self._part if self._screen.timed or len(keys) > 1 or limited else _untimed
        try:
            if options.last is None:
                await self._write_all(server, keys, None)
                return
            search = _Search(self._notice, give_up=options.follow)
            runs, searched = await last_records(server, keys, options.last, picking, self._positions, search.goes_on)
            if picking.select is not None:
                search.conclude(searched, options)
            if picking.context is None:
                await self._screen.show(runs)
            elif runs:
                await self._with_context(server, runs)
        finally:
            picking.part = self._part

    async def _with_context(self, server: Server, runs: list[Run]) -> None:
        """Read on from the first of the records that were found, and show them with those around them."""
        picking, read = self.picking, self.picking.read
        first = {}
        for _, parts in runs:
            selection = parts[0].selection
            first[selection.batch.key] = (selection.batch.entry, selection.positions[0] if selection.positions else 0)
        picking.first = first
        behind = await before_first(server, runs, self._options.before)
        await self._write_all(server, list(behind), behind)
        picking.first, picking.read = {}, read

    async def _write_all(self, server: Server, keys: list[str], behind: Mapping[str, str] | None) -> None:
        async for lines in everything(server, keys, self.picking, self._positions, self._screen.render, behind):
            await self._screen.write(lines)

    async def _draw(self) -> None:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._pending)
                parts, self._pending = self._pending, []
                self._changed.notify_all()
            by_stream: dict[str, list[Part]] = {}
            for part in parts:
                by_stream.setdefault(part.selection.batch.key, []).append(part)
            left = await self._screen.show(
                [(rising(moment for part in run for moment in part.order), run) for run in by_stream.values()],
                self._late if self._screen.skips else None,
            )
            if left:
                await self._skip(left)

    async def _late(self, written: int, seconds: float) -> bool:
        """Whether the terminal is so far behind that it is shown the present instead."""
        server, now = self._server, time.monotonic()
        if seconds < PATIENCE or server is None or now - self._asked_at < PATIENCE:
            return False
        self._asked_at = now
        try:
            unread = await backlog(server, self._positions)
        except ServerError:
            return False
        # Of what waits, only those records take their time that pass the filter.
        passing = unread * self.summary.matched / max(self.picking.read, 1)
        return passing > max(BEHIND, _BEHIND_SECONDS * written / seconds)

    async def _skip(self, left: int) -> None:
        """Go on with the present; ``left`` lines that were to be written are dropped already."""
        async with self._changed:
            left += sum(part.selection.count for part in self._pending)
            self._pending = []
            self._changed.notify_all()
        server = self._server
        try:
            skipped = 0 if server is None else await skip_ahead(server, self._positions)
        except ServerError:
            skipped = 0
        self.summary.dropped += left + skipped
        self._notice(f"skipped {plural(left + skipped, 'record')}: more comes in than this terminal takes")

    def _say_back(self, seconds: float, removed: int) -> None:
        if removed:
            self.summary.dropped += removed
            self._notice(
                f"reconnected after {duration(seconds)}; {plural(removed, 'record')} were removed meanwhile"
                " and cannot be shown"
            )
        else:
            self._notice(f"reconnected after {duration(seconds)}, nothing lost")

    async def _deliver(self, pages: Mapping[str, Page]) -> None:
        parts = []
        for key, page in pages.items():
            for error in page.unreadable:
                self._cannot_read(error)
            for batch in page.batches:
                try:
                    selection, missing = self._positions.advance(batch)
                except WireError as error:
                    self._cannot_read(error)
                    continue
                if missing:
                    self.summary.dropped += missing
                    self._notice(
                        f"{plural(missing, 'record')} of {key} were removed before they could be shown:"
                        " more came in than this output takes"
                    )
                if selection is not None:
                    parts += self.picking.parts(selection)
            self._positions.skip(key, page.edge)
        # From here on the records are sure to be drawn, even if reading is cancelled: positions are behind them.
        self._pending += parts
        async with self._changed:
            self._changed.notify_all()
            await self._changed.wait_for(lambda: not self._pending)

    def _part(self, selection: Selection) -> Part:
        observed = selection.batch.time_ns
        found = times(selection.lines, observed)
        return Part(selection, found, merge_times(found, observed))

    def _cannot_read(self, error: WireError) -> None:
        reason = str(error).partition(" has format ")[2] or str(error)
        if reason not in self._unreadable:
            self._unreadable.add(reason)
            self._notice(f"skipped: {error}")


class _Search:
    """Tells about a search backwards, and ends one that takes too long."""

    def __init__(self, notice: Callable[[str], None], *, give_up: bool) -> None:
        self._notice = notice
        self._give_up = give_up
        self._began = time.monotonic()
        self._said_at = self._began

    def goes_on(self, searched: Searched) -> bool:
        """As `logyard_cli.history.last_records` asks it."""
        now = time.monotonic()
        if self._give_up and now - self._began > SEARCH_FOR:
            return False
        if now - self._said_at > _SAY_SEARCHING_AFTER:
            self._said_at = now
            self._notice(
                f"searching back: {searched.found:,} found in {plural(searched.records, 'record')},"
                f" back to {_stamp(searched.oldest_ns)}"
            )
        return True

    def conclude(self, searched: Searched, options: TailOptions) -> None:
        """Say why fewer were found than were asked for."""
        if options.last is None or searched.found >= options.last or not searched.records:
            return
        found = f"found {searched.found:,} of the last {options.last:,}"
        if searched.everything:
            limit = "kept" if options.since_ns is None else "kept since then"
            self._notice(f"{found}: searched all {plural(searched.records, 'record')} that are {limit}")
        else:
            self._notice(
                f"{found}: gave up after {plural(searched.records, 'record')},"
                f" back to {_stamp(searched.oldest_ns)}; --since or -n all looks at all from there on"
            )


def _stamp(ns: int) -> str:
    return stamps_in(None, [ns // 1_000_000_000 * 1_000_000_000])[0]


def _untimed(selection: Selection) -> Part:
    observed = list(repeat(selection.batch.time_ns, len(selection.lines)))
    return Part(selection, observed, observed)
