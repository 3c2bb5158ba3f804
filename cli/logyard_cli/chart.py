"""Plots in a terminal: bars over time, one colour a series, and bars side by side. Pure: numbers in, lines out.

With colours a cell of the screen is divided into eighths, and two series can share one. Without, each series has a
fill character of its own. In a terminal that has no more than ASCII nothing else is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import pairwise

from logyard.derive.severity import Level, level_value
from logyard.pipes.buckets import DAY, SECOND, Buckets
from logyard.pipes.series import OTHERS, Series
from logyard.pipes.table import Role, Table
from logyard.pipes.values import text_of
from logyard_cli.colour import BOLD, DIM, RESET
from logyard_cli.table import width_of
from logyard_cli.tables import MISSING, cut, number_texts, stamp
from logyard_cli.visible import visible

__all__ = ["Canvas", "draw_bars", "draw_series"]

# Of the colours with contrast on dark and light grounds, neighbours far apart in hue; the last is for the rest.
_COLOURS = (32, 166, 64, 168, 98, 30, 137, 69)
_REST = 244
_LEVELS = {
    Level.EMERGENCY: 89, Level.ALERT: 125, Level.CRITICAL: 161, Level.ERROR: 167, Level.WARN: 178, Level.NOTICE: 30,
    Level.INFO: 32, Level.DEBUG: 244, Level.TRACE: 240,
}  # fmt: skip
_FILLS = "█░▓▒#o=+"
_ASCII_FILLS = "#=o+x*%@"
_REST_FILL = "."
_LOWER = " ▁▂▃▄▅▆▇█"
_EIGHTHS = 8
_TALLEST = 20
_WIDEST = 8
_STRIP = 3
_TOGETHER = (1, 2, 5, 10, 15, 30, 60, 120, 240, 360, 720, 1440)
"""How many buckets are joined where there are more of them than columns."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """Where and how is drawn.

    Attributes:
        columns, lines: room.
        colour: whether with colours.
        ascii: whether with ASCII alone.
        zone: of the times; None for the machine's.
    """

    columns: int = 80
    lines: int = 24
    colour: bool = False
    ascii: bool = False
    zone: tzinfo | None = None

    @property
    def axis(self) -> tuple[str, str, str, str]:
        """Line down, line across, corner, mark."""
        return ("|", "-", "+", "+") if self.ascii else ("│", "─", "└", "┤")

    def paint(self, text: str, code: str) -> str:
        """``text`` with an escape sequence before it, and the end of it behind."""
        return f"{code}{text}{RESET}" if self.colour and text else text


@dataclass(frozen=True, slots=True)
class _Ink:
    """How a series is drawn."""

    number: int
    fill: str = ""

    @property
    def front(self) -> str:
        return f"\x1b[38;5;{self.number}m"

    @property
    def back(self) -> str:
        return f"\x1b[48;5;{self.number}m"


def _severities(names: Sequence[str]) -> list[int] | None:
    """The colours of severities, if that is what all names are, but for those of records without one."""
    levels = [level_value(name) if name.isalpha() and len(name) > 1 else None for name in names]
    if all(level is None for level in levels):
        return None
    if any(level is None and name != MISSING for level, name in zip(levels, names, strict=True)):
        return None
    return [_REST if level is None else _LEVELS[level] for level in levels]


def _inks(names: Sequence[str], canvas: Canvas) -> list[_Ink]:
    fills = _ASCII_FILLS if canvas.ascii else _FILLS
    numbers = _severities(names) or [_COLOURS[at % len(_COLOURS)] for at in range(len(names))]
    inks = [_Ink(number, fills[at % len(fills)]) for at, number in enumerate(numbers)]
    if names and names[-1].startswith(f"{OTHERS} ("):
        inks[-1] = _Ink(_REST, _REST_FILL)
    return inks


def draw_series(series: Series, buckets: Buckets, canvas: Canvas) -> list[str]:
    """Bars over time: stacked where values add up, else a strip for each series, all with the same scale.

    Returns:
        Lines no wider than the canvas.
    """
    if not series.starts:
        return ["nothing to plot"]
    inks = _inks(series.names, canvas)
    stacked = series.column.additive or len(series.names) == 1
    highest = max(series.totals) if stacked else max((v for line in series.values for v in line if v), default=0)
    if series.column.additive and any(value is not None and value < 0 for line in series.values for value in line):
        return ["sums below zero cannot be stacked; see the table"]
    legend = _legend(series, inks, canvas)
    room = max(_STRIP, min(_TALLEST, canvas.lines - len(legend) - 4)) if stacked else canvas.lines - 5
    ticks = _ticks(highest, max(1, min(5, room // 3)), whole=all(_whole(line) for line in series.values))
    labels = number_texts(ticks, series.column.unit)
    left = max(map(width_of, labels)) + 1
    spread = _Spread.over(series, max(8, canvas.columns - left - 2), buckets)
    top = ticks[-1] or 1
    title = f"{series.column.name}{f' by {series.by}' if series.by else ''}, {spread.width_text}"
    lines = [canvas.paint(cut(visible(title), canvas.columns), BOLD)]
    if stacked:
        lines += _plot(spread, spread.values, inks, top, room, list(zip(ticks, labels, strict=True)), left, canvas)
    else:
        height = max(_STRIP, min(_TALLEST, room // len(inks) - 1))
        for name, line, ink in zip(series.names, spread.values, inks, strict=True):
            lines.append(" " * (left + 1) + canvas.paint(cut(visible(name), canvas.columns - left - 1), ink.front))
            marks = [(0, labels[0]), (top, labels[-1])]
            lines += _plot(spread, [line], [ink], top, height, marks, left, canvas)
    lines += spread.axis(left, canvas)
    return [*lines, *legend] if stacked else lines


def _whole(line: Sequence[float | None]) -> bool:
    return all(value is None or float(value).is_integer() for value in line)


@dataclass(frozen=True, slots=True)
class _Spread:
    """Buckets spread over the columns of the screen."""

    starts: list[int]
    values: list[list[float | None]]
    edges: list[int]
    """Where each bar begins, and where the last one ends; they differ by one column at most."""
    gap: int
    width_text: str
    width: int

    @classmethod
    def over(cls, series: Series, columns: int, buckets: Buckets) -> _Spread:
        number = len(series.starts)
        needed = math.ceil(number / columns)
        together = next((round_ for round_ in _TOGETHER if round_ >= needed), needed)
        starts = series.starts[::together]
        values = [
            [_joined(line[at : at + together], series.column.additive) for at in range(0, number, together)]
            for line in series.values
        ]
        each = min(_WIDEST, columns / len(starts))
        edges = [round(at * each) for at in range(len(starts) + 1)]
        gap = 1 if each >= 3 else 0
        text = f"every {_width_text(buckets.width)}"
        if together > 1:
            joined = "added up" if series.column.additive else "their largest"
            text += f", {together} to a bar ({joined})"
        return cls(starts, values, edges, gap, text, buckets.width * together)

    def axis(self, left: int, canvas: Canvas) -> list[str]:
        """The line under the bars, and times below it."""
        _, across, corner, _ = canvas.axis
        wide = self.edges[-1]
        texts = _axis_texts(self.starts, self.width, canvas.zone)
        longest = max(map(len, texts))
        every = max(1, math.ceil((longest + 2) * len(self.starts) / wide))
        below = [" "] * (wide + longest)
        for at in range(0, len(self.starts), every):
            start = self.edges[at]
            if start + len(texts[at]) <= max(wide, longest):
                below[start : start + len(texts[at])] = texts[at]
        first = stamp(self.starts[0], canvas.zone)[:10]
        last = stamp(self.starts[-1], canvas.zone)[:10]
        days = first if first == last else f"{first} to {last}"
        pad = " " * (left + 1)
        lines = [
            " " * left + canvas.paint(corner + across * wide, DIM),
            (pad + "".join(below).rstrip())[: canvas.columns],
        ]
        if self.width % DAY:
            lines.append(canvas.paint(pad + days, DIM))
        return lines


def _width_text(width: int) -> str:
    for unit, length in (("d", DAY), ("h", 3600 * SECOND), ("m", 60 * SECOND), ("s", SECOND), ("ms", 1_000_000)):
        if width % length == 0:
            return f"{width // length}{unit}"
    return f"{width}ns"


def _axis_texts(starts: Sequence[int], width: int, zone: tzinfo | None) -> list[str]:
    texts = [stamp(start, zone) for start in starts]
    if width % DAY == 0:
        return [text[5:10] for text in texts]
    return [text[11:16] if width % (60 * SECOND) == 0 else text[11:19] for text in texts]


def _joined(values: Sequence[float | None], additive: bool) -> float | None:
    there = [value for value in values if value is not None]
    if not there:
        return None
    return sum(there) if additive else max(there)


def _plot(
    spread: _Spread,
    values: Sequence[Sequence[float | None]],
    inks: Sequence[_Ink],
    top: float,
    height: int,
    ticks: Sequence[tuple[float, str]],
    left: int,
    canvas: Canvas,
) -> list[str]:
    bars = [_stack([line[at] or 0 for line in values], top, height) for at in range(len(spread.starts))]
    down, _, _, mark = canvas.axis
    marked: dict[int, str] = {}
    for tick, text in ticks:
        row = round(tick / top * height) - 1
        if tick > 0:
            marked.setdefault(max(0, row), text)
    lines = []
    for row in range(height - 1, -1, -1):
        label = marked.get(row, "")
        edge = mark if label else down
        line = " " * (left - 1 - width_of(label)) + label + " "
        body = "".join(
            _cell(bar, row, inks, canvas, behind - edge - spread.gap) + " " * spread.gap
            for bar, (edge, behind) in zip(bars, pairwise(spread.edges), strict=True)
        )
        lines.append(line + canvas.paint(edge, DIM) + body.rstrip(" "))
    return lines


def _stack(values: Sequence[float], top: float, height: int) -> list[tuple[int, int, int]]:
    """Parts of a bar: series, first and last eighth. What is not zero shows."""
    parts = []
    begun, total = 0, 0.0
    for at, value in enumerate(values):
        if value <= 0:
            continue
        total += value
        end = min(height * _EIGHTHS, round(total / top * height * _EIGHTHS))
        if end == begun and begun == 0:
            end = 1
        if end > begun:
            parts.append((at, begun, end))
        begun = end
    return parts


def _cell(bar: Sequence[tuple[int, int, int]], row: int, inks: Sequence[_Ink], canvas: Canvas, each: int) -> str:
    low, high = row * _EIGHTHS, (row + 1) * _EIGHTHS
    parts = [(at, max(start, low) - low, min(end, high) - low) for at, start, end in bar if start < high and end > low]
    if not parts:
        return " " * each
    full = parts[-1][2]
    largest = max(parts, key=lambda part: part[2] - part[1])
    if not canvas.colour:
        single = len(inks) == 1 and not canvas.ascii
        if single:
            return _LOWER[full] * each
        return inks[largest[0]].fill * each if full >= _EIGHTHS // 2 or row == 0 else " " * each
    if canvas.ascii:
        return _painted("#", inks[largest[0]].front, each) if full >= _EIGHTHS // 2 or row == 0 else " " * each
    if len(parts) > 1 and full == _EIGHTHS:
        shown = sorted(sorted(parts, key=lambda part: part[1] - part[2])[:2])
        share = min(_EIGHTHS - 1, max(1, shown[0][2] if shown[0][1] == 0 else _EIGHTHS // 2))
        return _painted(_LOWER[share], inks[shown[0][0]].front + inks[shown[1][0]].back, each)
    return _painted(_LOWER[full], inks[largest[0]].front, each)


def _painted(char: str, code: str, each: int) -> str:
    return f"{code}{char * each}{RESET}"


def _ticks(highest: float, number: int, *, whole: bool) -> list[float]:
    """Round numbers from 0 to one that is not below ``highest``, about ``number`` steps."""
    if highest <= 0:
        return [0, 1]
    rough = highest / number
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    if whole:
        step = max(1, math.ceil(step))
    count = max(1, math.ceil(highest / step - 1e-9))
    return [at * step if not whole else round(at * step) for at in range(count + 1)]


def _legend(series: Series, inks: Sequence[_Ink], canvas: Canvas) -> list[str]:
    if len(series.names) == 1:
        return []
    totals: list[float | int | None] = [sum(value or 0 for value in line) for line in series.values]
    texts = number_texts(totals, series.column.unit) if series.column.additive else [""] * len(inks)
    lines, used = [""], 0
    for name, ink, text in zip(series.names, inks, texts, strict=True):
        shown = cut(visible(name), max(8, canvas.columns // 3))
        mark = canvas.paint("#" if canvas.ascii else "█", ink.front) if canvas.colour else ink.fill
        wide = 2 + width_of(shown) + (1 + len(text) if text else 0) + 3
        if used and used + wide - 3 > canvas.columns:
            lines.append("")
            used = 0
        lines[-1] += f"{mark} {shown}{' ' + canvas.paint(text, DIM) if text else ''}   "
        used += wide
    return ["", *(line.rstrip() for line in lines)]


def draw_bars(table: Table, canvas: Canvas) -> list[str]:
    """A bar across for each row, as long as its first value.

    Returns:
        Lines no wider than the canvas.
    """
    values = table.of_role(Role.VALUE)
    if not values or not table.rows:
        return ["nothing to plot"]
    at, groups = values[0], table.of_role(Role.GROUP)
    column = table.columns[at]
    room = max(1, canvas.lines - 3)
    rows = list(table.rows)
    names = [_row_name([row[group] for group in groups]) or column.name for row in rows]
    numbers = [row[at] if isinstance(row[at], int | float) else None for row in rows]
    if len(rows) > room:
        rest = numbers[room - 1 :]
        names, numbers = names[: room - 1], numbers[: room - 1]
        if column.additive:
            names.append(f"{OTHERS} ({len(rest):,})")
            numbers.append(sum(value for value in rest if isinstance(value, int | float)))
    colours = _severities(names) or [_COLOURS[0]] * len(names)
    if len(names) < len(rows) and column.additive:
        colours[-1] = _REST
    texts = number_texts(numbers, column.unit)
    label = min(max(map(width_of, names)), max(8, canvas.columns // 3))
    wide = max(4, canvas.columns - label - max(map(width_of, texts)) - 4)
    top = max((abs(value) for value in numbers if isinstance(value, int | float)), default=0) or 1
    heading = " ".join(
        [column.name, *(["by", " ".join(table.columns[group].name for group in groups)] if groups else [])]
    )
    lines = [canvas.paint(cut(visible(heading), canvas.columns), BOLD)]
    for name, number, text, colour in zip(names, numbers, texts, colours, strict=True):
        shown = cut(name, label)
        value = number if isinstance(number, int | float) else 0
        bar = canvas.paint(_across(value / top, wide, canvas), _Ink(colour).front)
        lines.append(f"{shown}{' ' * (label - width_of(shown))}  {bar}{' ' if bar else ''}{text}")
    return lines


def _row_name(cells: Sequence[object]) -> str:
    return " ".join(MISSING if cell is None or cell == "" else visible(text_of(cell)) for cell in cells)


def _across(share: float, wide: int, canvas: Canvas) -> str:
    # Not the full block: bars below each other would run into one.
    length = max(1, round(share * wide)) if share > 0 else 0
    return ("#" if canvas.ascii else "▇") * length
