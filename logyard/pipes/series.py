"""A table over time turned sideways: a row for each bucket, a column for each group. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from logyard.pipes.buckets import Buckets
from logyard.pipes.table import Cell, Column, Role, Table
from logyard.pipes.values import sort_key, text_of

__all__ = ["MOST_SERIES", "OTHERS", "Series", "as_series"]

MOST_SERIES = 8
OTHERS = "others"
MISSING = "-"


@dataclass(frozen=True, slots=True)
class Series:
    """Values over time.

    Attributes:
        starts: when each bucket begins, without gaps.
        names: of the series.
        values: for each series one for each bucket; None where nothing was measured.
        column: what was measured.
        by: what the series are groups of, "" for a single one.
    """

    starts: list[int]
    names: list[str]
    values: list[list[float | None]]
    column: Column
    by: str = ""

    @property
    def totals(self) -> list[float]:
        """Over all series, for each bucket."""
        return [sum(value or 0 for value in column) for column in zip(*self.values, strict=True)]


def as_series(
    table: Table,
    buckets: Buckets,
    *,
    most: int = MOST_SERIES,
    window: tuple[int, int] | None = None,
    value: int | None = None,
) -> Series | None:
    """The series in a table with a column of times.

    Beyond ``most`` series the largest are kept, and the rest are added up as `OTHERS` where adding them up means
    something, else left out.

    Args:
        window: first and last time to show; by default those of the table.
        value: position of the column to show; the first one of values by default.

    Returns:
        None when the table has no column of times or no values.
    """
    times, groups, values = (table.of_role(role) for role in (Role.TIME, Role.GROUP, Role.VALUE))
    if not times or not values:
        return None
    at, measured = times[0], values[0] if value is None else value
    column = table.columns[measured]
    found: dict[tuple[Cell, ...], dict[int, float]] = defaultdict(dict)
    for row in table.rows:
        start, number = row[at], row[measured]
        if isinstance(start, int) and isinstance(number, int | float):
            found[tuple(row[group] for group in groups)][start] = number
    seen = sorted({start for points in found.values() for start in points})
    first, last = (buckets.start(window[0]), buckets.start(window[1])) if window else (0, -1)
    if seen:
        first, last = (min(first, seen[0]), max(last, seen[-1])) if window else (seen[0], seen[-1])
    starts = buckets.between(first, last) if first <= last else []
    kept, rest = _largest(found, most, additive=column.additive)
    empty = 0 if column.additive else None
    lines: list[list[float | None]] = [[found[key].get(start, empty) for start in starts] for key in kept]
    names = [name_of(key, column) for key in kept]
    if rest and column.additive:
        names.append(f"{OTHERS} ({len(rest)})")
        lines.append([sum(found[key].get(start, 0) for key in rest) for start in starts])
    if not lines:
        names, lines = [column.name], [[empty] * len(starts)]
    return Series(starts, names, lines, column, " ".join(table.columns[group].name for group in groups))


def name_of(key: Sequence[Cell], column: Column) -> str:
    """What a series is called."""
    return " ".join(MISSING if cell is None else text_of(cell) for cell in key) if key else column.name


def _largest(
    found: dict[tuple[Cell, ...], dict[int, float]], most: int, *, additive: bool
) -> tuple[list[tuple[Cell, ...]], list[tuple[Cell, ...]]]:
    """The series that are shown, in their natural order, and the rest."""
    natural = sorted(found, key=lambda key: tuple(map(sort_key, key)))
    if len(natural) <= most:
        return natural, []
    weight = sum if additive else max
    order = sorted(natural, key=lambda key: -weight(found[key].values()))
    shown = set(order[:most])
    return [key for key in natural if key in shown], [key for key in natural if key not in shown]
