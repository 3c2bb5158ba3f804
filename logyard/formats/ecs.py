"""Documents for Elasticsearch and OpenSearch, with the names of the Elastic Common Schema.

The application's own object stands whole under ``json``, which an index template maps as ``flattened``, so that
no application can make mappings explode (docs/formats.md has the table of names, and what that field is).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from logyard.batch import Batch, Selection
from logyard.derive import rfc3339
from logyard.derive.blocks import BySeverity, kinds_for
from logyard.formats.lined import Lined
from logyard.formats.moments import canonical, label_of, level_label, moments
from logyard.formats.objects import Group, divide, gather, json_strings, normalised
from logyard.formats.splice import Columns, Documents, at, is_partial, members, offsets, origin, spliced
from logyard.formats.told import Told, tell

__all__ = ["ECS_VERSION", "EcsFormat"]

ECS_VERSION = "8.17.0"
_DEPTH = 20
"""Levels of nesting that a ``flattened`` field takes unless its mapping says otherwise (``depth_limit``)."""

_ROUNDS = 3
"""How many kinds of objects are read at once."""


class EcsFormat:
    """``ecs``: what logyard knows under ECS names, the record's message, and its own object under ``json``."""

    name = "ecs"

    def documents(self, selection: Selection, normalise: bool = False) -> Documents:
        """One document for each selected record, on one line, that begins with its time.

        Args:
            selection: the records.
            normalise: write each object anew, so that no name occurs twice in it (the last value counts) and it
                nests no deeper than Elasticsearch's ``flattened`` takes; what cannot be written anew is a message.
                For what Elasticsearch refused: it costs several times as much.
        """
        if normalise or (kinds := kinds_for(selection)) is None:
            return _columns(selection, normalise)
        batch = selection.batch
        middles = _Middles(batch, {})
        stamp = rfc3339(batch.time_ns).encode()
        levels = BySeverity(lambda level: middles[label_of(level)])
        first = (b'{"@timestamp":"', (kinds.TIME, stamp), (kinds.LEVEL, levels), kinds.OFFSET, b'"}')
        pieces = (*first, (kinds.MESSAGE, b',"message":'), b',"json":', kinds.LINE, b"}")
        texts = (*first, b',"message":', (kinds.MESSAGE, None), b"}")
        return Lined(selection, pieces, texts, stamp, _columns)

    def encode(self, selection: Selection, normalise: bool = False) -> list[bytes]:
        """`documents`, written."""
        return self.documents(selection, normalise).written()

    def pieces(self, selection: Selection) -> list[bytes]:
        """As `logyard.formats.Format`."""
        return self.documents(selection).framed((), b"\n")

    def block(self, selection: Selection) -> bytes:
        """As `logyard.formats.Format`."""
        return b"".join(self.pieces(selection))


@dataclass(frozen=True, slots=True)
class _Part:
    """Documents of records that are written alike.

    Attributes:
        group: the records.
        stamps: their times.
        middles: the bytes that stand between time and offset: severity, and what is known of all.
        rest: the pieces that stand behind the offset.
    """

    group: Group
    stamps: Sequence[bytes]
    middles: Sequence[bytes]
    rest: Sequence[bytes | Sequence[bytes]]

    def pieces(self, ids: Sequence[bytes]) -> list[bytes | Sequence[bytes]]:
        return [b'{"@timestamp":"', self.stamps, self.middles, ids, *self.rest]


def _columns(selection: Selection, normalise: bool = False) -> Columns:
    """Documents of any records."""
    documents = _documents(selection, normalise, {})
    if is_partial(selection):
        last = Selection(selection.batch, [selection.batch.count - 1])
        marked = _documents(last, normalise, {"partial": True}).written()
        documents = replace(documents, pieces=([*documents.written()[:-1], *marked],))
    return documents


def _documents(selection: Selection, normalise: bool, marks: dict[str, Any]) -> Columns:
    if not selection.count:
        return Columns(0, (), (), ())
    parts = _parts(selection, normalise, marks)
    ids = offsets(selection)
    if len(parts) == 1:
        return Columns(selection.count, parts[0].pieces(ids), parts[0].stamps, ids)
    groups = [part.group for part in parts]
    written = [spliced(len(part.group.lines), *part.pieces(at(ids, part.group.positions))) for part in parts]
    stamps = gather(selection.count, groups, [part.stamps for part in parts])
    return Columns(selection.count, (gather(selection.count, groups, written),), stamps, ids)


def _parts(selection: Selection, normalise: bool, marks: dict[str, Any]) -> list[_Part]:
    batch = selection.batch
    middle = _Middles(batch, marks)
    if normalise:
        groups = [part for group in divide(selection) for part in _rewritten(group, selection.count)]
        return [_of_group(group, batch, middle) for group in groups]
    parts: list[_Part] = []
    left: Sequence[int] = range(selection.count)
    for _ in range(_ROUNDS):
        told, others = tell(selection.at(left))
        if told is None:
            break
        parts.append(_moved(_of_told(told, batch, middle), left, selection.count))
        left = others if len(left) == selection.count else [left[place] for place in others]
        if not left:
            return parts
    groups = divide(selection.at(left))
    return parts + [_moved(_of_group(group, batch, middle), left, selection.count) for group in groups]


def _moved(part: _Part, places: Sequence[int], total: int) -> _Part:
    """The part of the selection that it was chosen from, at these places."""
    if len(places) == total:
        return part
    positions = part.group.positions
    moved = places if positions is None else [places[position] for position in positions]
    return replace(part, group=replace(part.group, positions=moved))


def _of_told(told: Told, batch: Batch, middle: _Middles) -> _Part:
    group = Group(told.lines, told.places, True)
    total = len(told.lines)
    stamps = None
    if not told.derived:
        if told.times is None:
            stamps = [rfc3339(batch.time_ns).encode()] * total
        else:
            stamps = canonical(told.times, batch.time_ns)
    if stamps is None:
        stamps, labels = moments(group, batch.time_ns)
        middles = list(map(middle.__getitem__, labels))
    elif told.levels is None:
        middles = [middle[b""]] * total
    else:
        middles = list(map(middle.__getitem__, told.levels))
    rest: tuple[bytes | Sequence[bytes], ...]
    if told.messages is None:
        rest = (b'"},"json":', told.lines, b"}")
    elif b"\\" not in batch.block:
        # No string of the batch has anything in it that must be escaped, or it would have been.
        rest = (b'"},"message":"', list(map(str.encode, told.messages)), b'","json":', told.lines, b"}")
    else:
        rest = (b'"},"message":', json_strings(told.messages), b',"json":', told.lines, b"}")
    return _Part(group, stamps, middles, rest)


def _of_group(group: Group, batch: Batch, middle: _Middles) -> _Part:
    stamps, levels = moments(group, batch.time_ns)
    middles = list(map(middle.__getitem__, levels))
    if not group.is_object:
        texts = json_strings([line.decode() for line in group.lines])
        return _Part(group, stamps, middles, (b'"},"message":', texts, b"}"))
    texts = group.messages()
    if b"" not in texts:
        return _Part(group, stamps, middles, (b'"},"message":', texts, b',"json":', group.lines, b"}"))
    messages = [b',"message":' + text if text else b"" for text in texts]
    return _Part(group, stamps, middles, (b'"}', messages, b',"json":', group.lines, b"}"))


class _Middles(dict[bytes | str | None, bytes]):
    """What stands between a record's time and its offset: by severity, or by how that is written in a member."""

    def __init__(self, batch: Batch, marks: dict[str, Any]) -> None:
        self._log, rest = _known(batch, marks)
        self._behind = rest + b',"event":{"id":"' + origin(batch)

    def __missing__(self, written: bytes | str | None) -> bytes:
        level = written if isinstance(written, bytes) else level_label(written)
        inside = b",".join(filter(None, (b'"level":"%b"' % level if level else b"", self._log)))
        self[written] = made = b'"' + (b',"log":{' + inside + b"}" if inside else b"") + self._behind
        return made


def _known(batch: Batch, marks: dict[str, Any]) -> tuple[bytes, bytes]:
    """What is the same for all records of a batch: in the object ``log``, and behind it."""
    log = members({"file": {"path": batch.source}}) if batch.source.startswith("/") else b""
    service: dict[str, Any] = {}
    if batch.app is not None:
        service["name"] = batch.app
    if batch.instance is not None:
        service["node"] = {"name": batch.instance}
    ours: dict[str, Any] = {"key": batch.key, "source": batch.source}
    if batch.cut:
        ours["truncated"] = batch.cut
    found: dict[str, Any] = {"host": {"name": batch.node}}
    if service:
        found["service"] = service
    found |= {"ecs": {"version": ECS_VERSION}, "logyard": ours | marks}
    return log, b"," + members(found)


def _rewritten(group: Group, total: int) -> list[Group]:
    """The group with its objects written anew; those that cannot be in a group of texts."""
    if not group.is_object:
        return [group]
    places = group.positions or range(total)
    written = [None if _depth(line) > _DEPTH else normalised(line) for line in group.lines]
    good = [(line, place) for line, place in zip(written, places, strict=True) if line is not None]
    bad = [place for line, place in zip(written, places, strict=True) if line is None]
    groups = []
    if good:
        groups.append(Group([line for line, _ in good], [place for _, place in good], True))
    if bad:
        texts = dict(zip(places, group.lines, strict=True))
        groups.append(Group([texts[place] for place in bad], bad))
    return groups


def _depth(line: bytes) -> int:
    """How many objects and arrays stand within each other in a valid object, itself not counted."""
    if line.count(b"{") + line.count(b"[") <= _DEPTH:
        return 0
    deepest = depth = 0
    inside = escaped = False
    for byte in line:
        if escaped:
            escaped = False
        elif inside:
            escaped = byte == 0x5C
            inside = byte != 0x22
        elif byte == 0x22:
            inside = True
        elif byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest - 1
