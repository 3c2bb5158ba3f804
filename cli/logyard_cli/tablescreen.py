"""What a tail shows of pipes: a table that is kept up to date, or rows of fields as records come."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import UTC, tzinfo

from logyard.errors import UsageError
from logyard.filters import Pipe, columns
from logyard.pipes import Plan, make_plan
from logyard_cli.colour import wanted
from logyard_cli.history import Run
from logyard_cli.livetable import REDRAW_EVERY, LiveTable
from logyard_cli.merge import interleave
from logyard_cli.output import Output
from logyard_cli.query import QueryOptions, check_plan
from logyard_cli.renderers import Part
from logyard_cli.rowscreen import RowScreen
from logyard_cli.screen import Late, Line, TailOptions, TailSummary
from logyard_cli.zones import ThisMachine

__all__ = ["RowTail", "TableScreen", "plan_of"]


def plan_of(pipes: Sequence[Pipe], options: TailOptions) -> Plan:
    """How pipes are carried out.

    Raises:
        UsageError: they do not go together, or not with an option or with a view that goes on.
    """
    plan = make_plan(pipes)
    check_plan(plan, QueryOptions("", options))
    if plan.records is not None:
        raise UsageError(
            f"| limit {plan.records} ends after so many records, and tail goes on:"
            " begin with the last ones by -n, or use logyard query"
        )
    if plan.source is not None and options.spark:
        raise UsageError("--spark shows the rate below records, and pipes give a table: leave out one of them")
    return plan


def _zone(options: TailOptions, place: Output) -> tzinfo | None:
    zone = options.zone or (None if place.terminal and not options.utc else UTC)
    return None if isinstance(zone, ThisMachine) else zone


def _noted(summary: TailSummary, parts: Sequence[Part]) -> None:
    for part in parts:
        summary.matched += part.selection.count
        summary.lines += part.selection.count
        summary.streams.add(part.selection.batch.key)


class TableScreen:
    """A table in place on a terminal, else written from time to time; in the place of `logyard_cli.screen.Screen`.

    Raises:
        UsageError: a pipe names a column that there is not.
    """

    skips = False

    def __init__(self, options: TailOptions, plan: Plan, place: Output) -> None:
        self._place = place
        self._table = LiveTable(
            plan,
            columns,
            output=options.output,
            terminal=place.terminal,
            colour=wanted(options.color, terminal=place.terminal, environment=os.environ),
            zone=_zone(options, place),
        )
        self._writing = asyncio.Lock()
        self.summary = TailSummary()
        self.timed = self._table.timed

    def render(self, parts: list[Part]) -> list[list[Line]]:
        """Take the records in; for each of them nothing is written."""
        for part in parts:
            self._table.feed(part.selection, part.order)
        _noted(self.summary, parts)
        return [[b""] * part.selection.count for part in parts]

    async def show(self, runs: list[Run], late: Late | None = None) -> int:
        """Take the records of streams in."""
        del late
        self.render([part for _, parts in runs for part in parts])
        await self._draw_due()
        return 0

    async def write(self, lines: Sequence[Line], late: Late | None = None) -> int:
        """Bring the table up to date."""
        del lines, late
        await self._draw_due()
        return 0

    async def begin(self) -> None:
        """Nothing stands above the table."""

    async def keep_status(self) -> None:
        """Draw the table whenever it is time to, until cancelled."""
        while True:
            await asyncio.sleep(REDRAW_EVERY / 2)
            await self._draw_due()

    def make_room(self) -> None:
        """Take the table off the screen for a line that somebody else writes; it comes back by itself."""
        if cleared := self._table.clear():
            os.write(2, cleared)

    async def finish(self) -> None:
        """Leave the last state on the screen."""
        size = shutil.get_terminal_size()
        await self._place.write(self._table.final(time.time_ns(), size.columns, size.lines))

    async def _draw_due(self) -> None:
        async with self._writing:
            now = time.monotonic()
            if self._table.due(now):
                size = shutil.get_terminal_size()
                await self._place.write(self._table.draw(now, time.time_ns(), size.columns, size.lines))


class RowTail(RowScreen):
    """Rows of fields, for ``| fields a,b``; in the place of `logyard_cli.screen.Screen`."""

    skips = False

    def __init__(self, options: TailOptions, plan: Plan, place: Output) -> None:
        super().__init__(
            plan,
            columns,
            place,
            output=options.output,
            zone=_zone(options, place),
            colour=wanted(options.color, terminal=place.terminal, environment=os.environ),
        )
        self._csv = options.output == "csv"
        self._headed = False
        self._limit = plan.row_limit
        self.summary = TailSummary()
        if self._limit is not None:
            raise UsageError(f"| limit {self._limit} ends after so many rows, and tail goes on: use logyard query")

    def render(self, parts: list[Part]) -> list[list[bytes]]:
        """The rows of each part."""
        _noted(self.summary, parts)
        return super().render(parts)

    async def show(self, runs: list[Run], late: Late | None = None) -> int:
        """Write the rows of streams, merged."""
        del late
        flat = [part for _, parts in runs for part in parts]
        drawn = iter(self.render(flat))
        rows = [[line for _ in parts for line in next(drawn)] for _, parts in runs]
        await self.write(interleave([(moments, lines) for (moments, _), lines in zip(runs, rows, strict=True)]))
        return 0

    async def begin(self) -> None:
        """Write the names of columns, where programs expect them."""
        if self._csv:
            self._headed = True
            await super().begin()

    async def write(self, lines: Sequence[bytes]) -> None:
        """Write rows, the first time below the names of their columns."""
        if lines and not self._headed:
            self._headed = True
            await super().begin()
        await super().write(lines)

    async def keep_status(self) -> None:
        """There is none."""

    def make_room(self) -> None:
        """Nothing is in the way."""

    async def finish(self) -> None:
        """Nothing is left to write."""
        sys.stdout.flush()
