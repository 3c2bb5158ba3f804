"""Values of fields as pipes see them: what they are grouped by, what they count as, how they are sorted. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum

import orjson

from logyard.filters.units import written_quantity

__all__ = ["Group", "Unit", "groupable", "grouped", "numbers", "sort_key", "text_of"]

Group = int | str | None
"""What records are grouped by: whole numbers (also where they were written as text: ``3`` and ``"3"`` are one group),
texts, or None where the field is missing."""


class Unit(Enum):
    """What a number means."""

    NONE = ""
    SECONDS = "s"
    BYTES = "B"
    PERCENT = "%"


_WHOLE = re.compile(r"-?[1-9][0-9]{0,17}|0")
_PLAIN_NUMBERS = frozenset({int, float})
_LARGEST = 1.7e308


def grouped(value: object) -> Group:
    """The group that a record with this value belongs to."""
    if type(value) is str:
        return int(value) if _WHOLE.fullmatch(value) else value
    if type(value) is int or value is None:
        return value
    if type(value) is bytes:
        return grouped(value.decode("utf-8", "backslashreplace"))
    return grouped(_written(value))


def _written(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return str(value)


def groupable(column: Sequence[object]) -> Sequence[object]:
    """``column`` with values that are equal only if `grouped` gives the same for them, and that can be hashed.

    Mostly the column itself: looking at the types is many times cheaper than at each value.
    """
    types = set(map(type, column))
    types.discard(type(None))
    if len(types) > 1 or not types <= {int, str}:
        return list(map(grouped, column))
    return column


def numbers(column: Iterable[object]) -> tuple[list[float], Unit]:
    """The numbers among the values, in order, and what they mean: that of the first text with a unit.

    Texts count as the number they begin with if nothing but a unit of time or size follows (``"250ms"`` is 0.25 s,
    ``"10KiB"`` is 10,240 B). Everything else is no number, true and false included.
    """
    values = list(column)
    types = set(map(type, values))
    if types <= _PLAIN_NUMBERS:
        return [value for value in values if -_LARGEST <= value <= _LARGEST], Unit.NONE  # type: ignore[operator, misc]
    found: list[float] = []
    unit = Unit.NONE
    for value in values:
        kind = type(value)
        if kind is int or kind is float:
            if -_LARGEST <= value <= _LARGEST:  # type: ignore[operator]
                found.append(value)  # type: ignore[arg-type]
        elif kind is str:
            measured = _measure(value)  # type: ignore[arg-type]
            if measured is not None:
                number, meaning = measured
                found.append(number)
                if unit is Unit.NONE:
                    unit = meaning
    return found, unit


def _measure(text: str) -> tuple[float, Unit] | None:
    written = written_quantity(text)
    if written is None:
        return None
    value, kind, _ = written
    if not -_LARGEST <= value <= _LARGEST:
        return None
    if kind == "time":
        return value / 1e9, Unit.SECONDS
    return value, Unit.BYTES if kind == "size" else Unit.NONE


def text_of(value: object) -> str:
    """A value as it is written where everything is text: "" for none, floats with as many digits as they need."""
    if value is None:
        return ""
    if type(value) is float:
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return value if type(value) is str else str(value) if type(value) is int else _written(value)


def sort_key(value: object) -> tuple[int, float, str]:
    """Orders any values: numbers by size, then texts, then what is missing."""
    kind = type(value)
    if kind is int or kind is float:
        return 0, value, ""  # type: ignore[return-value]
    return (2, 0, "") if value is None else (1, 0, text_of(value))
