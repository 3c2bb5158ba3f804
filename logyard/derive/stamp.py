"""Writing times: RFC 3339 in UTC.

A second's text is made once and kept, because records come in crowds: thousands within one second.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from itertools import repeat
from operator import floordiv, mod

__all__ = ["SECOND", "rfc3339", "second_text", "stamps"]

SECOND = 1_000_000_000
"""Nanoseconds."""
_LAST = 253402300799  # 9999-12-31T23:59:59Z; RFC 3339 has four digits for the year


@lru_cache(maxsize=4096)
def second_text(second: int) -> str:
    """``2026-11-22T09:30:00``, for a number of seconds since 1970; what RFC 3339 cannot say becomes its nearest end."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(min(max(second, 0), _LAST)))


def rfc3339(ns: int) -> str:
    """``2026-11-22T09:30:00.123Z``: with no, 3, 6 or 9 digits, as many as the time needs."""
    second, fraction = divmod(ns, SECOND)
    if not fraction:
        return second_text(second) + "Z"
    if fraction % 1_000_000 == 0:
        return f"{second_text(second)}.{fraction // 1_000_000:03d}Z"
    if fraction % 1000 == 0:
        return f"{second_text(second)}.{fraction // 1000:06d}Z"
    return f"{second_text(second)}.{fraction:09d}Z"


def stamps(times: Sequence[int]) -> list[str]:
    """`rfc3339` of each."""
    fractions = list(map(mod, times, repeat(SECOND)))
    if any(map(mod, fractions, repeat(1000))):
        return list(map(rfc3339, times))
    seconds = map(second_text, map(floordiv, times, repeat(SECOND)))
    micros = map(floordiv, fractions, repeat(1000))
    # Made with six digits each, at the speed of C; what needs fewer is shortened then.
    texts = list(map("%s.%06dZ".__mod__, zip(seconds, micros, strict=True)))
    return [_shortened(text) if text[-4:] == "000Z" else text for text in texts]


def _shortened(text: str) -> str:
    return text[:-8] + "Z" if text[-8:] == ".000000Z" else text[:-4] + "Z"
