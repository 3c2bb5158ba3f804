"""What is computed of the records of a group, fed with lists of values. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from logyard.filters.pipes import Function
from logyard.pipes.distinct import Distinct
from logyard.pipes.quantiles import Quantiles
from logyard.pipes.table import Cell
from logyard.pipes.values import Unit, grouped, numbers

__all__ = ["Different", "Numbers", "Present"]


class Numbers:
    """Sum, smallest, largest and, where wanted, percentiles of numbers."""

    __slots__ = ("count", "high", "low", "quantiles", "total", "unit")

    def __init__(self, *, quantiles: bool) -> None:
        self.count = 0
        self.total: float = 0
        self.low = math.inf
        self.high = -math.inf
        self.unit = Unit.NONE
        self.quantiles = Quantiles() if quantiles else None

    @property
    def size(self) -> int:
        return 0 if self.quantiles is None else self.quantiles.size

    def add(self, column: Sequence[object]) -> None:
        """More values; what is no number is passed over."""
        found, unit = numbers(column)
        if not found:
            return
        if self.unit is Unit.NONE:
            self.unit = unit
        self.count += len(found)
        self.total += sum(found)
        low, high = min(found), max(found)
        self.low, self.high = min(self.low, low), max(self.high, high)
        if self.quantiles is not None:
            self.quantiles.add(found)

    def merge(self, other: Numbers) -> None:
        """Add all numbers of ``other``."""
        if self.unit is Unit.NONE:
            self.unit = other.unit
        self.count += other.count
        self.total += other.total
        self.low = min(self.low, other.low)
        self.high = max(self.high, other.high)
        if self.quantiles is not None and other.quantiles is not None:
            self.quantiles.merge(other.quantiles)

    def result(self, function: Function) -> Cell:
        """What ``function`` gives for them; None when there are none."""
        if not self.count:
            return None
        if function.name == "sum":
            return self.total
        if function.name == "avg":
            return self.total / self.count
        if function.name == "min":
            return self.low
        if function.name == "max":
            return self.high
        assert self.quantiles is not None, function
        assert function.argument is not None, function
        return self.quantiles.at(function.argument / 100)


class Present:
    """How many records have a field."""

    __slots__ = ("count",)
    size = 0
    unit = Unit.NONE

    def __init__(self) -> None:
        self.count = 0

    def add(self, column: Sequence[object]) -> None:
        self.count += len(column) - sum(1 for value in column if value is None)

    def merge(self, other: Present) -> None:
        self.count += other.count

    def result(self, function: Function) -> Cell:
        del function
        return self.count


class Different:
    """How many different values a field has."""

    __slots__ = ("values",)
    unit = Unit.NONE

    def __init__(self) -> None:
        self.values = Distinct()

    @property
    def size(self) -> int:
        return self.values.size

    def add(self, column: Sequence[object]) -> None:
        self.values.add(map(grouped, column))

    def merge(self, other: Different) -> None:
        self.values.merge(other.values)

    def result(self, function: Function) -> Cell:
        del function
        return self.values.count
