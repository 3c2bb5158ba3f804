"""Percentiles of many numbers in little memory: exact while they are few, then within one percent. Pure.

The sketch is DDSketch (Masson, Rim, Lee: "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error
Guarantees", VLDB 2019): numbers are counted in buckets whose bounds grow by a constant factor, so that the answer is
off by at most `ACCURACY` of itself. What it says depends on the numbers alone, not on their order nor on how they
were spread over several sketches that are merged.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable

__all__ = ["ACCURACY", "EXACT", "Quantiles"]

EXACT = 1024
"""As many numbers are kept as they are."""
ACCURACY = 0.01
"""Relative error of the sketch."""
BINS = 1024
"""Bins on either side of zero: numbers of nine orders of magnitude. Of more, the smallest are taken together."""

_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_SCALE = 1 / math.log(_GAMMA)
_SMALLEST = 1e-300


class Quantiles:
    """Numbers, of which any percentile can be asked."""

    __slots__ = ("_exact", "_high", "_low", "_negative", "_positive", "_zeros", "count")

    def __init__(self) -> None:
        self.count = 0
        self._exact: array[float] | None = array("d")
        self._positive: Counter[int] = Counter()
        self._negative: Counter[int] = Counter()
        self._zeros = 0
        self._low = math.inf
        self._high = -math.inf

    @property
    def exact(self) -> bool:
        """Whether percentiles are exact."""
        return self._exact is not None

    @property
    def size(self) -> int:
        """Numbers or bins held."""
        return len(self._positive) + len(self._negative) if self._exact is None else len(self._exact)

    def add(self, numbers: Iterable[float]) -> None:
        """More of them; finite."""
        values = array("d", numbers)
        if not values:
            return
        self.count += len(values)
        if self._exact is not None:
            self._exact += values
            if self.count > EXACT:
                values, self._exact = self._exact, None
            else:
                return
        self._sketch(values)

    def _sketch(self, values: array[float]) -> None:
        low, high = min(values), max(values)
        self._low, self._high = min(self._low, low), max(self._high, high)
        log, scale, up = math.log, _SCALE, math.ceil
        if self._low > _SMALLEST:  # the usual case
            self._positive.update([up(log(value) * scale) for value in values])
        else:
            self._positive.update([up(log(value) * scale) for value in values if value > _SMALLEST])
            self._negative.update([up(log(-value) * scale) for value in values if value < -_SMALLEST])
            self._zeros += sum(1 for value in values if -_SMALLEST <= value <= _SMALLEST)
        _collapse(self._positive)
        _collapse(self._negative)

    def merge(self, other: Quantiles) -> None:
        """Add all numbers of ``other``."""
        if other._exact is not None:
            self.add(other._exact)
            return
        if self._exact is not None:
            values, self._exact = self._exact, None
            if values:
                self._sketch(values)
        self.count += other.count
        self._low, self._high = min(self._low, other._low), max(self._high, other._high)
        self._zeros += other._zeros
        self._positive.update(other._positive)
        self._negative.update(other._negative)
        _collapse(self._positive)
        _collapse(self._negative)

    def at(self, share: float) -> float | None:
        """The smallest number that at least ``share`` (0 to 1) of all are not larger than; None when there are none."""
        if not self.count:
            return None
        rank = max(1, math.ceil(share * self.count - 1e-9))
        if self._exact is not None:
            return sorted(self._exact)[rank - 1]
        return min(max(self._estimate(rank), self._low), self._high)

    def _estimate(self, rank: int) -> float:
        for at in sorted(self._negative, reverse=True):
            rank -= self._negative[at]
            if rank <= 0:
                return -_middle(at)
        rank -= self._zeros
        if rank <= 0:
            return 0.0
        for at in sorted(self._positive):
            rank -= self._positive[at]
            if rank <= 0:
                return _middle(at)
        return self._high


def _middle(at: int) -> float:
    """The number that is off by the same share from both bounds of the bin."""
    try:
        return float(2 * _GAMMA**at / (_GAMMA + 1))
    except OverflowError:
        return math.inf


def _collapse(bins: Counter[int]) -> None:
    surplus = len(bins) - BINS
    if surplus <= 0:
        return
    order = sorted(bins)
    kept = order[surplus]
    for at in order[:surplus]:
        bins[kept] += bins.pop(at)
