"""Which group each record belongs to, decided for whole selections at once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from logyard.batch import Batch, Selection
from logyard.filters.tree import FieldPath
from logyard.pipes.buckets import Buckets
from logyard.pipes.table import Column, Role
from logyard.pipes.values import Group, groupable, grouped

__all__ = ["Extract", "Grouping", "Key", "Keys"]

Key = tuple[Group, ...]
"""A group: the start of its bucket, if there are buckets, and its values."""

Extract = Callable[[Selection, Sequence[FieldPath]], Sequence[Sequence[object]]]
"""Gives the values of fields: for each a column parallel to the selected records, None where it is missing."""

_ENVELOPE: Mapping[str, Callable[[Batch], Group]] = {
    "key": lambda batch: batch.key,
    "app": lambda batch: batch.app,
    "instance": lambda batch: grouped(batch.instance),
    "node": lambda batch: batch.node,
    "source": lambda batch: batch.source,
}
"""Fields that are the same for all records of a batch."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The groups of some records.

    Attributes:
        raw: for each record something that can be hashed; equal for records of the same group.
        full: the group that it means.
    """

    raw: Sequence[object]
    full: Callable[[object], Key]


class Grouping:
    """What records are grouped by.

    Args:
        by: fields.
        every: buckets of time, None for none.

    Attributes:
        paths: fields that have to be looked up in records.
    """

    def __init__(self, by: Sequence[FieldPath] = (), every: Buckets | None = None) -> None:
        self.by = tuple(by)
        self.every = every
        self.paths = tuple(dict.fromkeys(path for path in by if not _of_batch(path)))

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a table for the parts of a `Key`."""
        time = () if self.every is None else (Column("time", Role.TIME),)
        return (*time, *(Column(str(path), Role.GROUP) for path in self.by))

    def keys(
        self, selection: Selection, times: Sequence[int], columns: Mapping[FieldPath, Sequence[object]]
    ) -> Key | Keys:
        """The group that all records belong to, or that of each.

        Args:
            times: of the records, ns since 1970; not looked at without buckets.
            columns: values of `paths`.
        """
        batch = selection.batch
        fixed: list[Group] = []
        varying: list[tuple[int, Sequence[object]]] = []
        if self.every is not None:
            starts = self.every.starts(times)
            if isinstance(starts, int):
                fixed.append(starts)
            else:
                varying.append((0, starts))
                fixed.append(None)
        for path in self.by:
            if _of_batch(path):
                fixed.append(_ENVELOPE[path.name](batch))
                continue
            varying.append((len(fixed), groupable(columns[path])))
            fixed.append(None)
        if not varying:
            return tuple(fixed)
        return _keys(fixed, varying, timed=self.every is not None)


def _of_batch(path: FieldPath) -> bool:
    return path.envelope and path.name in _ENVELOPE


def _keys(fixed: list[Group], varying: list[tuple[int, Sequence[object]]], *, timed: bool) -> Keys:
    if len(varying) == 1:
        at, column = varying[0]
        meaning = _same if timed and at == 0 else grouped
        before, behind = tuple(fixed[:at]), tuple(fixed[at + 1 :])
        return Keys(column, lambda value: (*before, meaning(value), *behind))
    positions = [at for at, _ in varying]

    def full(values: object) -> Key:
        whole = list(fixed)
        for at, value in zip(positions, values, strict=True):  # type: ignore[call-overload]
            whole[at] = value if timed and at == 0 else grouped(value)
        return tuple(whole)

    return Keys(list(zip(*(column for _, column in varying), strict=True)), full)


def _same(value: object) -> Group:
    return value  # type: ignore[return-value]
