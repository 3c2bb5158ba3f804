"""The live view: the last records of all selected streams, then what comes, without a gap or a repetition between.

One task reads on in the streams, one draws and writes; between them stands at most one round of reading, so that a
slow terminal makes this process read less and costs nobody else anything. When Redis goes away, reading goes on from
the same positions as soon as it is back, and what was removed meanwhile is told.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from itertools import repeat

from logyard.batch import Selection
from logyard.bus.catalogue import stream_keys
from logyard.bus.read import Page, Positions, catch_up, follow
from logyard.derive.time import times
from logyard.errors import ServerError, WireError
from logyard.server import Server
from logyard_cli.choice import StreamChoice
from logyard_cli.exits import FAILED, cause, say
from logyard_cli.history import Reading, everything, last_records
from logyard_cli.merge import merge_times, rising
from logyard_cli.output import Output
from logyard_cli.renderers import Part
from logyard_cli.screen import Screen, TailOptions, TailSummary
from logyard_cli.units import duration, plural

__all__ = ["Connect", "TailOptions", "TailSummary", "run_tail"]

Connect = Callable[[], AbstractAsyncContextManager[Server]]

_SLOWEST_RETRY = 2.0
_SAY_AGAIN_AFTER = 5.0


async def run_tail(
    connect: Connect,
    options: TailOptions,
    stop: asyncio.Event,
    *,
    output: Output | None = None,
    notice: Callable[[str], None] = say,
) -> TailSummary:
    """Show records until ``stop`` is set, or, without ``follow``, until all are shown.

    Args:
        connect: connects to the server; called again whenever the connection was lost.
        options: what to show.
        stop: ends it in order.
        output: where to; standard output by default.
        notice: says one line about what is going on.

    Raises:
        UsageError: a STREAM is wrong.
        ConnectionLost, ServerError: the server cannot be reached in the first place.
    """
    choice = StreamChoice(options.streams)
    with output or Output.standard() as place:
        tail = _Tail(connect, options, choice, place, notice)
        try:
            async with asyncio.TaskGroup() as group:
                work = group.create_task(tail.run())
                ends = [group.create_task(event.wait()) for event in (stop, place.closed)]
                await asyncio.wait([work, *ends], return_when=asyncio.FIRST_COMPLETED)
                for task in (work, *ends):
                    task.cancel()
        except BaseExceptionGroup as group_error:
            error = cause(group_error)
            if not isinstance(error, BrokenPipeError):
                raise error from None
        tail.summary.closed = place.closed.is_set()
    return tail.summary


class _Tail:
    """One run of the live view."""

    def __init__(
        self,
        connect: Connect,
        options: TailOptions,
        choice: StreamChoice,
        output: Output,
        notice: Callable[[str], None],
    ) -> None:
        self._connect = connect
        self._options = options
        self._choice = choice
        self._notice = notice
        self._positions = Positions(choice.selects)
        self._screen = Screen(options, output)
        self.summary = self._screen.summary
        self._pending: list[Part] = []
        self._changed = asyncio.Condition()
        self._unreadable: set[str] = set()

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
            chosen = [key for key in keys if self._choice.selects(key)]
            if not self._matched(keys, chosen):
                self.summary.code = FAILED
                return None
            await self._history(server, chosen)
            return await self._follow(server) if self._options.follow else None

    async def _follow(self, server: Server) -> ServerError:
        try:
            await follow(server, self._positions, self._deliver)
        except ServerError as error:
            return error
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
        if not options.streams:
            if not keys and options.follow:
                self._notice("no streams yet; waiting for the first records")
            return bool(keys) or options.follow
        if hint := self._choice.hint(keys):
            self._notice(hint + ("" if not (chosen and options.follow) else "; waiting for it"))
        if not chosen:
            return False
        return options.follow or not self._choice.unmatched(keys, plain=True)

    async def _history(self, server: Server, keys: list[str]) -> None:
        options = self._options
        # Times are worked out only where they decide something.
        timed = self._screen.timed or len(keys) > 1 or options.since_ns is not None
        reading = Reading(self._choice.accepts, self._part if timed else _untimed, options.since_ns, self._cannot_read)
        if options.last is not None:
            found = await last_records(server, keys, options.last, reading, self._positions)
            await self._screen.show(found)
            return
        async for lines in everything(server, keys, reading, self._positions, self._screen.render):
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
            await self._screen.show(
                [(rising(moment for part in run for moment in part.order), run) for run in by_stream.values()]
            )

    def _say_back(self, seconds: float, removed: int) -> None:
        if removed:
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
                    if missing:
                        self._notice(
                            f"{plural(missing, 'record')} of {key} were removed before they could be shown:"
                            " more came in than this output takes"
                        )
                    if selection is not None and self._choice.accepts(batch):
                        parts.append(self._part(selection))
                except WireError as error:
                    self._cannot_read(error)
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


def _untimed(selection: Selection) -> Part:
    observed = list(repeat(selection.batch.time_ns, len(selection.lines)))
    return Part(selection, observed, observed)
