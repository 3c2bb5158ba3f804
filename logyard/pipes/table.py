"""What pipes give: a table. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from logyard.pipes.values import Unit, sort_key

__all__ = ["Cell", "Column", "Role", "Table"]

Cell = int | float | str | None
"""A value; None where there is none. Times are ns since 1970 UTC."""


class Role(Enum):
    """What a column holds."""

    TIME = "time"
    """When a bucket begins, or a record was written."""
    GROUP = "group"
    """What records were grouped by, or a record's own field."""
    VALUE = "value"
    """What was counted or computed."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: unique in its table.
        role: what it holds.
        unit: what its numbers mean.
        additive: whether values of several rows may be added up (counts and sums may, averages may not).
    """

    name: str
    role: Role
    unit: Unit = Unit.NONE
    additive: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns.

    Attributes:
        columns: at least one.
        rows: each with a cell for each column.
        notes: what the rows do not say: limits that were reached, figures that are estimates.
        left_out: rows that `limit` took away.
    """

    columns: tuple[Column, ...]
    rows: list[tuple[Cell, ...]]
    notes: tuple[str, ...] = ()
    left_out: int = 0

    def position(self, name: str) -> int | None:
        """Where the column of that name is; ``json.x`` finds ``x`` and the other way round."""
        names = [column.name for column in self.columns]
        for wanted in (name, name.removeprefix("json."), f"json.{name}"):
            if wanted in names:
                return names.index(wanted)
        return None

    def of_role(self, role: Role) -> list[int]:
        """The positions of all columns with that role."""
        return [at for at, column in enumerate(self.columns) if column.role is role]

    def sorted_by(self, names: Sequence[tuple[str, bool]]) -> Table:
        """The rows by columns, the first one first.

        Args:
            names: each with whether the largest comes first. What is missing comes last either way.
        """
        rows = list(self.rows)
        for name, falling in reversed(names):
            at = self.position(name)
            assert at is not None, name
            there = [row for row in rows if row[at] is not None]
            missing = [row for row in rows if row[at] is None]
            there.sort(key=lambda row, at=at: sort_key(row[at]), reverse=falling)  # type: ignore[misc]
            rows = there + missing
        return replace(self, rows=rows)

    def first(self, number: int) -> Table:
        """The first ``number`` rows."""
        return replace(self, rows=self.rows[:number], left_out=self.left_out + max(0, len(self.rows) - number))

    def only(self, names: Sequence[str]) -> Table:
        """Those columns, in that order."""
        positions = [at for name in names if (at := self.position(name)) is not None]
        return replace(
            self,
            columns=tuple(self.columns[at] for at in positions),
            rows=[tuple(row[at] for at in positions) for row in self.rows],
        )
