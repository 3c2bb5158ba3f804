"""Fields of records as rows of a table: ``fields time,path,status``. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from logyard.batch import Selection
from logyard.filters.tree import FieldPath
from logyard.pipes.grouping import Extract
from logyard.pipes.table import Cell, Column, Role, Table
from logyard.pipes.values import text_of

__all__ = ["MOST_ROWS", "Rows", "cells"]

TIME = FieldPath("time", envelope=True)
MOST_ROWS = 100_000
"""Rows held where all are needed at once, to sort them."""


def cells(column: Sequence[object]) -> Sequence[Cell]:
    """Values as cells: numbers and texts as they are, everything else as JSON."""
    if set(map(type, column)) <= {int, float, str, type(None)}:
        return column  # type: ignore[return-value]
    return [value if type(value) in {int, float, str, type(None)} else text_of(value) for value in column]  # type: ignore[misc]


class Rows:
    """A row of fields for each record, up to a limit.

    Args:
        paths: of the fields; ``time`` is when the record was written.
        limit: rows kept; the first ones.
    """

    def __init__(self, paths: Sequence[FieldPath], *, limit: int = MOST_ROWS) -> None:
        self.paths = tuple(paths)
        self.timed = TIME in self.paths
        self.columns = tuple(Column(str(path), Role.TIME if path == TIME else Role.GROUP) for path in self.paths)
        self._looked_up = tuple(dict.fromkeys(path for path in self.paths if path != TIME))
        self._limit = limit
        self._rows: list[tuple[Cell, ...]] = []
        self._left_out = 0

    def of(self, selection: Selection, times: Sequence[int], extract: Extract) -> list[tuple[Cell, ...]]:
        """The rows of these records.

        Raises:
            WireError: the batch is damaged.
        """
        found = dict(zip(self._looked_up, extract(selection, self._looked_up), strict=True)) if self._looked_up else {}
        columns = [times if path == TIME else cells(found[path]) for path in self.paths]
        return list(zip(*columns, strict=True))

    def feed(self, selection: Selection, times: Sequence[int], extract: Extract) -> None:
        """As `logyard.pipes.groups.Aggregate`."""
        room = self._limit - len(self._rows)
        if room < selection.count:
            self._left_out += selection.count - max(0, room)
            if room <= 0:
                return
            selection, times = selection.part(0, room), times[:room]
        self._rows += self.of(selection, times, extract)

    def merge(self, other: Rows) -> None:
        """Add the rows of ``other`` behind these."""
        room = max(0, self._limit - len(self._rows))
        self._rows += other._rows[:room]
        self._left_out += other._left_out + max(0, len(other._rows) - room)

    def forget_before(self, moment: int) -> None:
        """There are no buckets."""

    def table(self) -> Table:
        """In the order in which records came."""
        notes: tuple[str, ...] = ()
        if self._left_out:
            notes = (f"more rows than are kept: the last {self._left_out:,} records are not in the table",)
        return Table(self.columns, list(self._rows), notes)
