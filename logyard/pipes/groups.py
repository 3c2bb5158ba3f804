"""Groups of records and what is computed of each: ``count`` and ``stats``. Pure.

Memory is bounded: by `MOST_GROUPS`, and by `MOST_HELD` numbers and values for percentiles and ``uniq``. Beyond that
no further groups are opened; their records are counted, and the table says how many they were.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Protocol

from logyard.batch import Selection
from logyard.filters.pipes import Function
from logyard.filters.tree import FieldPath
from logyard.pipes.grouping import Extract, Grouping, Key, Keys
from logyard.pipes.measures import Different, Numbers, Present
from logyard.pipes.table import Cell, Column, Role, Table
from logyard.pipes.values import Unit, sort_key

__all__ = ["MOST_GROUPS", "MOST_HELD", "Aggregate", "Counts", "Statistics"]

MOST_GROUPS = 50_000
MOST_HELD = 4_000_000

_Holder = Numbers | Present | Different
_ADDITIVE = frozenset({"count", "sum"})


class Aggregate(Protocol):
    """Something that takes in records, a selection at a time, and can be asked for its table at any time.

    Attributes:
        timed: whether times are looked at.
    """

    timed: bool

    def feed(self, selection: Selection, times: Sequence[int], extract: Extract) -> None:
        """Take in the selected records.

        Args:
            times: of the records, ns since 1970, parallel to them; may be empty when not `timed`.

        Raises:
            WireError: the batch is damaged.
        """

    def table(self) -> Table:
        """What they give."""

    def forget_before(self, moment: int) -> None:
        """Drop the buckets that began before ``moment``."""


def ordered(keys: Sequence[Key], timed: bool, first: Callable[[Key], Cell]) -> list[Key]:
    """Groups as they are shown: by time; without buckets the largest first; then by what they are grouped by."""
    natural = sorted(keys, key=lambda key: tuple(map(sort_key, key)))
    if timed:
        return natural
    return sorted(natural, key=lambda key: _falling(first(key)))


def _falling(value: Cell) -> tuple[int, float]:
    kind, number, _ = sort_key(value)
    return kind, -number


def full_note(records: int) -> tuple[str, ...]:
    """What is said of records that found no group."""
    if not records:
        return ()
    return (f"more groups than are kept: {records:,} records of further groups are not in the table",)


def look_up(extract: Extract, selection: Selection, paths: Sequence[FieldPath]) -> Mapping[FieldPath, Sequence[object]]:
    """The columns of ``paths``."""
    return dict(zip(paths, extract(selection, paths), strict=True)) if paths else {}


class Counts:
    """The number of records of each group.

    Args:
        limit: groups kept.
    """

    def __init__(self, grouping: Grouping, name: str = "count", *, limit: int = MOST_GROUPS) -> None:
        self.timed = grouping.every is not None
        self._grouping = grouping
        self._name = name
        self._limit = limit
        self._counts: dict[Key, int] = {}
        self._homeless = 0

    def feed(self, selection: Selection, times: Sequence[int], extract: Extract) -> None:
        """As `Aggregate`."""
        number = selection.count
        if not number:
            return
        grouping = self._grouping
        keys = grouping.keys(selection, times, look_up(extract, selection, grouping.paths))
        if not isinstance(keys, Keys):
            self._add(keys, number)
            return
        for raw, records in Counter(keys.raw).items():
            self._add(keys.full(raw), records)

    def _add(self, key: Key, records: int) -> None:
        counts = self._counts
        known = counts.get(key)
        if known is not None:
            counts[key] = known + records
        elif len(counts) < self._limit:
            counts[key] = records
        else:
            self._homeless += records

    def merge(self, other: Counts) -> None:
        """Add what ``other``, of the same kind, counted."""
        for key, records in other._counts.items():
            self._add(key, records)
        self._homeless += other._homeless

    def forget_before(self, moment: int) -> None:
        """As `Aggregate`."""
        if self.timed:
            self._counts = {key: count for key, count in self._counts.items() if key[0] >= moment}  # type: ignore[operator]

    def table(self) -> Table:
        """As `Aggregate`; without groups and records one row that says 0."""
        grouping = self._grouping
        counts = self._counts
        if not counts and not grouping.columns:
            counts = {(): 0}
        columns = (*grouping.columns, Column(self._name, Role.VALUE, additive=True))
        rows: list[tuple[Cell, ...]] = [
            (*key, counts[key]) for key in ordered(list(counts), self.timed, counts.__getitem__)
        ]
        return Table(columns, rows, full_note(self._homeless))


class Statistics:
    """Measures of the records of each group.

    Args:
        measures: at least one.
        limit: groups kept.
    """

    def __init__(self, grouping: Grouping, measures: Sequence[Function], *, limit: int = MOST_GROUPS) -> None:
        self.timed = grouping.every is not None
        self._grouping = grouping
        self._measures = tuple(measures)
        self._limit = limit
        self._holders: dict[tuple[FieldPath, str], int] = {}
        """Position of what holds the values of a field: for ``count(x)``, ``uniq(x)``, or numbers."""
        self._makers: list[Callable[[], _Holder]] = []
        for measure in self._measures:
            if measure.field is not None:
                self._hold(measure.field, measure.name)
        self._fields = tuple(dict.fromkeys(field for field, _ in self._holders))
        self._records: dict[Key, int] = {}
        self._groups: dict[Key, list[_Holder]] = {}
        self._held = 0
        self._homeless = 0

    def _hold(self, field: FieldPath, function: str) -> None:
        name = (field, _kind(function))
        if name in self._holders:
            return
        self._holders[name] = len(self._makers)
        if name[1] == "numbers":
            ranked = any(other.field == field and other.name == "percentile" for other in self._measures)
            self._makers.append(lambda: Numbers(quantiles=ranked))
        else:
            self._makers.append(Present if name[1] == "present" else Different)

    def feed(self, selection: Selection, times: Sequence[int], extract: Extract) -> None:
        """As `Aggregate`."""
        number = selection.count
        if not number:
            return
        grouping = self._grouping
        columns = look_up(extract, selection, tuple(dict.fromkeys((*grouping.paths, *self._fields))))
        keys = grouping.keys(selection, times, columns)
        if not isinstance(keys, Keys):
            self._add(keys, number, [columns[field] for field in self._fields])
            return
        if len(self._fields) == 1:
            # Appending values is a third cheaper than appending positions and looking up.
            values: defaultdict[object, list[object]] = defaultdict(list)
            for raw, value in zip(keys.raw, columns[self._fields[0]], strict=True):
                values[raw].append(value)
            for raw, column in values.items():
                self._add(keys.full(raw), len(column), [column])
            return
        positions: defaultdict[object, list[int]] = defaultdict(list)
        for position, raw in enumerate(keys.raw):
            positions[raw].append(position)
        fields = [columns[field] for field in self._fields]
        for raw, found in positions.items():
            self._add(keys.full(raw), len(found), [_at(column, found) for column in fields])

    def _add(self, key: Key, records: int, columns: Sequence[Sequence[object]]) -> None:
        holders = self._open(key)
        if holders is None:
            self._homeless += records
            return
        self._records[key] += records
        for (field, _), at in self._holders.items():
            holder = holders[at]
            before = holder_size(holder)
            holder.add(columns[self._fields.index(field)])
            self._held += holder_size(holder) - before

    def _open(self, key: Key) -> list[_Holder] | None:
        holders = self._groups.get(key)
        if holders is None and len(self._groups) < self._limit and self._held < MOST_HELD:
            holders = self._groups[key] = [make() for make in self._makers]
            self._records[key] = 0
        return holders

    def merge(self, other: Statistics) -> None:
        """Add what ``other``, of the same kind, holds."""
        for key, theirs in other._groups.items():
            ours = self._open(key)
            if ours is None:
                self._homeless += other._records[key]
                continue
            self._records[key] += other._records[key]
            for mine, more in zip(ours, theirs, strict=True):
                before = holder_size(mine)
                mine.merge(more)  # type: ignore[arg-type]
                self._held += holder_size(mine) - before
        self._homeless += other._homeless

    def forget_before(self, moment: int) -> None:
        """As `Aggregate`."""
        if not self.timed:
            return
        for key in [key for key in self._groups if key[0] < moment]:  # type: ignore[operator]
            self._held -= sum(map(holder_size, self._groups.pop(key)))
            del self._records[key]

    def _result(self, key: Key, measure: Function) -> Cell:
        if measure.field is None:
            return self._records[key]
        return self._groups[key][self._holders[measure.field, _kind(measure.name)]].result(measure)

    def table(self) -> Table:
        """As `Aggregate`; without groups and records one row."""
        grouping = self._grouping
        if not self._groups and not grouping.columns:
            self._open(())
        keys = ordered(list(self._groups), self.timed, lambda key: self._result(key, self._measures[0]))
        columns = tuple(
            Column(measure.as_name, Role.VALUE, self._unit(measure), measure.name in _ADDITIVE)
            for measure in self._measures
        )
        rows: list[tuple[Cell, ...]] = [
            (*key, *(self._result(key, measure) for measure in self._measures)) for key in keys
        ]
        return Table((*grouping.columns, *columns), rows, (*full_note(self._homeless), *self._estimates()))

    def _unit(self, measure: Function) -> Unit:
        if measure.field is None:
            return Unit.NONE
        at = self._holders[measure.field, _kind(measure.name)]
        units = (holders[at].unit for holders in self._groups.values())
        return next((unit for unit in units if unit is not Unit.NONE), Unit.NONE)

    def _estimates(self) -> tuple[str, ...]:
        holders = [holder for group in self._groups.values() for holder in group]
        notes = []
        if any(isinstance(holder, Numbers) and holder.quantiles and not holder.quantiles.exact for holder in holders):
            notes.append("percentiles of many numbers are exact within 1 %")
        if any(isinstance(holder, Different) and not holder.values.exact for holder in holders):
            notes.append("uniq of many values is an estimate, mostly within 2 %")
        return tuple(notes)


def _kind(function: str) -> str:
    return "present" if function == "count" else "different" if function == "uniq" else "numbers"


def holder_size(holder: _Holder) -> int:
    """Numbers and values that it holds."""
    return holder.size


def _at(column: Sequence[object], positions: Sequence[int]) -> Sequence[object]:
    return (column[positions[0]],) if len(positions) == 1 else itemgetter(*positions)(column)
