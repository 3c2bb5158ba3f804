"""Numbers with units of time and size, as filters and records write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["Quantity", "duration_ns", "field_factor", "plain_number", "quantity", "written_quantity"]

Kind = Literal["plain", "time", "size"]

_TIME = {
    "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000,
    "h": 3_600_000_000_000, "d": 86_400_000_000_000,
}  # fmt: skip
_SIZE = {"b": 1} | {
    letter + ending: base**power
    for power, letter in enumerate("kmgtp", 1)
    for ending, base in (("b", 1000), ("ib", 1024))
}
_NAMES = {"sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "minutes": "m", "hours": "h", "days": "d",
          "millis": "ms", "milliseconds": "ms", "micros": "us", "microseconds": "us", "nanos": "ns",
          "nanoseconds": "ns"}  # fmt: skip
"""How names of fields spell units of time beside the units themselves."""

_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_PLAIN = re.compile(_NUMBER + r"(?:[eE][-+]?[0-9]+)?")
_ONE = re.compile(rf"({_NUMBER})([A-Za-zµμ]+)")
_MORE = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|μs|ms|s|m|h|d))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|μs|ms|s|m|h|d)")
_LONG = 400
"""Digits from which a number is read as a float: reading longer ones exactly takes quadratic time."""
_ENDING = re.compile(r".*_([A-Za-z]+)|.*[a-z](Ns|Us|Ms|Millis|Seconds|Bytes|Kb|Mb|Gb)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a filter.

    Attributes:
        value: in nanoseconds for a time, in bytes for a size.
        kind: what it measures.
        scale: what its unit counts, in nanoseconds or bytes; 1 for a plain number.
        text: as it was written.
    """

    value: int | float
    kind: Kind
    scale: int
    text: str


def plain_number(text: str) -> int | float | None:
    """The number that ``text`` is (no unit, no white space), None when it is none."""
    if _PLAIN.fullmatch(text) is None:
        return None
    return int(text) if len(text) < _LONG and not set(text) & set(".eE") else float(text)


def written_quantity(text: str) -> tuple[int | float, Kind, int] | None:
    """Value, kind and scale of a number with or without a unit; times may have several parts: ``1m30s``."""
    number = plain_number(text)
    if number is not None:
        return number, "plain", 1
    found = _ONE.fullmatch(text)
    if found is not None:
        number = plain_number(found[1])
        assert number is not None
        factor = _TIME.get(found[2])
        if factor is not None:
            return number * factor, "time", factor
        factor = _SIZE.get(found[2].lower())
        return None if factor is None else (number * factor, "size", factor)
    if _MORE.fullmatch(text) is None:
        return None
    total: int | float = 0
    factor = 1
    for digits, unit in _PART.findall(text):
        factor = _TIME[unit]
        total += (plain_number(digits) or 0) * factor
    return (-total if text[0] == "-" else total), "time", factor


def quantity(text: str) -> Quantity:
    """A filter's number.

    Raises:
        ValueError: it is none; the text says why.
    """
    found = written_quantity(text)
    if found is not None:
        return Quantity(*found, text)
    unit = _ONE.fullmatch(text)
    if unit is not None:
        raise ValueError(f"{unit[2]} is no unit: expected one of time (ns us ms s m h d) or size (B KB KiB MB MiB ...)")
    raise ValueError(f"{text} is not a number")


def duration_ns(text: str) -> int | None:
    """A filter's or pipe's duration, ``1m`` or ``1m30s``; None when it is none."""
    found = written_quantity(text)
    return int(found[0]) if found is not None and found[1] == "time" else None


def field_factor(name: str, kind: Kind) -> int | None:
    """What a number in the field of that name counts, in nanoseconds or bytes, when the name ends in a unit.

    ``duration_ms``, ``elapsedMs``, ``latency_seconds``, ``size_kb``, ``heap_bytes``.
    """
    found = _ENDING.fullmatch(name)
    if found is None:
        return None
    unit = (found[1] or found[2]).lower()
    if kind == "time":
        return _TIME.get(_NAMES.get(unit, unit))
    return 1 if unit == "bytes" else _SIZE.get(unit)
