"""Documents for Elasticsearch and OpenSearch, with the names of the Elastic Common Schema.

The application's own object stands whole under ``json``, which an index template maps as ``flattened``, so that
no application can make mappings explode (docs/formats.md has the table of names, and what that field is).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from logyard.batch import Batch, Selection
from logyard.formats.moments import moments
from logyard.formats.objects import Group, divide, gather, json_strings, normalised
from logyard.formats.splice import at, is_partial, members, offsets, origin, spliced

__all__ = ["ECS_VERSION", "EcsFormat"]

ECS_VERSION = "8.17.0"
_DEPTH = 20
"""Levels of nesting that a ``flattened`` field takes unless its mapping says otherwise (``depth_limit``)."""


class EcsFormat:
    """``ecs``: what logyard knows under ECS names, the record's message, and its own object under ``json``."""

    name = "ecs"

    def encode(self, selection: Selection, normalise: bool = False) -> list[bytes]:
        """One document for each selected record, on one line.

        Args:
            selection: the records.
            normalise: write each object anew, so that no name occurs twice in it (the last value counts) and it
                nests no deeper than Elasticsearch's ``flattened`` takes; what cannot be written anew is a message.
                For what Elasticsearch refused: it costs several times as much.
        """
        documents = _documents(selection, normalise, {})
        if is_partial(selection):
            last = Selection(selection.batch, [selection.batch.count - 1])
            documents[-1:] = _documents(last, normalise, {"partial": True})
        return documents

    def block(self, selection: Selection) -> bytes:
        """As `logyard.formats.Format`."""
        return b"\n".join((*self.encode(selection), b""))


def _documents(selection: Selection, normalise: bool, marks: dict[str, Any]) -> list[bytes]:
    if not selection.count:
        return []
    groups = divide(selection)
    if normalise:
        groups = [part for group in groups for part in _rewritten(group, selection.count)]
    ids = offsets(selection)
    known = _known(selection.batch, marks)
    made = [_of_group(group, at(ids, group.positions), selection.batch, known) for group in groups]
    return gather(selection.count, groups, made)


def _of_group(group: Group, ids: Sequence[bytes], batch: Batch, known: tuple[bytes, bytes]) -> list[bytes]:
    stamps, levels = moments(group, batch.time_ns)
    log, rest = known
    identity = b',"event":{"id":"' + origin(batch)
    middles = {}
    for level in set(levels):
        inside = b",".join(filter(None, (b'"level":"%b"' % level if level else b"", log)))
        middles[level] = b'"' + (b',"log":{' + inside + b"}" if inside else b"") + rest + identity
    messages: bytes | Iterable[bytes]
    if not group.is_object:
        texts = json_strings([line.decode() for line in group.lines])
        pieces: tuple[bytes | Iterable[bytes], ...] = (b'"},"message":', texts, b"}")
    else:
        texts = group.messages()
        if b"" not in texts:
            pieces = (b'"},"message":', texts, b',"json":', group.lines, b"}")
        else:
            messages = [b',"message":' + text if text else b"" for text in texts]
            pieces = (b'"}', messages, b',"json":', group.lines, b"}")
    return spliced(len(group.lines), b'{"@timestamp":"', stamps, list(map(middles.__getitem__, levels)), ids, *pieces)


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
