"""Events for Loggly: the record's own members at the top, so that ``json.<name>`` finds them, and where it is from."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import orjson

from logyard.batch import Batch, Selection
from logyard.derive.blocks import BySeverity, kinds_for
from logyard.derive.stamp import rfc3339
from logyard.derive.time import time_value
from logyard.formats.fields import as_object, labels_of
from logyard.formats.framing import cut_text, one_by_one
from logyard.formats.lined import write_lines
from logyard.formats.moments import label_of, moments
from logyard.formats.objects import Group, divide, gather, json_strings
from logyard.formats.splice import at, is_partial, members, offsets, origin, spliced

__all__ = ["EVENT_LIMIT", "LogglyFormat"]

EVENT_LIMIT = 1_000_000
"""Bytes of an event; Loggly's page says "1 MB". https://documentation.solarwinds.com/en/success_center/loggly/"""
_OURS = frozenset({"timestamp", "logyard"})
_RESERVED = tuple(name.encode() for name in sorted(_OURS))


class LogglyFormat:
    """``loggly``: ``timestamp``, an object ``logyard`` with what logyard knows, and the record's own members.

    Args:
        limit: bytes of an event; the message of a longer one is cut.
    """

    name = "loggly"

    def __init__(self, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit

    def events(self, selection: Selection) -> tuple[list[bytes], int]:
        """One event for each selected record, on one line, and how many were cut to the limit.

        A JSON object that is too long becomes a message, since what is left of it is no object.
        """
        written = self._lined(selection)
        return self._any(selection) if written is None else (one_by_one(written[0]), written[1])

    def framed(self, selection: Selection) -> tuple[list[bytes], int]:
        """As `events`, a newline behind each, in pieces of whole events."""
        written = self._lined(selection)
        if written is not None:
            return written
        events, cut = self._any(selection)
        return [b"\n".join((*events, b""))] if events else [], cut

    def _lined(self, selection: Selection) -> tuple[list[bytes], int] | None:
        """As `framed`, where most records are usual ones; None elsewhere."""
        if (kinds := kinds_for(selection)) is None:
            return None
        batch = selection.batch
        known, end = b',"logyard":{' + members(_known(batch)), b',"id":"' + origin(batch)
        levels = BySeverity(lambda level: _told(known, label_of(level)) + end)
        stamp = (b'{"timestamp":"', (kinds.TIME, rfc3339(batch.time_ns).encode()), b'"')
        around = (*stamp, (kinds.LEVEL, levels), kinds.OFFSET, b'"},', kinds.BODY, b"\n")
        texts = (*stamp, b',"message":', (kinds.MESSAGE, None), (kinds.LEVEL, levels), kinds.OFFSET, b'"}}\n')
        cut = 0

        def others(left: Selection) -> list[bytes]:
            nonlocal cut
            events, cut = self._any(left)
            return [event + b"\n" for event in events]

        written = write_lines(
            selection, around, texts, others, unique=True, reserved=_RESERVED, limit=self._limit + len(b"\n")
        )
        return None if written is None else (written, cut)

    def _any(self, selection: Selection) -> tuple[list[bytes], int]:
        """As `events`, of any records."""
        events = _events(selection, {})
        if is_partial(selection):
            events[-1:] = _events(Selection(selection.batch, [selection.batch.count - 1]), {"partial": True})
        long = [index for index, event in enumerate(events) if len(event) > self._limit]
        if long:
            lines = selection.lines
            for index in long:
                events[index] = _cut(events[index], lines[index], self._limit)
        return events, len(long)

    def encode(self, selection: Selection) -> list[bytes]:
        """As `logyard.formats.Format`."""
        return self.events(selection)[0]

    def block(self, selection: Selection) -> bytes:
        """As `logyard.formats.Format`."""
        return b"".join(self.pieces(selection))

    def pieces(self, selection: Selection) -> list[bytes]:
        """As `logyard.formats.Format`."""
        return self.framed(selection)[0]


def _events(selection: Selection, marks: dict[str, Any]) -> list[bytes]:
    if not selection.count:
        return []
    groups = divide(selection)
    ids = offsets(selection)
    batch = selection.batch
    known = members(_known(batch) | marks)
    return gather(
        selection.count, groups, [_of_group(group, at(ids, group.positions), batch, known) for group in groups]
    )


def _told(known: bytes, level: bytes) -> bytes:
    """What is known of all records, and a record's severity if it tells one."""
    return known + b',"level":"%b"' % level if level else known


def _of_group(group: Group, ids: Sequence[bytes], batch: Batch, known: bytes) -> list[bytes]:
    stamps, levels = moments(group, batch.time_ns)
    total = len(group.lines)
    plain = b',"logyard":{' + known
    end = b',"id":"' + origin(batch)
    by_level = {level: _told(plain, level) + end for level in set(levels)}
    middles = list(map(by_level.__getitem__, levels))
    if not group.is_object:
        texts = json_strings([line.decode() for line in group.lines])
        return spliced(total, b'{"timestamp":"', stamps, b'","message":', texts, middles, ids, b'"}}')
    names = group.shape.fields if group.shape is not None else None
    if names is not None and "logyard" not in names:
        rests = [line[1:] for line in group.lines]
        if "timestamp" not in names:
            return spliced(total, b'{"timestamp":"', stamps, b'"', middles, ids, b'"},', rests)
        own = map(attrgetter(names["timestamp"]), group.values)
        if all(isinstance(text, str) and text.encode() == stamp for text, stamp in zip(own, stamps, strict=True)):
            return spliced(total, b"{", [middle[1:] for middle in middles], ids, b'"},', rests)
    ours = spliced(total, b'"', middles, ids, b'"}')
    return _one_by_one(group.lines, stamps, ours, batch.time_ns)


def _one_by_one(
    lines: Sequence[bytes], stamps: Sequence[bytes], ours: Sequence[bytes], observed_ns: int
) -> list[bytes]:
    """Objects of which it is not known that no name occurs twice."""
    events: list[bytes] = []
    for line, stamp, own in zip(lines, stamps, ours, strict=True):
        start = b'{"timestamp":"' + stamp + own
        found = as_object(line)
        if found is None:
            events.append(start + b',"message":' + orjson.dumps(line.decode()) + b"}")
            continue
        _free(found, stamp, observed_ns)
        events.append(start + (b"," + members(found) if found else b"") + b"}")
    return events


def _free(found: dict[str, Any], stamp: bytes, observed_ns: int) -> None:
    """Free our names: a member so named gets a ``_`` behind its name, unless it is the time that is told anyway."""
    for name in found.keys() & _OURS:
        value = found.pop(name)
        if name == "timestamp" and time_value(value, observed_ns) == time_value(stamp.decode(), observed_ns):
            continue
        free = name + "_"
        while free in found:
            free += "_"
        found[free] = value


def _known(batch: Batch) -> dict[str, Any]:
    """What is the same for all records of a batch."""
    return labels_of(batch) | ({"truncated": batch.cut} if batch.cut else {})


def _cut(event: bytes, line: bytes, limit: int) -> bytes:
    """The event with as much of the record as there is room for, and its length beside."""
    found = orjson.loads(event)
    ours = found["logyard"]
    ours.setdefault("truncated", len(line))
    text = line.decode(errors="replace").encode()
    short = {"timestamp": found["timestamp"], "message": "", "logyard": ours}
    room = limit - len(orjson.dumps(short))
    size = room
    while True:
        # What is escaped takes more room than it has bytes, so the first cut may not be enough.
        short["message"] = cut_text(text, size).decode()
        over = len(orjson.dumps(short["message"])) - 2 - room
        if over <= 0:
            return orjson.dumps(short)
        size -= max(over // 6, 1)
