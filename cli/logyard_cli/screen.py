"""What a tail shows: its options, the screen it draws on, and the summary at its end."""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass, field

from logyard_cli.colour import wanted
from logyard_cli.exits import OK
from logyard_cli.merge import interleave
from logyard_cli.output import Output
from logyard_cli.pretty import Layout
from logyard_cli.renderers import Part, make_renderer
from logyard_cli.units import duration, plural

__all__ = ["Screen", "TailOptions", "TailSummary"]


@dataclass(frozen=True, slots=True)
class TailOptions:
    """What to show, and how.

    Attributes:
        streams: what selects streams (`logyard.names.stream_globs`); empty for all.
        last: how many of the newest records to begin with; None for all that there are.
        since_ns: only records from then on, ns since 1970 UTC.
        follow: go on with what comes.
        output: ``pretty``, ``json``, ``raw`` or ``text``.
        color: ``auto``, ``always`` or ``never``.
        utc: times in UTC on a terminal too.
        node: whether nodes are named; None: when there are several.
    """

    streams: tuple[str, ...] = ()
    last: int | None = 10
    since_ns: int | None = None
    follow: bool = True
    output: str = "pretty"
    color: str = "auto"
    utc: bool = False
    node: bool | None = None


@dataclass(slots=True)
class TailSummary:
    """What was shown.

    Attributes:
        code: exit code.
        lines: records.
        streams: keys of those that had some.
        started: ``time.monotonic`` when it began.
        closed: it ended because whoever read the output is gone.
    """

    code: int = OK
    lines: int = 0
    streams: set[str] = field(default_factory=set)
    started: float = field(default_factory=time.monotonic)
    closed: bool = False

    def text(self) -> str:
        """``1,234 lines of 5 streams in 12 s (103 a second)``."""
        seconds = time.monotonic() - self.started
        rate = self.lines / seconds if seconds > 0 else 0.0
        shown = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
        return (
            f"{plural(self.lines, 'line')} of {plural(len(self.streams), 'stream')}"
            f" in {duration(seconds)} ({shown} a second)"
        )


class Screen:
    """Draws parts in order, writes them and counts them.

    Attributes:
        summary: what was shown so far.
        timed: whether `Part.times` have to be right.
    """

    def __init__(self, options: TailOptions, output: Output) -> None:
        self._renderer = make_renderer(
            options.output,
            terminal=output.terminal,
            layout=_layout(options, output.terminal),
            encoding=_encoding(output),
        )
        self._output = output
        self.summary = TailSummary()
        self.timed = self._renderer.timed

    def render(self, parts: list[Part]) -> list[list[bytes]]:
        """The lines of each part, counted as shown."""
        drawn = self._renderer.render(parts, time.time_ns())
        self.summary.lines += sum(map(len, drawn))
        self.summary.streams.update(part.selection.batch.key for part in parts)
        return drawn

    async def show(self, runs: list[tuple[list[int], list[Part]]]) -> None:
        """Show runs of streams, each with its rising times, merged."""
        flat = [part for _, parts in runs for part in parts]
        drawn = iter(self.render(flat))
        lines = [[line for _ in parts for line in next(drawn)] for _, parts in runs]
        merged = interleave([(moments, shown) for (moments, _), shown in zip(runs, lines, strict=True)])
        await self.write(merged)

    async def write(self, lines: list[bytes]) -> None:
        """Write lines that were rendered."""
        await self._output.write(b"".join(lines))


def _layout(options: TailOptions, terminal: bool) -> Layout:
    columns = shutil.get_terminal_size().columns if terminal else 120
    return Layout(
        colour=wanted(options.color, terminal=terminal, environment=os.environ),
        local=terminal and not options.utc,
        node=options.node,
        widest=min(40, max(12, columns // 4)),
    )


def _encoding(output: Output) -> str:
    encoding = getattr(sys.stdout, "encoding", None)
    return encoding if output.terminal and encoding else "utf-8"
