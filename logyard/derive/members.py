"""The members of a JSON object on a line: how they are written, and what they are.

Severity and time stand near the beginning of most JSON lines, in plain members (strings, numbers, true,
false, null), so the *leading* members are what counts: the first ones, up to the first array or object. They
can be read without reading the rest of the line, which `logyard.derive.heads` does for whole batches. A line
that is cut in its middle, and therefore no JSON, is read as far as its leading members go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import orjson

__all__ = ["NUMBER", "PLAIN", "STRING", "leading", "members", "quoted", "written"]

STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
NUMBER = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?"
PLAIN = rb"(?:" + NUMBER + rb"|true|false|null)"
"""A member's value that is neither string, array nor object."""

_SPACE = rb"[ \t\r\n]*+"
_MEMBER = re.compile(
    b"(%b(%b)%b:%b)(%b|%b)(?=%b([,}]))" % (_SPACE, STRING, _SPACE, _SPACE, STRING, PLAIN, _SPACE), re.DOTALL
)
_OPENING = re.compile(_SPACE + rb"\{")
_DELIMITER = re.compile(_SPACE + rb",")
_ENOUGH = 64
"""Leading members that are looked at: who writes more before severity and time means something else by them."""


def written(line: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """The leading members of ``line`` as they are written.

    Yields:
        What stands before the value, from where the last value ended (brace or comma, name, colon, spaces);
        the name in its quotes; the value. Nothing for a line that does not begin like an object.
    """
    opening = _OPENING.match(line)
    if opening is None:
        return
    before = 0
    at = opening.end()
    while (member := _MEMBER.match(line, at)) is not None:
        yield line[before : member.end(1)], member[2], member[3]
        before = member.end()
        delimiter = _DELIMITER.match(line, before)
        if delimiter is None:
            return
        at = delimiter.end()


def leading(line: bytes) -> dict[str, object]:
    """The leading members of ``line`` by name; the first one where a name occurs twice."""
    found: dict[str, object] = {}
    for _, name, value in islice(written(line), _ENOUGH):
        try:
            found.setdefault(orjson.loads(name), orjson.loads(value))
        except orjson.JSONDecodeError:  # invalid UTF-8 or a wrong escape: as if it were not there
            continue
    return found


def quoted(names: Iterable[str]) -> dict[str, bytes]:
    """Names as `members` takes them: with how they are written."""
    return {name: b'"%b"' % name.encode() for name in names}


def members(line: bytes, names: Mapping[str, bytes]) -> Mapping[str, object] | None:
    """The members of the object on ``line``, in their order; None when the line is text.

    Args:
        line: a record.
        names: those that the caller looks for (`quoted`); only they are sure to be right where names occur
            twice: then the first one counts if it is a leading member, else the last one.
    """
    if line[:1] != b"{" and line.lstrip(b" \t\r\n")[:1] != b"{":
        return None
    try:
        found: dict[str, object] = orjson.loads(line)
    except orjson.JSONDecodeError:
        return leading(line) or None
    escaped = b"\\" in line and b"\\u" in line
    for name in found.keys() & names.keys():
        # Whether it occurs twice is only looked at closely where it may: nested, in a text, or really.
        if escaped or line.count(names[name]) > 1:
            return found | leading(line)
    return found
