"""One flat JSON object for each record: what logyard knows of it, then the record's own fields."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from itertools import islice
from operator import attrgetter
from typing import Any

import orjson

from logyard.batch import Batch, Selection
from logyard.derive import Level, derive
from logyard.derive.blocks import BySeverity, kinds_for
from logyard.derive.members import written
from logyard.derive.severity import LEVEL_NAMES
from logyard.derive.stamp import rfc3339, stamps
from logyard.derive.time import TIME_NAMES
from logyard.formats.fields import (
    ENVELOPE,
    json_objects,
    labels_of,
    message_of,
    readable_lines,
    reserve,
)
from logyard.formats.framing import one_by_one
from logyard.formats.lined import write_lines
from logyard.formats.moments import label_of, moments
from logyard.formats.objects import Group, divide, gather, json_strings
from logyard.formats.shapes import Shape
from logyard.formats.splice import at, is_partial, members, offsets, origin, spliced

__all__ = ["JsonFormat", "flat_objects"]

_LABELS: dict[int, str] = {level: level.label for level in Level}
_TOLD = {"time", "level"}
"""Members that the envelope has already when it took its own from them."""
_RESERVED = tuple(name.encode() for name in sorted(ENVELOPE - _TOLD))
_DELIMITER = re.compile(rb"[ \t]*,[ \t]*")
_SEPARATOR = orjson.Fragment(b"\n")
"""Between objects; a newline stands nowhere else in what orjson writes."""


class JsonFormat:
    """``json``: the envelope wins, no name occurs twice, fields keep their own names where these are free."""

    name = "json"

    def encode(self, selection: Selection) -> list[bytes]:
        """As `logyard.formats.Format`."""
        written = _lined(selection)
        return _documents(selection) if written is None else one_by_one(written)

    def block(self, selection: Selection) -> bytes:
        """As `logyard.formats.Format`; JSON escapes newlines itself."""
        return b"".join(self.pieces(selection))

    def pieces(self, selection: Selection) -> list[bytes]:
        """As `logyard.formats.Format`."""
        written = _lined(selection)
        return [b"\n".join((*_documents(selection), b""))] if written is None else written


def _lined(selection: Selection) -> list[bytes] | None:
    """The documents, a newline behind each, where most records are usual ones; None where none is."""
    if (kinds := kinds_for(selection)) is None:
        return None
    batch = selection.batch
    known = members(labels_of(batch))
    levels = BySeverity(lambda level: _middle(known, label_of(level)), known=True)
    first = (
        b'{"time":"', (kinds.TIME, rfc3339(batch.time_ns).encode()), (kinds.LEVEL, levels), (kinds.MESSAGE, None),
        b',"id":"' + origin(batch), kinds.OFFSET, _behind(batch),
    )  # fmt: skip

    def others(left: Selection) -> list[bytes]:
        return [document + b"\n" for document in _documents(left)]

    around, texts = (*first, b",", kinds.REST, b"\n"), (*first, b"}\n")
    return write_lines(selection, around, texts, others, unique=True, reserved=_RESERVED)


def _middle(known: bytes, level: bytes) -> bytes:
    """What stands between a record's time and its text."""
    return b'",' + known + (b',"level":"%b"' % level if level else b"") + b',"text":'


def _behind(batch: Batch) -> bytes:
    """What stands behind a record's offset."""
    return b'"' + (b',"truncated":%d' % batch.cut if batch.cut else b"")


def _documents(selection: Selection) -> list[bytes]:
    """Each record's document."""
    if not selection.count:
        return []
    groups = divide(selection)
    ids = offsets(selection)
    made = [_of_group(group, at(ids, group.positions), selection) for group in groups]
    documents = gather(selection.count, groups, made)
    alone = [index for index, document in enumerate(documents) if not document] if b"" in documents else []
    if is_partial(selection) and alone[-1:] != [selection.count - 1]:
        alone.append(selection.count - 1)
    if alone:
        for index, document in zip(alone, _written(selection.at(alone)), strict=True):
            documents[index] = document
    return documents


def _written(selection: Selection) -> list[bytes]:
    """The documents of records that are taken apart and written anew."""
    objects: list[Any] = [_SEPARATOR] * (2 * selection.count - 1)
    objects[::2] = flat_objects(selection)
    # One call for all: orjson takes a large buffer for each, which costs more than to write a record. What
    # stands around an object then is one bracket or comma.
    return [written[1:-1] for written in orjson.dumps(objects).split(b"\n")]


def _of_group(group: Group, ids: Sequence[bytes], selection: Selection) -> list[bytes]:
    """Documents made by copying the records; "" for a record that has to be taken apart."""
    batch, total = selection.batch, len(group.lines)
    if group.is_object and (group.shape is None or not group.shape.fields.keys() & ENVELOPE <= _TOLD):
        return [b""] * total
    times, levels = moments(group, batch.time_ns)
    known = members(labels_of(batch))
    middles = {level: _middle(known, level) for level in set(levels)}
    behind = _behind(batch)
    texts = group.messages() if group.is_object else [b""] * total
    if b"" in texts:
        # All of the record as it was read, which may have had white space around it.
        lines = at(readable_lines(selection), group.positions)
        whole = json_strings([line.decode() for line in lines])
        texts = (
            whole if not group.is_object else [text or all_of_it for text, all_of_it in zip(texts, whole, strict=True)]
        )
    pieces = (b'{"time":"', times, list(map(middles.__getitem__, levels)), texts, b',"id":"' + origin(batch), ids)
    if group.shape is None:
        return spliced(total, *pieces, behind + b"}")
    told = group.shape.fields.keys() & _TOLD
    if not told:
        return spliced(total, *pieces, behind + b",", [line[1:] for line in group.lines])
    bodies = _bodies(group, group.shape, told)
    if bodies is None:
        return [b""] * total
    documents = spliced(total, *pieces, behind + b",", bodies)
    # Where the record's own time or level is not what stands in front, it is kept under another name.
    own_time = rfc3339(batch.time_ns).encode() if "time" in told else b"none"
    if b"" in bodies or ("level" in told and b"" in middles) or own_time in times:
        return [
            b"" if not body or ("level" in told and not level) or stamp == own_time else document
            for document, body, level, stamp in zip(documents, bodies, levels, times, strict=True)
        ]
    return documents


def _bodies(group: Group, shape: Shape, told: Set[str]) -> list[bytes] | None:
    """The objects behind their leading members, which the envelope tells; "" for one that begins otherwise.

    None when the members do not lead, or are not all that the envelope's values are taken from.

    Args:
        group: objects.
        shape: theirs.
        told: ``time``, ``level``, or both.
    """
    sources = [name for name in shape.fields if name in TIME_NAMES or name in LEVEL_NAMES or name == "log"]
    if ("time" in told and len(TIME_NAMES.intersection(sources)) > 1) or (
        "level" in told and len(sources) - len(TIME_NAMES.intersection(sources)) > 1
    ):
        return None
    pieces: list[bytes | Sequence[bytes]] = []
    end = 0
    found = list(islice(written(group.lines[0]), len(told)))
    if {name[1:-1].decode() for _, name, _ in found} != told or any(value[:1] != b'"' for _, _, value in found):
        return None
    for before, name, value in found:
        column = map(attrgetter(shape.fields[name[1:-1].decode()]), group.values)
        pieces += (before + b'"', list(map(str.encode, column)), b'"')
        end += len(before) + len(value)
    delimiter = _DELIMITER.match(group.lines[0], end)
    if delimiter is None:
        return None
    leads = spliced(len(group.lines), *pieces, delimiter[0])
    bodies = list(map(bytes.removeprefix, group.lines, leads))
    if sum(map(len, bodies)) + sum(map(len, leads)) != sum(map(len, group.lines)):
        return [body if len(body) < len(line) else b"" for body, line in zip(bodies, group.lines, strict=True)]
    return bodies


def flat_objects(selection: Selection) -> list[dict[str, Any]]:
    """For each record what logyard knows of it and its own fields, each name once, in order."""
    if not selection.count:
        return []
    batch = selection.batch
    lines = readable_lines(selection)
    levels, times = derive(lines, batch.time_ns)
    same = {"time": "", **labels_of(batch)}
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
