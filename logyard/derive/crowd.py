"""Severity and time of lines that all begin alike, still as text.

Most batches come from one program whose lines all begin with the same members. Then a time is needed only as the
text of its second, of which a batch has few, and the digits of its fraction, which can be written on as they are:
no number is made for a record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from logyard.derive.heads import Capture, Head, common_head, match_all
from logyard.derive.severity import Level, LevelRole
from logyard.derive.stamp import SECOND
from logyard.derive.time import TimeRole
from logyard.derive.timestamps import plausible

__all__ = ["Crowd", "read_crowd"]

_REMEMBERED = 8
_heads: list[Head] = []
"""What was learned from the last batches, the latest first: learning from a small batch costs more than reading it."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Columns parallel to the lines, and what they mean.

    Attributes:
        levels: a severity as written.
        seconds: a time up to its second as written; ``fractions``: the digits behind it, all of the same number.
    """

    levels: Sequence[bytes]
    seconds: Sequence[bytes]
    fractions: Sequence[bytes]
    _level: Capture
    _time: Capture
    _observed_ns: int

    def level(self, text: bytes) -> Level | None:
        """The severity that an element of ``levels`` means; None: it has to be looked for elsewhere in the line."""
        # Of several groups one captured it; which one makes no difference to what it means.
        (found,) = self._level.decode([(text,), *[(b"",)] * (len(self._level.blank) - 1)])
        return None if found is None else Level(found)

    def second(self, text: bytes) -> int | None:
        """Seconds since 1970 of an element of ``seconds``; None when it is no time, or may be an absurd one."""
        assert self._time.second is not None
        ns = self._time.second(text)
        if ns is None or plausible(ns, self._observed_ns) is None:
            return None
        return None if plausible(ns + SECOND, self._observed_ns) is None else ns // SECOND


def read_crowd(lines: Sequence[bytes], observed_ns: int) -> Crowd | None:
    """Severity and time of each line; None when the lines do not all begin alike. See `logyard.derive.derive`."""
    for place, head in enumerate(_heads):
        crowd = _read(head, lines, observed_ns)
        if crowd is not None:
            if place:
                _heads.insert(0, _heads.pop(place))
            return crowd
    learned = common_head(lines, (LevelRole(), TimeRole(0)))
    if learned is None or any(head.pattern == learned.pattern for head in _heads):
        return None
    _heads.insert(0, learned)
    del _heads[_REMEMBERED:]
    return _read(learned, lines, observed_ns)


def _read(head: Head, lines: Sequence[bytes], observed_ns: int) -> Crowd | None:
    captures = dict(head.captures)
    level, time = captures[0], captures[1]
    if time.second is None:
        return None
    groups = match_all(head, lines)
    if groups is None:
        return None
    at = 0 if head.captures[0][0] == 0 else len(time.blank)
    start = 0 if at else len(level.blank)
    levels = groups[at]
    for other in groups[at + 1 : at + len(level.blank)]:
        levels = [text or captured for text, captured in zip(levels, other, strict=True)]
    return Crowd(levels, groups[start], groups[start + 1], level, time, observed_ns)
