"""What a tail shows: its options, the screen it draws on, and the summary at its end."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from logyard.derive.blocks import severities_of
from logyard_cli.chosen import ALL_FIELDS, Fields
from logyard_cli.colour import wanted
from logyard_cli.context import Neighbours, Source, source_of
from logyard_cli.exits import OK
from logyard_cli.highlight import make_highlighter
from logyard_cli.history import Run
from logyard_cli.merge import interleave
from logyard_cli.output import Output
from logyard_cli.pretty import Layout
from logyard_cli.renderers import Part, make_renderer
from logyard_cli.spark import Rates, status_line
from logyard_cli.units import duration, plural

__all__ = ["Line", "Screen", "TailOptions", "TailSummary"]

Line = bytes | tuple[bytes, Source, int]
"""What is written of a record; where there is context, with its source and its number there."""
Late = Callable[[int, float], Awaitable[bool]]
"""Asked while much is being written, with the lines written so far and the seconds that took: whether to leave the
rest."""

_LINES_AT_ONCE = 200
_CLEAR = b"\r\x1b[2K"
"""Takes away the status line, which the cursor is on."""


@dataclass(frozen=True, slots=True)
class TailOptions:
    """What to show, and how.

    Attributes:
        streams: what selects streams (`logyard.names.stream_globs`); empty for all.
        excluded: what takes streams away again, likewise.
        filters: all of them must let a record pass; pipes may follow in the last.
        include, exclude: expressions of which one, or none, must match a record.
        last: how many of the newest records to begin with; None for all that there are.
        last_given: whether somebody asked for so many; a table begins with none otherwise.
        since_ns, until_ns: only records from then on, and before then, ns since 1970 UTC.
        follow: go on with what comes.
        output: of `logyard_cli.renderers.OUTPUTS`, ``expanded`` or ``template``.
        template: for the latter.
        fields: which fields are shown.
        before, after: records of context around each match.
        highlight: expressions that are marked.
        color: ``auto``, ``always`` or ``never``.
        utc: complete times in UTC on a terminal too.
        zone: of times; None for the machine's on a terminal, else UTC.
        node: whether nodes are named; None: when there are several.
        spark: a status line with rates below.
    """

    streams: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    last: int | None = 10
    last_given: bool = False
    since_ns: int | None = None
    until_ns: int | None = None
    follow: bool = True
    output: str = "pretty"
    template: str = ""
    fields: Fields = ALL_FIELDS
    before: int = 0
    after: int = 0
    highlight: tuple[str, ...] = ()
    color: str = "auto"
    utc: bool = False
    zone: tzinfo | None = None
    node: bool | None = None
    spark: bool = False


@dataclass(slots=True)
class TailSummary:
    """What was shown.

    Attributes:
        code: exit code.
        lines: records, their context included.
        matched: records that were looked for.
        read: records that were looked at, where not all of them are shown.
        dropped: records that vanished, or were left out, before they could be shown.
        streams: keys of those that had some.
        started: ``time.monotonic`` when it began.
        closed: it ended because whoever read the output is gone.
    """

    code: int = OK
    lines: int = 0
    matched: int = 0
    read: int = 0
    dropped: int = 0
    streams: set[str] = field(default_factory=set)
    started: float = field(default_factory=time.monotonic)
    closed: bool = False

    def text(self) -> str:
        """``1,204 lines of 5 streams shown, 1,180 of 90,211 matched, 0 dropped, in 3 min 20 s (6.0 a second)``."""
        seconds = time.monotonic() - self.started
        rate = self.lines / seconds if seconds > 0 else 0.0
        shown = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
        read = f" of {self.read:,}" if self.read > self.matched else ""
        return (
            f"{plural(self.lines, 'line')} of {plural(len(self.streams), 'stream')} shown,"
            f" {self.matched:,}{read} matched, {self.dropped:,} dropped, in {duration(seconds)} ({shown} a second)"
        )


class Screen:
    """Draws parts in order, writes them and counts them.

    Args:
        looked_for: RE2 expressions for what the filter looks for, marked where there are colours.

    Attributes:
        summary: what was shown so far.
        timed: whether `Part.times` have to be right.
        skips: whether records may be left out where they come faster than they are shown: before somebody's eyes, but
            not on the way to a file or a program.

    Raises:
        UsageError: a template or an expression to mark is wrong.
    """

    def __init__(self, options: TailOptions, output: Output, looked_for: Sequence[str] = ()) -> None:
        columns = shutil.get_terminal_size().columns if output.terminal else 120
        self._colour = wanted(options.color, terminal=output.terminal, environment=os.environ)
        layout = Layout(
            colour=self._colour,
            local=output.terminal and not options.utc,
            zone=options.zone,
            fields=options.fields,
            highlight=make_highlighter(options.highlight, looked_for),
            node=options.node,
            widest=min(40, max(12, columns // 4)),
        )
        self._renderer = make_renderer(
            options.output,
            terminal=output.terminal,
            layout=layout,
            encoding=_encoding(output),
            template=options.template,
            width=columns,
        )
        self._output = output
        self._writing = asyncio.Lock()
        self._header = self._renderer.header
        self._neighbours = Neighbours()
        self._separator = b"\x1b[38;5;244m--\x1b[0m\n" if self._colour else b"--\n"
        self._rates = Rates(time.monotonic()) if options.spark else None
        self._status = b""
        self.summary = TailSummary()
        self.timed = self._renderer.timed
        self.skips = output.terminal

    def render(self, parts: list[Part]) -> list[list[Line]]:
        """The lines of each part, counted as matched."""
        drawn = self._renderer.render(parts, time.time_ns())
        summary = self.summary
        for part in parts:
            summary.matched += part.selection.count if part.matched is None else sum(part.matched)
            summary.streams.add(part.selection.batch.key)
            if self._rates is not None:
                self._rates.add(severities_of(part.selection), time.monotonic())
        return [_numbered(part, lines) for part, lines in zip(parts, drawn, strict=True)]

    async def show(self, runs: list[Run], late: Late | None = None) -> int:
        """Show runs of streams merged; how many lines were left out, because ``late`` said so."""
        flat = [part for _, parts in runs for part in parts]
        drawn = iter(self.render(flat))
        lines = [[line for _ in parts for line in next(drawn)] for _, parts in runs]
        merged = interleave([(moments, shown) for (moments, _), shown in zip(runs, lines, strict=True)])
        return await self.write(merged, late)

    async def write(self, lines: Sequence[Line], late: Late | None = None) -> int:
        """Write lines that were rendered; how many were left out, because ``late`` said so."""
        began = time.monotonic()
        for at in range(0, len(lines), _LINES_AT_ONCE):
            if late is not None and at and await late(at, time.monotonic() - began):
                return len(lines) - at
            some = lines[at : at + _LINES_AT_ONCE]
            await self._put(b"".join(map(self._separated, some)))
            self.summary.lines += len(some)
        return 0

    async def begin(self) -> None:
        """Write what stands above all records."""
        if self._header or self._rates is not None:
            await self._put(self._header)

    async def keep_status(self) -> None:
        """Draw the status line anew every second, until cancelled; nothing where there is none."""
        while self._rates is not None:
            await asyncio.sleep(1)
            await self._put(b"")

    async def finish(self) -> None:
        """Nothing is left to write."""

    def make_room(self) -> None:
        """Make room for a line that somebody else writes to the terminal; the status line comes back by itself."""
        if self._status:
            self._status = b""
            self._output.ending = b""
            os.write(2, _CLEAR)

    async def _put(self, data: bytes) -> None:
        async with self._writing:
            if self._rates is None:
                if data:
                    await self._output.write(data)
                return
            cleared = _CLEAR if self._status else b""
            self._status = self._status_text()
            await self._output.write(cleared + data + self._status)
            self._output.ending = _CLEAR

    def _status_text(self) -> bytes:
        assert self._rates is not None
        dropped = self.summary.dropped
        columns = shutil.get_terminal_size().columns - 1
        notes = f"{dropped:,} dropped" if dropped else ""
        line = status_line(self._rates, time.monotonic(), columns, colour=self._colour, notes=notes)
        return line.encode(_encoding(self._output), "replace")

    def _separated(self, line: Line) -> bytes:
        if isinstance(line, bytes):
            return line
        text, source, number = line
        return self._separator + text if self._neighbours.apart(source, number) else text


def _numbered(part: Part, lines: list[bytes]) -> list[Line]:
    if part.numbers is None:
        return list(lines)
    source = source_of(part.selection.batch)
    return [(line, source, number) for line, number in zip(lines, part.numbers, strict=True)]


def _encoding(output: Output) -> str:
    encoding = getattr(sys.stdout, "encoding", None)
    return encoding if output.terminal and encoding else "utf-8"
