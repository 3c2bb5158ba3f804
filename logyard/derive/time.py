"""The time of a record, found in what the application wrote.

In this order, and the first that can be read and is not absurd counts (docs/formats.md has examples):

1. A JSON object: its first member named ``ts``, ``time``, ``timestamp`` or ``@timestamp`` that holds a time: text as
   below, or a number since 1970 in seconds, milliseconds, microseconds or nanoseconds, told apart by its size.
2. Text: a timestamp at the beginning (behind a syslog priority, a level in capitals, a bracket or a quote), else
   a pair ``time=...`` (or another of the names above), else the first timestamp that follows a ``[``; the latter
   two within the first 192 bytes.

A time without a zone is UTC; one without a year is the latest such time up to a day after it was observed. Times
before 1971, or more than a day after the record was observed, are absurd: clocks that were never set, and
numbers that are no time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from operator import add, mul
from typing import cast

from logyard.derive.heads import TEXT_WINDOW, Capture, read_heads
from logyard.derive.members import members, quoted
from logyard.derive.stamp import SECOND, rfc3339
from logyard.derive.timestamps import ISO, iso_second, opening_stamp, plausible, stamp_at

__all__ = ["TIME_NAMES", "TimeRole", "rfc3339", "time_in_members", "time_in_text", "time_of", "times"]

TIME_NAMES = frozenset({"ts", "time", "timestamp", "@timestamp"})
"""Members and logfmt names that hold a time."""
_LOOKED_FOR = quoted(TIME_NAMES)

_POWERS: tuple[int, ...] = tuple(10**power for power in range(10))
# These begin with a literal, for which the engine scans fastest; what may stand before the name comes then.
_PAIRS = tuple(
    (name + b"=", re.compile(name + before + rb"=[\"']?"))
    for name, before in (
        (b"ts", rb"(?<![\w.-]ts)"),
        (b"time", rb"(?<![\w.-]time)"),
        (b"timestamp", rb"(?:(?<![\w.@-]timestamp)|(?<![\w.-]@timestamp)(?<=@timestamp))"),
    )
)
_BRACKET = re.compile(rb"\[(?=[0-9]{4}[-/]|[0-9]{2}/|[A-Z][a-z]{2} )")
_NUMBER = re.compile(rb"[0-9]{10,19}(?:\.[0-9]{1,12})?(?![\w.:/-])")
_EPOCH = re.compile(rb"[1-9][0-9]{9}((?:[0-9]{3}){0,3})(?:\.([0-9]+))?")

# Stricter than what would be read on, which is fine here.
_NO_ZONE = rb"(?![0-9]|[.,][0-9]| ?(?:[Zz]|UTC|GMT|[-+][0-9]{2}))"


def epoch_ns(value: float) -> int | None:
    """ns of a number since 1970: seconds below 1e11, milliseconds below 1e14, microseconds below 1e17, else ns.

    Fractions count down to the microsecond, which is what a float can hold.
    """
    if not 0 < value < 1e20:
        return None
    unit = 9 if value < 1e11 else 6 if value < 1e14 else 3 if value < 1e17 else 0
    whole, _, digits = str(value).partition(".")
    if not whole.isdecimal() or (digits and not digits.isdecimal()):  # 1e+16
        return int(value) * _POWERS[unit]
    kept = digits[: max(unit - 3, 0)]
    return int(whole) * _POWERS[unit] + int(kept or "0") * _POWERS[unit - len(kept)]


def _number_ns(text: bytes) -> int | None:
    return epoch_ns(float(text) if b"." in text else int(text))


def time_value(value: object, observed_ns: int) -> int | None:
    """The time that a JSON value means, in ns since 1970; None when it is no time, or an absurd one."""
    if isinstance(value, str):
        text = value.strip().encode(errors="replace")
        ns = opening_stamp(text, observed_ns)
        if ns is None and _NUMBER.fullmatch(text) is not None:
            ns = plausible(_number_ns(text), observed_ns)
        return ns
    if type(value) is int or type(value) is float:
        return plausible(epoch_ns(value), observed_ns)
    return None


def time_in_members(found: Mapping[str, object], observed_ns: int) -> int | None:
    """The time in the members of a JSON object, in ns since 1970."""
    for name in found:
        if name in TIME_NAMES:
            ns = time_value(found[name], observed_ns)
            if ns is not None:
                return ns
    return None


def time_in_text(line: bytes, observed_ns: int) -> int | None:
    """The time in a line that is no JSON object, in ns since 1970."""
    ns = opening_stamp(line, observed_ns)
    if ns is not None:
        return ns
    for name, pattern in _PAIRS:
        if line.find(name, 0, TEXT_WINDOW) >= 0 and (pair := pattern.search(line, 0, TEXT_WINDOW)) is not None:
            number = _NUMBER.match(line, pair.end())
            if number is None:
                ns = stamp_at(line, pair.end(), observed_ns)
            else:
                ns = plausible(_number_ns(number[0]), observed_ns)
            if ns is not None:
                return ns
    if line.find(b"[", 0, TEXT_WINDOW) >= 0:
        bracket = _BRACKET.search(line, 0, TEXT_WINDOW)
        while bracket is not None and ns is None:
            ns = stamp_at(line, bracket.end(), observed_ns)
            bracket = _BRACKET.search(line, bracket.end(), TEXT_WINDOW)
    return ns


def time_of(line: bytes, observed_ns: int) -> int | None:
    """The time of one record in ns since 1970, None when it tells none that can be believed."""
    found = members(line, _LOOKED_FOR)
    return time_in_text(line, observed_ns) if found is None else time_in_members(found, observed_ns)


class TimeRole:
    """Times in the leading members of JSON lines.

    Args:
        observed_ns: when the lines were observed.
    """

    names = frozenset(_LOOKED_FOR.values())

    def __init__(self, observed_ns: int) -> None:
        self._observed_ns = observed_ns

    def learn(self, value: bytes) -> Capture | None:
        """As `logyard.derive.heads.Role`."""
        if value[:1] != b'"':
            return self._learn_number(value)
        found = ISO.fullmatch(value[1:-1])
        return None if found is None else self._learn_stamp(found, b'"', b'"')

    rank = 0

    def learn_text(self, line: bytes, at: int) -> tuple[Capture, int] | None:
        """As `logyard.derive.heads.Role`: a timestamp that opens the line, perhaps in a bracket."""
        before = b"[" if line[at : at + 1] == b"[" else b""
        found = ISO.match(line, at + len(before))
        if found is None:
            return None
        behind = _NO_ZONE if found[3] is None and found[4] is None else rb"(?![\w:])"
        capture = self._learn_stamp(found, re.escape(before), behind)
        return None if capture is None else (capture, found.end())

    def _learn_stamp(self, found: re.Match[bytes], before: bytes, behind: bytes) -> Capture | None:
        text, digits, zone, hours = found.groups()
        width = len(digits or b"")
        if width > 9:
            return None
        fraction = b"()"
        if digits is not None:
            fraction = re.escape(found[0][19:20]) + b"([0-9]{%d})" % width
        rest = found[0][len(text) + width + (width > 0) :]
        name = zone or hours or b"Z"
        return Capture(
            before + rb"(.{19})" + fraction + re.escape(rest) + behind,
            (b"", b"0"),
            lambda groups: self._column(groups, lambda text: iso_second(text, name), width),
            lambda text: iso_second(text, name),
        )

    def _learn_number(self, text: bytes) -> Capture | None:
        found = _EPOCH.fullmatch(text)
        if found is None:
            return None
        finer, digits = found.groups()
        if digits is None:
            width = len(finer)
            pattern = b"([1-9][0-9]{9})([0-9]{%d})" % width
        elif finer or len(digits) > 6:  # what a float cannot hold is not taken apart
            return Capture(rb"([1-9][0-9]{9,}\.[0-9]+)", (b"",), self._floats)
        else:
            width = len(digits)
            pattern = rb"([1-9][0-9]{9})\.([0-9]{%d})" % width
        return Capture(pattern, (b"", b"0"), lambda groups: self._column(groups, _whole_second, width), _whole_second)

    def _floats(self, groups: Sequence[tuple[bytes, ...]]) -> list[int | None]:
        observed_ns = self._observed_ns
        return [plausible(epoch_ns(float(text)), observed_ns) if text else None for text in groups[0]]

    def _column(
        self, groups: Sequence[tuple[bytes, ...]], second_of: Callable[[bytes], int | None], width: int
    ) -> list[int | None]:
        wholes, fractions = groups
        seconds = {text: second_of(text) for text in set(wholes)}
        scale = 10 ** (9 - width)
        parts: Iterable[int] = map(mul, map(int, fractions), repeat(scale)) if width else repeat(0)
        found = map(seconds.__getitem__, wholes)
        if all(second is not None and self._is_sane(second) for second in seconds.values()):
            return list(map(add, cast("Iterator[int]", found), parts))
        return [
            None if second is None else plausible(second + part, self._observed_ns)
            for second, part in zip(found, parts, strict=False)
        ]

    def _is_sane(self, second: int) -> bool:
        """Whether all times within this second are plausible."""
        return (
            plausible(second, self._observed_ns) is not None
            and plausible(second + SECOND, self._observed_ns) is not None
        )


def _whole_second(text: bytes) -> int | None:
    return int(text) * SECOND if text else None


def times(lines: Sequence[bytes], observed_ns: int) -> list[int]:
    """The time of each record in ns since 1970; ``observed_ns`` for one that `time_of` finds none in."""
    (column,) = read_heads(lines, (TimeRole(observed_ns),))
    for index, ns in enumerate(column):
        if ns is None:
            found = time_of(lines[index], observed_ns)
            column[index] = observed_ns if found is None else found
    return cast("list[int]", column)
