"""What stands before the text of a syslog message.

Sources: RFC 5424 section 6 (https://www.rfc-editor.org/rfc/rfc5424#section-6), RFC 3164 section 4.1.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from logyard.batch import Batch
from logyard.derive.stamp import second_text
from logyard.errors import UsageError
from logyard.formats.fields import as_text, value_at

__all__ = [
    "FACILITIES",
    "batch_data",
    "facility_number",
    "param_names",
    "printable",
    "record_data",
    "stamp_3164",
    "stamp_5424",
    "tag_3164",
]

FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
"""Names by number (RFC 5424 section 6.2.1, with the names that syslog.conf uses)."""

_ENTERPRISE = "32473"
"""The private enterprise number that RFC 5612 sets aside for examples and the like."""
_NOT_PRINTABLE = re.compile(r"[^\x21-\x7e]+")
_NOT_ALPHANUMERIC = re.compile(r"[^A-Za-z0-9]+")
_NOT_A_PARAM = re.compile(r'[^\x21-\x7e]|[="\]]')
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def facility_number(facility: str | int) -> int:
    """The number of a facility given by name or number.

    Raises:
        UsageError: there is none such.
    """
    if isinstance(facility, str):
        if facility in FACILITIES:
            return FACILITIES.index(facility)
        facility = int(facility) if facility.isascii() and facility.isdecimal() else -1
    if not 0 <= facility < len(FACILITIES):
        raise UsageError(f"a syslog facility is 0 to 23 or one of {', '.join(FACILITIES)}")
    return facility


def printable(text: str, limit: int) -> str:
    """``text`` as a field of the header: other characters than printable ASCII become ``_``; ``-`` for nothing."""
    return _NOT_PRINTABLE.sub("_", text)[:limit] or "-"


def tag_3164(text: str) -> str:
    """``text`` as a TAG: letters and digits, at most 32; others are left out (RFC 3164 section 4.1.3)."""
    return _NOT_ALPHANUMERIC.sub("", text)[:32] or "logyard"


def stamp_5424(second: int) -> bytes:
    """``2026-11-22T09:30:00.``; six digits and ``Z`` follow."""
    return second_text(second).encode() + b"."


@lru_cache(maxsize=4096)
def stamp_3164(second: int) -> bytes:
    """``Nov 22 09:30:00``, in UTC."""
    moment = time.gmtime(second)
    return (
        b"%b %2d %02d:%02d:%02d"
        % (_MONTHS[moment.tm_mon - 1].encode(), moment.tm_mday, moment.tm_hour, moment.tm_min, moment.tm_sec)
    )  # fmt: skip


def _param(name: str, value: bytes) -> bytes:
    """A PARAM-NAME and its value, with a backslash before backslash, quote and bracket (section 6.3.3)."""
    escaped = value.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"]", b"\\]")
    return b' %b="%b"' % (name.encode(), escaped)


def batch_data(batch: Batch) -> bytes:
    """The element ``[logyard@32473 ...]``: where the records come from; what is unknown is left out."""
    named = {"key": batch.key, "node": batch.node, "instance": batch.instance, "source": batch.source}
    params = b"".join(_param(name, value.encode()) for name, value in named.items() if value)
    return b"[logyard@%b%b]" % (_ENTERPRISE.encode(), params)


def param_names(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Paths of fields, and what each is called as a PARAM-NAME (at most 32 printable characters).

    Raises:
        UsageError: two would be called the same.
    """
    names: dict[str, str] = {}
    for path in paths:
        name = _NOT_A_PARAM.sub("_", path)[:32]
        if not path:
            raise UsageError("sd_json: a field's name is empty")
        if name in names:
            raise UsageError(f"sd_json: {names[name]!r} and {path!r} would both be called {name!r}")
        names[name] = path
    return [(path, name) for name, path in names.items()]


def record_data(found: Mapping[str, Any] | None, names: Sequence[tuple[str, str]]) -> bytes:
    """The element ``[json@32473 ...]`` with the fields asked for; nothing when the record has none of them."""
    params = b""
    if found is not None:
        for path, name in names:
            value = value_at(found, path)
            if value is not None:
                params += _param(name, as_text(value).encode())
    return b"[json@%b%b]" % (_ENTERPRISE.encode(), params) if params else b""
