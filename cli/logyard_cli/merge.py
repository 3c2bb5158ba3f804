"""Records of several streams in one order: by time, with each stream's own order kept. Pure.

Within a stream records stay in the order they have there. Their times need not rise; for merging, a record counts
as at least as late as the one before it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

__all__ = ["Merger", "falling", "interleave", "merge_times", "newest_cut", "rising"]

_Item = TypeVar("_Item")


def merge_times(times: Sequence[int], observed: int) -> list[int]:
    """Times to order by: a record without a time of its own (``observed``) belongs to the one before it, such as a
    line of a stack trace, and none is from later than when it was read, whatever it says."""
    merged: list[int] = []
    add = merged.append
    last = observed
    for moment in times:
        if moment < observed:
            last = moment
        elif moment > observed:
            last = observed
        add(last)
    return merged


def rising(times: Iterable[int], floor: int = 0) -> list[int]:
    """Each time, or the latest one before it if that is later; at least ``floor``."""
    return list(accumulate(times, max, initial=floor))[1:]


def falling(times: Sequence[int], ceiling: int | None = None) -> list[int]:
    """Each time, or the earliest one behind it if that is earlier; at most ``ceiling``."""
    backwards = times[::-1] if ceiling is None else [ceiling, *times[::-1]]
    lowered = list(accumulate(backwards, min))[::-1]
    return lowered if ceiling is None else lowered[:-1]


def interleave(runs: Sequence[tuple[Sequence[int], Sequence[_Item]]]) -> list[_Item]:
    """The items of all runs by time; items of one run stay in order, and at the same time earlier runs come first.

    Args:
        runs: for each stream its rising times and, parallel to them, its items.
    """
    if len(runs) == 1:
        return list(runs[0][1])
    times = [moment for run in runs for moment in run[0]]
    items = [item for run in runs for item in run[1]]
    return [items[index] for index in sorted(range(len(times)), key=times.__getitem__)]


def newest_cut(runs: Sequence[Sequence[int]], number: int) -> tuple[list[int], int]:
    """Where each run (rising times) has to be cut so that the newest ``number`` items over all remain.

    Returns:
        For each run the position from which on it is kept, and the time of the oldest item kept
        (0 when there are not more than ``number`` items at all).
    """
    everything = sorted(moment for run in runs for moment in run)
    if len(everything) <= number:
        return [0] * len(runs), 0
    if number <= 0:
        return [len(run) for run in runs], everything[-1]
    oldest = everything[-number]
    cuts = [bisect_left(run, oldest) for run in runs]
    surplus = sum(len(run) - cut for run, cut in zip(runs, cuts, strict=True)) - number
    for index, run in enumerate(runs):  # several items of that very time: drop the first of them
        dropped = min(surplus, bisect_right(run, oldest) - cuts[index])
        cuts[index] += dropped
        surplus -= dropped
    return cuts, oldest


class Merger(Generic[_Item]):
    """A merge of streams that arrive page by page, holding little more than one page of each.

    Args:
        names: the streams; each gets items by `add` until `end`.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._times: dict[str, list[int]] = {name: [] for name in names}
        self._items: dict[str, list[_Item]] = {name: [] for name in self._times}
        self._floors: dict[str, int] = dict.fromkeys(self._times, 0)
        self._open = set(self._times)

    def wanting(self) -> list[str]:
        """The streams that must be added to, or ended, before `take` can go on."""
        return [name for name, times in self._times.items() if not times and name in self._open]

    @property
    def done(self) -> bool:
        """Everything was taken and nothing more will come."""
        return not self._open and not any(self._times.values())

    def add(self, name: str, times: Sequence[int], items: Sequence[_Item]) -> None:
        """The next items of a stream, at least one, and their times, which need not rise."""
        risen = rising(times, self._floors[name])
        self._floors[name] = risen[-1]
        self._times[name] += risen
        self._items[name] += items

    def end(self, name: str) -> None:
        """Nothing more comes from this stream."""
        self._open.discard(name)

    def take(self) -> list[_Item]:
        """The items that come next for certain; empty only while streams are `wanting` or all is done."""
        if self.wanting():
            return []
        bound = min((self._times[name][-1] for name in self._open), default=None)
        runs = []
        for name, times in self._times.items():
            if not times:
                continue
            cut = len(times) if bound is None else bisect_right(times, bound)
            if cut:
                runs.append((times[:cut], self._items[name][:cut]))
                del times[:cut], self._items[name][:cut]
        return interleave(runs) if runs else []
