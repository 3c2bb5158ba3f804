"""Tables that pipes give, as people and programs want them. Pure: a table in, text out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

import orjson

from logyard.pipes.buckets import DAY, SECOND, Buckets
from logyard.pipes.series import Series, as_series
from logyard.pipes.table import Cell, Column, Role, Table
from logyard.pipes.values import Unit, text_of
from logyard_cli.colour import DIM
from logyard_cli.table import Cell as Shown
from logyard_cli.table import table as aligned
from logyard_cli.table import width_of
from logyard_cli.units import duration, size
from logyard_cli.visible import visible, visible_json

__all__ = [
    "TABLE_OUTPUTS", "Look", "clock_text", "cut", "encode_rows", "number_texts", "pretty_table", "shown_name", "stamp",
]  # fmt: skip

TABLE_OUTPUTS = ("pretty", "json", "csv", "logfmt")
MISSING = "-"
_MINUTE = 60 * SECOND
_QUOTED = re.compile(r'[",\r\n]')
_PLAIN_VALUE = re.compile(r'[^\s"=\\\x00-\x1f\x7f]+')
_NARROWEST = 8


@dataclass(frozen=True, slots=True)
class Look:
    """How a table is drawn.

    Attributes:
        colour: whether with colours.
        zone: of its times; None for the machine's.
        width: columns of the terminal; 0 where lines may be as long as they like.
        buckets: of the table's times, None when it has none.
        window: first and last time that the table stands for, None when only its rows tell.
    """

    colour: bool = False
    zone: tzinfo | None = UTC
    width: int = 0
    buckets: Buckets | None = None
    window: tuple[int, int] | None = None


def _at(moment: int, zone: tzinfo | None) -> datetime:
    second = min(max(moment // SECOND, 0), 253402300799 - DAY // SECOND)
    return datetime.fromtimestamp(second, zone) if zone else datetime.fromtimestamp(second).astimezone()


def clock_text(moments: Sequence[int], width: int, zone: tzinfo | None) -> list[str]:
    """Beginnings of buckets for eyes: no more of the clock than buckets of that width (ns) need, the date only where
    they span several days."""
    local = [_at(moment, zone) for moment in moments]
    if width % DAY == 0:
        return [f"{one:%Y-%m-%d}" for one in local]
    dated = len({one.date() for one in local}) > 1
    fine = "%H:%M" if width % _MINUTE == 0 else "%H:%M:%S"
    texts = [one.strftime(f"%Y-%m-%d {fine}" if dated else fine) for one in local]
    if width % SECOND:
        return [f"{text}.{moment % SECOND // 1_000_000:03d}" for text, moment in zip(texts, moments, strict=True)]
    return texts


def stamp(moment: int, zone: tzinfo | None) -> str:
    """RFC 3339, with as many digits of a second as it needs."""
    local = _at(moment, zone)
    rest = moment % SECOND
    fraction = f".{rest:09d}" if rest else ""
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    ahead = local.strftime("%z")
    return f"{local:%Y-%m-%dT%H:%M:%S}{fraction}{'Z' if ahead in {'+0000', ''} else f'{ahead[:3]}:{ahead[3:]}'}"


def number_texts(values: Sequence[Cell], unit: Unit) -> list[str]:
    """Numbers of one column for eyes: alike in their digits, with separators, with their unit."""
    if unit is Unit.SECONDS:
        return [_each(value, duration) for value in values]
    if unit is Unit.BYTES:
        return [_each(value, size) for value in values]
    found = [value for value in values if isinstance(value, int | float)]
    largest = max((abs(value) for value in found), default=0)
    whole = all(isinstance(value, int) or value.is_integer() for value in found)
    digits = 0 if whole else 1 if largest >= 100 else 2 if largest >= 1 else 4
    percent = " %" if unit is Unit.PERCENT else ""
    return [_each(value, lambda number: f"{number:,.{digits}f}{percent}") for value in values]


def _each(value: Cell, text: Callable[[float], str]) -> str:
    return text(value) if isinstance(value, int | float) else MISSING if value is None else value


def shown_name(column: Column) -> str:
    """A column's head."""
    return column.name


def pretty_table(table: Table, look: Look) -> str:
    """For eyes: columns aligned; over time a column for each group, if they fit. Safe for a terminal."""
    if look.buckets is not None:
        # Six more than a chart has: a table is read number by number.
        series = as_series(table, look.buckets, most=14, window=look.window)
        groups, values = table.of_role(Role.GROUP), table.of_role(Role.VALUE)
        if series is not None and len(groups) == 1 and len(values) == 1:
            text = _sideways(series, table.columns[groups[0]].name, look)
            if not look.width or max(map(_printed_width, text.splitlines()), default=0) <= look.width:
                return text
        elif series is not None and not groups and len(values) == 1 and series.column.additive:
            return _sideways(series, "", look)
    return _long(table, look)


_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def _printed_width(line: str) -> int:
    return width_of(_ESCAPE.sub("", line))


def _sideways(series: Series, by: str, look: Look) -> str:
    assert look.buckets is not None
    heads = ["time", *_unique(series.names, {"time", "total"})]
    columns = list(series.values)
    unit = series.column.unit
    if series.column.additive and len(columns) > 1:
        heads.append("total")
        columns.append(list(series.totals))
    texts = [number_texts(column, unit) for column in columns]
    rows: list[list[str | Shown]] = []
    for at, moment in enumerate(clock_text(series.starts, look.buckets.width, look.zone)):
        rows.append([moment, *(_dimmed(column[at]) for column in texts)])
    drawn = aligned(heads, rows, right=heads[1:], colour=look.colour)
    # The numbers above a column alone do not say what they are numbers of.
    title = f"{series.column.name} by {by}" if by else ""
    return f"{visible(title)}\n{drawn}" if title else drawn


def _dimmed(text: str) -> Shown:
    return Shown(text, DIM if text in {"0", MISSING} else "")


def _unique(names: Sequence[str], taken: set[str]) -> list[str]:
    found = []
    for name in names:
        unique = name
        number = 2
        while unique in taken:
            unique = f"{name} ({number})"
            number += 1
        taken.add(unique)
        found.append(unique)
    return found


def _long(table: Table, look: Look) -> str:
    columns = [_texts(column, [row[at] for row in table.rows], look) for at, column in enumerate(table.columns)]
    heads = _unique([shown_name(column) for column in table.columns], set())
    right = [
        head
        for at, (head, column) in enumerate(zip(heads, table.columns, strict=True))
        if column.role is Role.VALUE or (column.role is Role.GROUP and _all_numbers(table.rows, at))
    ]
    if look.width:
        _shrink(heads, columns, table.columns, look.width)
    rows = [list(row) for row in zip(*columns, strict=True)] if table.rows else []
    return aligned(heads, rows, right=right, colour=look.colour)


def _all_numbers(rows: Sequence[Sequence[Cell]], at: int) -> bool:
    kinds = {type(row[at]) for row in rows} - {type(None)}
    return bool(kinds) and kinds <= {int, float}


def _texts(column: Column, values: Sequence[Cell], look: Look) -> list[str]:
    if column.role is Role.TIME:
        moments = [value for value in values if isinstance(value, int)]
        if look.buckets is not None and len(moments) == len(values):
            return clock_text(moments, look.buckets.width, look.zone)
        return [stamp(value, look.zone) if isinstance(value, int) else MISSING for value in values]
    if column.role is Role.VALUE:
        return number_texts(values, column.unit)
    return [MISSING if value is None or value == "" else visible(text_of(value)) for value in values]


def _shrink(heads: Sequence[str], columns: list[list[str]], kinds: Sequence[Column], width: int) -> None:
    """Cut the texts of the widest columns until rows fit."""
    widths = [max([width_of(head), *map(width_of, texts)]) for head, texts in zip(heads, columns, strict=True)]
    surplus = sum(widths) + 2 * (len(widths) - 1) - width
    while surplus > 0:
        at = max((at for at, kind in enumerate(kinds) if kind.role is Role.GROUP), key=widths.__getitem__, default=None)
        if at is None or widths[at] <= max(_NARROWEST, width_of(heads[at])):
            return
        second = max((wide for other, wide in enumerate(widths) if other != at and kinds[other].role is Role.GROUP),
                     default=0)  # fmt: skip
        room = max(widths[at] - surplus, min(second, widths[at] - 1), _NARROWEST, width_of(heads[at]))
        surplus -= widths[at] - room
        widths[at] = room
        columns[at] = [cut(text, room) for text in columns[at]]


def cut(text: str, width: int) -> str:
    """``text`` in no more than ``width`` columns of a terminal, ``…`` where something is missing."""
    if width_of(text) <= width:
        return text
    kept = text[: max(0, width - 1)]
    while kept and width_of(kept) > width - 1:
        kept = kept[:-1]
    return f"{kept}…"


def encode_rows(
    columns: Sequence[Column],
    rows: Iterable[Sequence[Cell]],
    output: str,
    zone: tzinfo | None,
    *,
    head: bool = True,
    terminal: bool = False,
) -> list[str]:
    """Rows for programs, each with its line end.

    Args:
        output: ``json`` (an object a line), ``csv`` (RFC 4180 but for its line ends, which are
            those of Unix; with a line of names unless ``head`` is false) or
            ``logfmt`` (what is missing is left out).
        terminal: unsafe characters of values are shown or escaped.
    """
    names = [column.name for column in columns]
    times = [at for at, column in enumerate(columns) if column.role is Role.TIME]
    plain = (_stamped(row, times, zone) for row in rows) if times else rows
    if output == "json":
        texts = [_json(dict(zip(names, row, strict=True))) + "\n" for row in plain]
        return list(map(visible_json, texts)) if terminal else texts
    if output == "csv":
        texts = [_csv(names)] if head else []
        texts += map(_csv, plain)
    else:
        texts = [" ".join(_pair(name, value) for name, value in zip(names, row, strict=True) if value is not None)
                 for row in plain]  # fmt: skip
    return [f"{visible(text) if terminal else text}\n" for text in texts]


def _stamped(row: Sequence[Cell], times: Sequence[int], zone: tzinfo | None) -> list[Cell]:
    out = list(row)
    for at in times:
        value = out[at]
        if isinstance(value, int):
            out[at] = stamp(value, zone)
    return out


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a number beyond 64 bits, or half a surrogate pair
        import json

        return json.dumps(value)


def _csv(values: Sequence[Cell]) -> str:
    return ",".join(_csv_field(text_of(value)) for value in values)


def _csv_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _pair(name: str, value: Cell) -> str:
    text = text_of(value)
    return f"{name}={text if _PLAIN_VALUE.fullmatch(text) else _json(text)}"
