"""A table that is kept up to date while records come in: in place on a terminal, else written from time to time. Pure:
records and the time in, bytes to write out.

On a terminal the table is drawn over itself. Lines are cut to the width of the screen, so that they take one row each;
when the width changes, the screen is cleared, since nobody but the terminal knows where its old lines are then.

Elsewhere ``pretty`` gives the whole table every `SNAPSHOT_EVERY` seconds in which it changed, the formats for programs
the rows that changed; of several rows of a bucket and group the last one counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import tzinfo
from itertools import islice

from logyard.batch import Selection
from logyard.pipes import Cell, Extract, Plan, Role, Table, offset_in
from logyard_cli.colour import DIM, RESET, paint
from logyard_cli.table import width_of
from logyard_cli.tables import Look, encode_rows, pretty_table
from logyard_cli.units import plural
from logyard_cli.zones import stamps_in

__all__ = ["REDRAW_EVERY", "SNAPSHOT_EVERY", "LiveTable", "clipped"]

REDRAW_EVERY = 0.25
"""Seconds between two drawings on a terminal."""
SNAPSHOT_EVERY = 10.0
"""Seconds between two tables elsewhere."""
_BUCKETS = 500
"""Buckets that are remembered, if the table is over time."""
_SYNC_ON, _SYNC_OFF = "\x1b[?2026h", "\x1b[?2026l"  # terminals that know it show the frame at once, others ignore it
_TOKEN = re.compile(r"\x1b\[[0-9;]*m|.", re.DOTALL)
_SECOND = 1_000_000_000


class LiveTable:
    """What pipes make of the records so far.

    Args:
        plan: with a source.
        extract: looks up fields.
        output: ``pretty``, ``json``, ``csv`` or ``logfmt``.
        terminal: whether it is written to a terminal.
        colour: whether with colours.
        zone: of times and of the beginnings of days; None for the machine's.

    Attributes:
        timed: whether `feed` needs the records' times.
        records: fed so far.

    Raises:
        UsageError: a pipe names a column that there is not.
    """

    def __init__(
        self,
        plan: Plan,
        extract: Extract,
        *,
        output: str = "pretty",
        terminal: bool = False,
        colour: bool = False,
        zone: tzinfo | None = None,
    ) -> None:
        offset = offset_in(zone)
        self._plan = plan
        self._extract = extract
        self._aggregate = plan.aggregate(offset)
        self._output = output
        self._terminal = terminal
        self._look = Look(colour=colour, zone=zone, buckets=plan.buckets(offset))
        self._in_place = terminal and output == "pretty"
        self.timed = self._aggregate.timed
        self.records = 0
        self._changed = True
        self._drawn_at = float("-inf")
        self._height = 0
        self._width = 0
        self._written: set[tuple[Cell, ...]] = set()
        self._headed = False

    def feed(self, selection: Selection, times: Sequence[int]) -> None:
        """Take in the selected records.

        Args:
            times: of each, ns since 1970; may be empty when not `timed`.

        Raises:
            WireError: the batch is damaged.
        """
        self._aggregate.feed(selection, times, self._extract)
        self.records += selection.count
        self._changed = True

    def due(self, seconds: float) -> bool:
        """Whether it is time to `draw` again.

        Args:
            seconds: on a clock that never goes back.
        """
        every = REDRAW_EVERY if self._in_place else SNAPSHOT_EVERY
        # Over time the table moves on even while nothing comes.
        moving = self._in_place and self._look.buckets is not None
        return (self._changed or moving) and seconds - self._drawn_at >= every

    def draw(self, seconds: float, now_ns: int, columns: int, lines: int) -> bytes:
        """What to write to bring the table up to date.

        Args:
            seconds: as for `due`.
            now_ns: the present, ns since 1970.
            columns, lines: of the terminal.
        """
        self._drawn_at = seconds
        changed, self._changed = self._changed, False
        self._forget(now_ns)
        if not self._in_place:
            return self._snapshot(now_ns).encode(errors="backslashreplace") if changed else b""
        frame = self._frame(now_ns, columns, lines)
        status = f"{plural(self.records, 'record')}; Ctrl-C ends"
        frame.append(paint(status, DIM, on=self._look.colour))
        return self._over(frame, columns)

    def clear(self) -> bytes:
        """What to write to take the table off the screen, so that something else can be said; then `draw` again."""
        if not self._height:
            return b""
        up, self._height = self._height, 0
        self._changed = True
        self._drawn_at = float("-inf")
        return f"\x1b[{up}A\r\x1b[J".encode()

    def final(self, now_ns: int, columns: int, lines: int) -> bytes:
        """What to write at the end: the last state, which stays."""
        if not self._in_place:
            return self._snapshot(now_ns, final=True).encode(errors="backslashreplace")
        return self._over(self._frame(now_ns, columns, lines), columns)

    def table(self) -> Table:
        """The table so far."""
        return self._plan.finish(self._aggregate.table())

    def _forget(self, now_ns: int) -> None:
        if self._look.buckets is not None:
            self._aggregate.forget_before(now_ns - _BUCKETS * self._look.buckets.width)

    def _frame(self, now_ns: int, columns: int, lines: int) -> list[str]:
        table = self.table()
        width = max(20, columns - 1)
        room = max(1, lines - 4 - len(table.notes))
        buckets = self._look.buckets
        hidden = table.left_out
        look = replace(self._look, width=width)
        if buckets is not None:
            table, look = self._window(table, buckets.start(now_ns - (room - 1) * buckets.width), now_ns, look)
        text = pretty_table(table, look).splitlines()
        heads = 2 if text and buckets is not None and len(table.of_role(Role.GROUP)) == 1 else 1
        if len(text) - heads > room:
            if buckets is None:
                hidden += len(text) - heads - room
                text = text[: room + heads]
            else:
                text = [*text[:heads], *text[len(text) - room :]]
        if hidden:
            text.append(paint(f"... and {hidden:,} others", DIM, on=look.colour))
        text += [paint(note, DIM, on=look.colour) for note in table.notes]
        return [clipped(line, width) for line in text]

    def _window(self, table: Table, first: int, now_ns: int, look: Look) -> tuple[Table, Look]:
        """The rows from the bucket ``first`` on, with the present as the last one."""
        times = table.of_role(Role.TIME)
        if not times:  # taken away by | fields
            return table, look
        at = times[0]
        rows = [row for row in table.rows if isinstance(row[at], int) and row[at] >= first]  # type: ignore[operator]
        # What lies before the first record seen is not empty: nobody looked.
        begun = min((row[at] for row in rows), default=now_ns)  # type: ignore[type-var]
        return replace(table, rows=rows), replace(look, window=(begun, max(begun, now_ns)))  # type: ignore[type-var, arg-type]

    def _over(self, frame: Sequence[str], columns: int) -> bytes:
        """The frame, drawn over the one before it."""
        if self._width and columns != self._width:
            start = "\x1b[H\x1b[2J"
        else:
            start = f"\x1b[{self._height}A\r" if self._height else ""
        self._width, self._height = columns, len(frame)
        body = "".join(f"{line}\x1b[K\n" for line in frame)
        return f"{_SYNC_ON}{start}{body}\x1b[J{_SYNC_OFF}".encode(errors="backslashreplace")

    def _snapshot(self, now_ns: int, *, final: bool = False) -> str:
        table = self.table()
        if self._output == "pretty":
            (moment,) = stamps_in(self._look.zone, [now_ns // _SECOND * _SECOND])
            notes = "".join(f"{note}\n" for note in table.notes)
            return f"--- {moment}\n{pretty_table(table, self._look)}{notes}"
        new = [row for row in table.rows if row not in self._written]
        self._written = set(table.rows)
        head = not self._headed and bool(new or final)
        self._headed = self._headed or head
        return "".join(
            encode_rows(table.columns, new, self._output, self._look.zone, head=head, terminal=self._terminal)
        )


def clipped(line: str, width: int) -> str:
    """The part of a line that fits into ``width`` columns; its colours end with it."""
    if width_of(_TOKEN.sub(lambda found: "" if len(found[0]) > 1 else found[0], line)) <= width:
        return line
    out: list[str] = []
    used, coloured = 0, False
    for token in islice(_TOKEN.findall(line), 100_000):
        if len(token) > 1:
            out.append(token)
            coloured = token != RESET
            continue
        used += width_of(token)
        if used > width:
            break
        out.append(token)
    return "".join(out) + (RESET if coloured else "")
