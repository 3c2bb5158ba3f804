"""The most frequent values: ``top 10 path``. Pure.

Any number of different values is taken in. Of more than are kept, the rarest are forgotten from time to time (Misra
and Gries, "Finding repeated elements", 1982, in batches); counts may then be too low, and the table says by how much
at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from logyard.batch import Selection
from logyard.filters.tree import FieldPath
from logyard.pipes.grouping import Extract, Grouping, Key, Keys
from logyard.pipes.groups import look_up
from logyard.pipes.table import Cell, Column, Role, Table
from logyard.pipes.values import Unit, sort_key

__all__ = ["KEPT", "Top"]

KEPT = 20_000


class Top:
    """The ``number`` most frequent groups, with their share in all records that have the fields.

    Args:
        kept: groups remembered, about.
    """

    timed = False

    def __init__(self, number: int, by: Sequence[FieldPath], *, kept: int = KEPT) -> None:
        self._number = number
        self._grouping = Grouping(by)
        self._kept = max(kept, number)
        self._counts: dict[Key, int] = {}
        self._records = 0
        self._forgotten = 0
        """By how much a count may be too low."""

    def feed(self, selection: Selection, times: Sequence[int], extract: Extract) -> None:
        """As `logyard.pipes.groups.Aggregate`; records without one of the fields do not count."""
        del times
        number = selection.count
        if not number:
            return
        grouping = self._grouping
        keys = grouping.keys(selection, (), look_up(extract, selection, grouping.paths))
        if isinstance(keys, Keys):
            for raw, records in Counter(keys.raw).items():
                self._add(keys.full(raw), records)
        else:
            self._add(keys, number)
        if len(self._counts) > 2 * self._kept:
            self._forget()

    def _add(self, key: Key, records: int) -> None:
        if None in key:
            return
        self._records += records
        self._counts[key] = self._counts.get(key, 0) + records

    def _forget(self) -> None:
        """Keep what is more frequent than what comes at place `_kept`; which that is does not depend on any order."""
        rarest = sorted(self._counts.values(), reverse=True)[self._kept]
        self._forgotten += rarest
        self._counts = {key: count for key, count in self._counts.items() if count > rarest}

    def _falling(self) -> list[Key]:
        natural = sorted(self._counts, key=lambda key: tuple(map(sort_key, key)))
        return sorted(natural, key=self._counts.__getitem__, reverse=True)

    def merge(self, other: Top) -> None:
        """Add what ``other``, of the same kind, counted."""
        for key, records in other._counts.items():
            self._counts[key] = self._counts.get(key, 0) + records
        self._records += other._records
        self._forgotten += other._forgotten
        if len(self._counts) > 2 * self._kept:
            self._forget()

    def forget_before(self, moment: int) -> None:
        """There are no buckets."""

    def table(self) -> Table:
        """The most frequent first."""
        shown = self._falling()[: self._number]
        columns = (
            *self._grouping.columns,
            Column("count", Role.VALUE, additive=True),
            Column("share", Role.VALUE, Unit.PERCENT, additive=True),
        )
        rows: list[tuple[Cell, ...]] = [
            (*key, self._counts[key], round(100 * self._counts[key] / self._records, 2)) for key in shown
        ]
        notes: tuple[str, ...] = ()
        if self._forgotten:
            notes = (f"many different values: counts may be too low by {self._forgotten:,} at most",)
        return Table(columns, rows, notes, left_out=len(self._counts) - len(shown))
