"""What is wrong with a filter, shown where it is wrong."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from logyard.errors import UsageError

__all__ = ["FilterError", "nearest"]

_WINDOW = 100
"""Columns of a filter that are shown; of a longer one the part around the mistake."""
_BEFORE = 60


class FilterError(UsageError):
    """A filter, or a pipe behind it, cannot be understood.

    Its text has several lines: the filter, a caret below the mistake, what is wrong, and what to write instead.

    Args:
        problem: what is wrong and what was expected, in plain words.
        query: the text as the user wrote it.
        start, stop: the characters of ``query`` that are wrong.
        hint: what to write instead, "" when there is nothing to propose.
        saved: the name of the saved filter that ``query`` is, "" for what the user wrote just now.
    """

    def __init__(self, problem: str, query: str, start: int, stop: int, hint: str = "", saved: str = "") -> None:
        self.problem = problem
        self.query = query
        self.start = start
        self.stop = stop
        self.hint = hint
        self.saved = saved
        lines = [f"in the saved filter @{saved}:"] if saved else []
        lines += _pointed(query, start, stop)
        lines.append(problem)
        if hint:
            lines.append(hint)
        super().__init__("\n".join(lines))


def _pointed(query: str, start: int, stop: int) -> tuple[str, str]:
    """The part of the query around a mistake, and the line below it that points there."""
    first, last = 0, len(query)
    if last > _WINDOW:
        first = max(0, min(start - _BEFORE, last - _WINDOW))
        last = min(last, first + _WINDOW)
    # A query may come from anywhere: nothing that moves the cursor reaches the terminal.
    shown = "".join(char if char.isprintable() else " " for char in query)
    before = ("…" if first else "") + shown[first:start]
    line = before + shown[start:last] + ("…" if last < len(query) else "")
    carets = "^" * max(1, _columns(shown[start : min(stop, last)]))
    return f"  {line}", f"  {' ' * _columns(before)}{carets}"


def _columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a mistyped one resembles."""
    from difflib import get_close_matches  # seldom needed, and slow to load

    by_lower = {one.lower(): one for one in known}
    found = get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None
