"""One flat JSON object for each record: what logyard knows of it, then the record's own fields."""

from __future__ import annotations

from typing import Any

import orjson

from logyard.batch import Batch, Selection
from logyard.derive import Level, derive
from logyard.derive.stamp import stamps
from logyard.formats.fields import (
    ENVELOPE,
    instance_number,
    json_objects,
    message_of,
    readable_lines,
    reserve,
)

__all__ = ["JsonFormat", "flat_objects"]

_LABELS: dict[int, str] = {level: level.label for level in Level}
_SEPARATOR = orjson.Fragment(b"\n")
"""Between objects; a newline stands nowhere else in what orjson writes."""


class JsonFormat:
    """``json``: the envelope wins, no name occurs twice, fields keep their own names where these are free."""

    name = "json"

    def encode(self, selection: Selection) -> list[bytes]:
        """As `logyard.formats.Format`."""
        objects: list[Any] = [_SEPARATOR] * (2 * selection.count - 1)
        objects[::2] = flat_objects(selection)
        # One call for all: orjson takes a large buffer for each, which costs more than to write a record. What
        # stands around an object then is one bracket or comma.
        return [written[1:-1] for written in orjson.dumps(objects).split(b"\n")] if objects else []

    def block(self, selection: Selection) -> bytes:
        """As `logyard.formats.Format`; JSON escapes newlines itself."""
        return b"\n".join((*self.encode(selection), b""))


def flat_objects(selection: Selection) -> list[dict[str, Any]]:
    """For each record what logyard knows of it and its own fields, each name once, in order."""
    if not selection.count:
        return []
    batch = selection.batch
    lines = readable_lines(selection)
    levels, times = derive(lines, batch.time_ns)
    same = _same_for_all(batch)
    out: list[dict[str, Any]] = []
    for line, found, level, ns, stamp, offset in zip(
        lines,
        json_objects(selection, lines),
        levels,
        times,
        stamps(times),
        selection.offsets(),
        strict=True,
    ):
        record = same.copy()
        record["time"] = stamp
        if level is not None:
            record["level"] = _LABELS[level]
        message = message_of(found) if found else None
        record["text"] = line.decode() if message is None else message
        record["id"] = batch.identity(offset)
        if batch.cut:
            record["truncated"] = batch.cut
        if found:
            if not ENVELOPE.isdisjoint(found):
                reserve(found, record, level, ns, batch.time_ns)
            record.update(found)
        out.append(record)
    if batch.partial and (selection.positions is None or batch.count - 1 in selection.positions[-1:]):
        out[-1]["partial"] = True
    return out


def _same_for_all(batch: Batch) -> dict[str, Any]:
    """What is the same for all records of a batch, in the envelope's order; what is unknown is left out."""
    same: dict[str, Any] = {"time": "", "key": batch.key, "node": batch.node}
    if batch.app is not None:
        same["app"] = batch.app
    if batch.instance is not None:
        same["instance"] = instance_number(batch.instance)
    same["source"] = batch.source
    return same
