"""Moving through the text of a filter: spaces, quotes, and errors that show the place."""

from __future__ import annotations

import re

from logyard.filters.error import FilterError
from logyard.filters.quoting import SMART_QUOTES, unescape_quoted

__all__ = ["SPACE", "Scanner"]

SPACE = re.compile(r"\s+")
_AFTER_QUOTE = re.compile(r"[\s()|]|\Z")


class Scanner:
    """A text, and how far it is read.

    Args:
        text: the filter.
        saved: the name of the saved filter that it is, else "".
    """

    def __init__(self, text: str, saved: str) -> None:
        self._text = text
        self._saved = saved
        self._at = 0

    def error(self, problem: str, start: int, stop: int | None = None, hint: str = "") -> FilterError:
        """The error for characters of this text."""
        return FilterError(problem, self._text, start, start + 1 if stop is None else stop, hint, self._saved)

    def _skip_space(self) -> bool:
        space = SPACE.match(self._text, self._at)
        if space is not None:
            self._at = space.end()
        return self._at < len(self._text)

    def _peek(self, count: int = 1) -> str:
        return self._text[self._at : self._at + count]

    def _refuse_smart_quote(self) -> None:
        char = self._peek()
        if char in SMART_QUOTES:
            end = next((at for at in range(self._at + 1, len(self._text)) if self._text[at] in SMART_QUOTES), self._at)
            inner = self._text[self._at + 1 : end]
            hint = f'write "{inner}"' if inner else "write them straight"
            raise self.error(f"expected straight quotes, not {char}", self._at, self._at + 1, hint)

    def _string(self) -> str:
        """The text in quotes that begins here."""
        return unescape_quoted(self._quoted())

    def _quoted(self) -> str:
        start = self._at
        quote = self._peek()
        at = start + 1
        while at < len(self._text) and self._text[at] != quote:
            at += 2 if self._text[at] == "\\" else 1
        if at >= len(self._text):
            smart = next((char for char in self._text[start:] if char in SMART_QUOTES), None)
            hint = f"{smart} does not close it: quotes are straight" if smart else f"add {quote} where the text ends"
            raise self.error(f"expected {quote} to close the text that begins here", start, start + 1, hint)
        inner = self._text[start + 1 : at]
        self._at = at + 1
        if _AFTER_QUOTE.match(self._text, self._at) is None:
            hint = 'inside quotes write \\" for a quote; * is a wildcard outside of quotes only'
            raise self.error("expected a space behind the closing quote", self._at, self._at + 1, hint)
        return inner
