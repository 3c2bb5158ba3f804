"""What follows a filter: ``| count by app every 1m``. Only what was asked for; nothing here counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from logyard.filters.tree import FieldPath

__all__ = ["FUNCTIONS", "PIPES", "Context", "Count", "Fields", "Function", "Limit", "Pipe", "Sort", "Stats", "Top"]

PIPES = ("count", "stats", "top", "fields", "context", "sort", "limit")
FUNCTIONS = ("count", "sum", "avg", "min", "max", "median", "uniq", "p50", "p90", "p95", "p99")
"""Functions of ``stats``; of percentiles those that people ask for, though any from p0 to p100 works."""


@dataclass(frozen=True, slots=True)
class Count:
    """``| count [by FIELD, ...] [every DURATION]``; ``every_ns`` None: over all time."""

    by: tuple[FieldPath, ...] = ()
    every_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """A column of ``stats``.

    Attributes:
        name: ``count``, ``sum``, ``avg``, ``min``, ``max``, ``uniq`` or ``percentile`` (also for ``median``).
        field: what it is computed of; None for ``count()``, which counts records (with a field: those that have it).
        argument: which percentile, 0 to 100 (50 for the median); None for all others.
        as_name: the column's name: what stands behind ``as``, else as it was written (``p95(duration)``).
    """

    name: str
    field: FieldPath | None
    argument: float | None
    as_name: str


@dataclass(frozen=True, slots=True)
class Stats:
    """``| stats FUNCTION [as NAME], ... [by FIELD, ...] [every DURATION]``."""

    functions: tuple[Function, ...]
    by: tuple[FieldPath, ...] = ()
    every_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Top:
    """``| top N FIELD``: the most frequent values."""

    n: int
    field: FieldPath


@dataclass(frozen=True, slots=True)
class Fields:
    """``| fields FIELD, ...``: only these."""

    names: tuple[FieldPath, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """``| context N`` or ``| context BEFORE AFTER``: records of the same stream around each that passes."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Sort:
    """``| sort by COLUMN [asc|desc]``: the rows of the pipe before it; ``column`` is a name as the table shows it."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """``| limit N``: the first N rows, or records."""

    count: int


Pipe: TypeAlias = Count | Stats | Top | Fields | Context | Sort | Limit
