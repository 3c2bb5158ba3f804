"""How much comes, by severity, over the last minute: counts, and the one line that shows them. Pure.

1,204/s ▁▂▃▅▇▅▃▂  error 3/s ▁▁▂▁  warn 12/s ▂▁▁▁  web 812/s
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from math import ceil

from logyard.derive.severity import Level
from logyard_cli.colour import DIM, GREY, RED, RESET, YELLOW
from logyard_cli.table import width_of

__all__ = ["Rates", "sparkline", "status_line"]

WINDOW = 60
"""Seconds that are looked back on."""
_NOW = 3
"""Seconds over which the present rate is taken."""
_BARS = "▁▂▃▄▅▆▇█"
_KINDS = ("error", "warn", "info", "debug", "other")
_COLOURS = {"error": RED, "warn": YELLOW, "info": "", "debug": DIM, "other": ""}


def kind_of(level: Level | None) -> str:
    """The group in which a severity is counted."""
    if level is None:
        return "other"
    if level <= Level.ERROR:
        return "error"
    if level == Level.WARN:
        return "warn"
    return "info" if level <= Level.INFO else "debug"


_KIND_OF = {level: kind_of(level) for level in (None, *Level)}


class Rates:
    """Counts by severity for each of the last `WINDOW` seconds. Time comes in as an argument, in seconds."""

    def __init__(self, now: float) -> None:
        self._second = int(now)
        self._counts: dict[str, deque[int]] = {kind: deque([0], maxlen=WINDOW + 1) for kind in _KINDS}

    def add(self, levels: Iterable[Level | None], now: float) -> None:
        """Count records that come now."""
        self._turn(now)
        for level in levels:
            self._counts[_KIND_OF[level]][-1] += 1

    def seconds(self, kind: str, now: float) -> list[int]:
        """What came in each whole second, the oldest first; the second that is running is left out."""
        self._turn(now)
        return list(self._counts[kind])[:-1]

    def _turn(self, now: float) -> None:
        passed = int(now) - self._second
        if passed > 0:
            self._second += passed
            for counts in self._counts.values():
                counts.extend([0] * min(passed, WINDOW + 1))


def sparkline(counts: Sequence[int], width: int) -> str:
    """Counts as ``width`` bars, the newest at the right; where a bar stands for several seconds, their mean."""
    if not counts or width < 1:
        return ""
    step = -(-len(counts) // width)
    start = len(counts) % step
    groups = [counts[max(0, at) : at + step] for at in range(start - step if start else 0, len(counts), step)]
    means = [sum(group) / len(group) for group in groups]
    most = max(means) or 1.0
    top = len(_BARS) - 1
    return "".join(_BARS[ceil(mean / most * top)] for mean in means).rjust(width, _BARS[0])


def status_line(rates: Rates, now: float, columns: int, *, colour: bool, notes: str = "") -> str:
    """The line, at most ``columns`` wide.

    Args:
        notes: said beside the rates, such as ``2 dropped``.
    """
    seconds = {kind: rates.seconds(kind, now) for kind in _KINDS}
    total = [sum(counts) for counts in zip(*seconds.values(), strict=True)]
    wide = columns >= 100
    pieces = [(f"{_rate(total)} {sparkline(total, 30 if wide else 15)}", "")]
    if notes:
        pieces.append((notes, YELLOW))
    for kind in _KINDS:
        if any(seconds[kind]):
            name = "no level" if kind == "other" else kind
            pieces.append(
                (f"{name} {_rate(seconds[kind])} {sparkline(seconds[kind], 8 if wide else 5)}", _COLOURS[kind])
            )
    line, used = "", 0
    for text, shade in pieces:
        gap = "  " if used else ""
        if used + len(gap) + width_of(text) > columns:
            break
        used += len(gap) + width_of(text)
        line += f"{gap}{shade or GREY}{text}{RESET}" if colour else gap + text
    return line


def _rate(counts: Sequence[int]) -> str:
    last = counts[-_NOW:]
    rate = sum(last) / len(last) if last else 0.0
    return f"{rate:,.0f}/s" if rate >= 10 or not rate else f"{rate:.1f}/s"
