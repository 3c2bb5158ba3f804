"""Syslog messages, RFC 5424 and RFC 3164, and their framing on a stream.

The header of a message hardly changes from one record to the next, so it is made of pieces that are kept: what
is the same for a batch, and a priority and a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import repeat
from operator import add, floordiv, mod
from typing import TYPE_CHECKING, Any, Literal

from logyard.batch import Batch, Selection
from logyard.derive import Level, derive, levels, times
from logyard.derive.blocks import BySeverity, kinds_for
from logyard.derive.crowd import Crowd, read_crowd
from logyard.derive.severity import level_value
from logyard.derive.stamp import SECOND
from logyard.errors import UsageError
from logyard.formats.fields import json_objects, readable_lines
from logyard.formats.framing import cut_text, escape_newlines, newline_block, octet_frames, prefixed
from logyard.formats.lined import write_lines
from logyard.formats.syslog_header import (
    batch_data,
    facility_number,
    param_names,
    printable,
    record_data,
    stamp_3164,
    stamp_5424,
    tag_3164,
)
from logyard.formats.template import BatchTemplate

if TYPE_CHECKING:
    from logyard.formats import Format

__all__ = ["MINIMUM_SIZE", "SyslogFormat"]

MINIMUM_SIZE = 480
"""Bytes that every receiver takes (RFC 5424 section 6.1)."""

_SEVERITIES: dict[int | None, int] = {None: Level.INFO.syslog} | {level: level.syslog for level in Level}


class _Starts(dict[tuple[int, int], bytes]):
    """What a message begins with, by second and severity: priority, version, time."""

    def __init__(self, rfc: int, facility: int) -> None:
        super().__init__()
        self._rfc = rfc
        self._facility = facility

    def __missing__(self, moment: tuple[int, int]) -> bytes:
        second, severity = moment
        priority = self._facility * 8 + severity
        if self._rfc == 5424:
            start = b"<%d>1 %b" % (priority, stamp_5424(second))
        else:
            start = b"<%d>%b" % (priority, stamp_3164(second))
        if len(self) > 4096:
            self.clear()
        self[moment] = start
        return start


class SyslogFormat:
    """Builds syslog messages.

    Args:
        rfc: 5424 or 3164.
        facility: name or number.
        severity: ``record`` (what the record tells, else info) or the name of one for all.
        time: ``record`` (what the record tells, else when it was observed) or ``observed``.
        hostname, app_name, procid, msgid: templates over what is the same for a batch (placeholders
            `logyard.formats.template.BATCH_NAMES`); RFC 3164 has no msgid, and app_name is its tag.
        structured_data: whether messages carry ``[logyard@32473 key=... node=... instance=... source=...]``.
        sd_json: fields of JSON records (names, or paths joined by dots) to carry under ``[json@32473 ...]``.
        max_size: bytes of a message; the text of a longer one is cut at the end of a character.
        msg_format: how the text of a message is written; as read when None.

    Attributes:
        cut: how many messages were cut since this was made.

    Raises:
        UsageError: an argument is wrong; the text says what there is.
    """

    def __init__(
        self,
        *,
        rfc: int = 5424,
        facility: str | int = "user",
        severity: str = "record",
        time: str = "record",
        hostname: str = "{node}",
        app_name: str = "{app|name}",
        procid: str = "{instance}",
        msgid: str = "{source}",
        structured_data: bool = True,
        sd_json: Sequence[str] = (),
        max_size: int | None = None,
        msg_format: Format | None = None,
    ) -> None:
        if rfc not in (5424, 3164):
            raise UsageError(f"there is no syslog format of RFC {rfc}: give 5424 or 3164")
        if time not in ("record", "observed"):
            raise UsageError(f"a syslog time is 'record' or 'observed', not {time!r}")
        if max_size is not None and max_size < MINIMUM_SIZE:
            raise UsageError(f"a syslog message of at most {max_size} bytes: give at least {MINIMUM_SIZE}")
        if rfc == 3164 and sd_json:
            raise UsageError("RFC 3164 has no structured data: leave out sd_json")
        self.rfc = rfc
        self.cut = 0
        self._severity = None if severity == "record" else _fixed_severity(severity)
        self._record_time = time == "record"
        self._templates = [BatchTemplate(text) for text in (hostname, app_name, procid, msgid)]
        self._structured_data = structured_data
        self._sd_json = param_names(sd_json)
        self._max_size = max_size
        self._msg_format = msg_format
        self._facility = facility_number(facility)
        self._starts = _Starts(rfc, self._facility)

    def messages(self, selection: Selection) -> list[bytes]:
        """One message for each selected record, without framing; for datagrams."""
        heads, texts = self._parts(selection)
        return list(map(add, repeat(heads) if isinstance(heads, bytes) else heads, texts))

    def frames(self, selection: Selection, framing: Literal["octet", "lf"]) -> bytes:
        """The messages as they go over a stream.

        Args:
            selection: the records.
            framing: ``octet``: each message after its length and a space (RFC 6587 section 3.4.1, RFC 5425);
                ``lf``: each before a newline, newlines inside escaped (RFC 6587 section 3.4.2).
        """
        written = self._lined(selection, framing)
        return self._frames(selection, framing) if written is None else b"".join(written)

    def _frames(self, selection: Selection, framing: Literal["octet", "lf"]) -> bytes:
        heads, texts = self._parts(selection, one_line=framing == "lf")
        if framing == "octet":
            return octet_frames(heads, texts)
        if isinstance(heads, bytes):
            # A file's name, of all things, may hold a newline.
            return prefixed(heads.replace(b"\n", b"\\n"), texts)
        return newline_block(list(map(add, heads, texts)))

    def _lined(self, selection: Selection, framing: Literal["octet", "lf"]) -> list[bytes] | None:
        """As `frames`, where most records tell time and severity in usual ways, or do not; None elsewhere."""
        kinds = kinds_for(selection)
        if kinds is None or self.rfc != 5424 or self._sd_json or self._msg_format is not None:
            return None
        if not self._record_time and self._severity is not None:
            return None  # one head for all needs no look at any record
        batch = selection.batch
        second, fraction = divmod(batch.time_ns, SECOND)
        stamp: Any = stamp_5424(second) + b"%06dZ" % (fraction // 1000)
        if self._record_time:
            stamp = (kinds.SYSLOG_TIME, stamp)
        priority: Any
        if self._severity is None:
            priority = (kinds.LEVEL, BySeverity(lambda level: self._priority(_SEVERITIES[level]), known=True))
        else:
            priority = self._priority(self._severity)
        rest = self._rest(batch)[1:]
        end = b"\n" if framing == "lf" else b""
        if end:  # a file's name may hold one, too
            rest = rest.replace(end, b"\\n")
        pieces = (priority, stamp, rest, kinds.LINE, end)
        return write_lines(
            selection, pieces, pieces, partial(self._one_by_one, framing), whole=False, octets=framing == "octet",
            limit=self._max_size + len(end) if self._max_size else 0,
        )  # fmt: skip

    def _one_by_one(self, framing: Literal["octet", "lf"], selection: Selection) -> list[bytes]:
        """As `frames`, each for itself."""
        if framing == "octet":
            return [b"%d %b" % (len(message), message) for message in self.messages(selection)]
        return [line + b"\n" for line in self._frames(selection, framing)[:-1].split(b"\n")]

    def _priority(self, severity: int) -> bytes:
        return b"<%d>1 " % (self._facility * 8 + severity)

    def _parts(self, selection: Selection, *, one_line: bool = False) -> tuple[bytes | list[bytes], list[bytes]]:
        """What each message begins with (one for all, or one for each), and the texts."""
        if not selection.count:
            return b"", []
        heads = self._heads(selection)
        texts = selection.lines if self._msg_format is None else self._msg_format.encode(selection)
        if one_line and (selection.batch.separator != b"\n" or self._msg_format is not None):
            texts = escape_newlines(texts)
        if self._max_size is not None:
            texts = self._cut(heads, texts, self._max_size)
        return heads, texts

    def _cut(self, heads: bytes | list[bytes], texts: list[bytes], size: int) -> list[bytes]:
        longest = len(heads) if isinstance(heads, bytes) else max(map(len, heads))
        if longest + max(map(len, texts)) <= size:
            return texts
        rooms = [size - len(head) for head in ([heads] * len(texts) if isinstance(heads, bytes) else heads)]
        self.cut += sum(len(text) > room for text, room in zip(texts, rooms, strict=True))
        return [cut_text(text, room) for text, room in zip(texts, rooms, strict=True)]

    def _heads(self, selection: Selection) -> bytes | list[bytes]:
        batch = selection.batch
        rest = self._rest(batch)
        heads: bytes | list[bytes]
        if not self._record_time and self._severity is not None:
            second, fraction = divmod(batch.time_ns, SECOND)
            start = self._starts[second, self._severity]
            heads = start + (b"%06d" % (fraction // 1000) if self.rfc == 5424 else b"") + rest
        else:
            heads = self._record_heads(selection, rest)
        if not self._sd_json:
            return heads
        same = self._data(batch)
        more = [record_data(found, self._sd_json) for found in json_objects(selection, readable_lines(selection))]
        return [
            b"%b%b " % (head, same + data or b"-")
            for head, data in zip([heads] * len(more) if isinstance(heads, bytes) else heads, more, strict=True)
        ]

    def _record_heads(self, selection: Selection, rest: bytes) -> list[bytes]:
        batch, lines = selection.batch, selection.lines
        if self._record_time and self._severity is None and self.rfc == 5424:
            # Objects keep the digits that they were written with; text has six, whoever its neighbours are.
            crowd = read_crowd(lines, batch.time_ns) if lines[0][:1] == b"{" else None
            heads = None if crowd is None else self._crowd_heads(crowd, rest)
            if heads is not None:
                return heads
        found: list[int | None]
        stamps: list[int]
        if not self._record_time:
            found, stamps = list(levels(lines)), [batch.time_ns] * len(lines)
        elif self._severity is None:
            found, stamps = derive(lines, batch.time_ns)
        else:
            found, stamps = [], times(lines, batch.time_ns)
        severities = map(_SEVERITIES.__getitem__, found) if self._severity is None else repeat(self._severity)
        seconds = map(floordiv, stamps, repeat(SECOND))
        starts = map(self._starts.__getitem__, zip(seconds, severities, strict=False))
        if self.rfc == 3164:
            return list(map(add, starts, repeat(rest)))
        microseconds = map(floordiv, map(mod, stamps, repeat(SECOND)), repeat(1000))
        ends = map((b"%06d" + rest.replace(b"%", b"%%")).__mod__, microseconds)
        return list(map(add, starts, ends))

    def _crowd_heads(self, crowd: Crowd, rest: bytes) -> list[bytes] | None:
        """As `_record_heads`, without a number for each record; None when some have to be looked at alone."""
        digits = len(crowd.fractions[0])
        if digits > 6:  # RFC 5424 section 6.2.3 has no nanoseconds
            return None
        starts: dict[tuple[bytes, bytes], bytes] = {}
        for written in set(zip(crowd.levels, crowd.seconds, strict=True)):
            level, second = crowd.level(written[0]), crowd.second(written[1])
            if level is None or second is None:
                return None
            start = self._starts[second, level.syslog]
            starts[written] = start if digits else start.removesuffix(b".")
        pairs = zip(crowd.levels, crowd.seconds, strict=True)
        return list(map(b"".join, zip(map(starts.__getitem__, pairs), crowd.fractions, repeat(rest), strict=False)))

    def _rest(self, batch: Batch) -> bytes:
        """The part of the header behind seconds and their fraction, up to the text (or record's own data)."""
        hostname, app_name, procid, msgid = (template.text(batch) for template in self._templates)
        if self.rfc == 3164:
            process = "" if procid == "-" else f"[{printable(procid, 128)}]"
            return f" {printable(hostname, 255)} {tag_3164(app_name)}{process}: ".encode()
        names = f"{printable(hostname, 255)} {printable(app_name, 48)} {printable(procid, 128)} {printable(msgid, 32)}"
        if self._sd_json:
            return f"Z {names} ".encode()
        return b"Z %b %b " % (names.encode(), self._data(batch) or b"-")

    def _data(self, batch: Batch) -> bytes:
        return batch_data(batch) if self._structured_data else b""


def _fixed_severity(name: str) -> int:
    level = level_value(name)
    if level is None:
        choices = ", ".join(level.label for level in Level)
        raise UsageError(f"a syslog severity is 'record' or one of {choices}, not {name!r}")
    return level.syslog
