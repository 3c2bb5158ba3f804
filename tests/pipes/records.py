"""Records for pipes, and the plainest way to get at their fields."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from logyard.batch import Batch, Selection, join_records
from logyard.filters.tree import FieldPath

__all__ = ["SECOND", "START", "field", "fields", "look_up", "select"]

SECOND = 1_000_000_000
START = 1_790_000_040 * SECOND
"""A full minute."""


def field(name: str) -> FieldPath:
    return FieldPath.parse(name)


def fields(*names: str) -> tuple[FieldPath, ...]:
    return tuple(map(FieldPath.parse, names))


def select(*records: dict[str, Any], key: str = "app.web", node: str = "n1", instance: str | None = None) -> Selection:
    """A selection of all records of a batch."""
    block, separator = join_records([json.dumps(record).encode() for record in records])
    return Selection(
        Batch(
            key=key,
            node=node,
            source="stdout",
            time_ns=START,
            count=len(records),
            origin="00000000000000aa.0",
            first=0,
            last=len(block) + 1,
            block=block,
            separator=separator,
            app=key.removeprefix("app."),
            instance=instance,
        )
    )


def look_up(selection: Selection, paths: Sequence[FieldPath]) -> list[list[object]]:
    """As `logyard.pipes.grouping.Extract`, one record after the other."""
    parsed = [json.loads(line) for line in selection.lines]
    return [[_at(record, path.parts) for record in parsed] for path in paths]


def _at(record: Any, parts: Sequence[str]) -> object:
    for part in parts:
        if not isinstance(record, dict) or part not in record:
            return None
        record = record[part]
    return record
