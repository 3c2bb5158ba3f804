"""Stretches of time that records fall into, aligned to the clock on the wall. Pure.

A bucket begins where a person expects it: ``every 1m`` at full minutes, ``every 6h`` at 0, 6, 12 and 18 o'clock,
``every 1d`` at midnight and ``every 7d`` on Mondays, in the display's time zone. A day on which the clock is changed
has 23 or 25 hours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from functools import lru_cache

__all__ = ["DAY", "HOUR", "SECOND", "Buckets", "offset_in"]

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
_WEEK = 7 * DAY
_QUARTER = 15 * 60 * SECOND
_MONDAY = 4 * DAY
"""The first Monday, from 1970-01-01, a Thursday."""


def offset_in(zone: tzinfo | None) -> Callable[[int], int]:
    """How far a zone's clocks are ahead of UTC, in ns, at a time in ns since 1970; None: where this machine is."""

    @lru_cache(maxsize=4096)
    def of_quarter(quarter: int) -> int:
        second = min(max(quarter * _QUARTER // SECOND, 0), 253402300799 - 86400)
        local = datetime.fromtimestamp(second, zone) if zone else datetime.fromtimestamp(second).astimezone()
        ahead = local.utcoffset()
        return 0 if ahead is None else round(ahead.total_seconds()) * SECOND

    # Clocks are changed at full quarters of an hour.
    return lambda moment: of_quarter(moment // _QUARTER)


class Buckets:
    """Buckets of one width.

    Args:
        width: ns, at least 1.
        offset: see `offset_in`.
    """

    def __init__(self, width: int, offset: Callable[[int], int]) -> None:
        self.width = width
        self._offset = offset
        self._shift = _MONDAY if width % _WEEK == 0 else 0

    def start(self, moment: int) -> int:
        """When the bucket began that ``moment`` falls into."""
        offset = self._offset(moment)
        return self._began(self._number(moment, offset), offset)

    def _number(self, moment: int, offset: int) -> int:
        return (moment + offset - self._shift) // self.width

    def _began(self, number: int, offset: int) -> int:
        local = number * self.width + self._shift
        if self.width <= HOUR and self._offset(local - offset) == offset:
            return local - offset  # an hour that exists twice is two buckets
        # The offset that counts is the one at the beginning, which is found in two steps.
        return local - self._offset(local - self._offset(local))

    def next(self, start: int) -> int:
        """When the bucket behind the one that began at ``start`` begins."""
        found = self.start(start + self.width)
        # Where clocks are set back, the same bucket lasts longer.
        return found if found > start else self.start(start + self.width + min(self.width, 3 * HOUR))

    def starts(self, moments: Sequence[int]) -> int | list[int]:
        """`start` of each; only one where all fall into the same bucket."""
        low, high = min(moments), max(moments)
        offset = self._offset(low)
        if offset != self._offset(high):
            return list(map(self.start, moments))
        first, last = self._number(low, offset), self._number(high, offset)
        if first == last:
            return self._began(first, offset)
        width, ahead = self.width, offset - self._shift
        numbers = [(moment + ahead) // width for moment in moments]
        began = {number: self._began(number, offset) for number in set(numbers)}
        return list(map(began.__getitem__, numbers))

    def between(self, first: int, last: int, limit: int = 100_000) -> list[int]:
        """The starts of all buckets from the one that began at ``first`` to the one at ``last``; at most ``limit``."""
        found = [first]
        while found[-1] < last and len(found) < limit:
            found.append(self.next(found[-1]))
        return found
