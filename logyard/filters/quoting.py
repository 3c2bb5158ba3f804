"""Words, quotes and wildcards as they are written in a filter."""

from __future__ import annotations

import re

__all__ = ["SMART_QUOTES", "WORD", "expression_text", "unescape", "unescape_quoted", "wildcard_parts"]

WORD = re.compile(r"(?:\\[\s\S]|[^\s()|\"])+")
"""Text outside of quotes, wildcards and escapes included."""
SMART_QUOTES = frozenset("“”„‘’«»")

_ESCAPE = re.compile(r"\\([^A-Za-z0-9])")
_ESCAPE_OR_STAR = re.compile(r"\\[\s\S]|\*")
_ESCAPED = re.compile(r"\\([\s\S])")
_MEANT = {'"': '"', "'": "'", "\\": "\\", "n": "\n", "t": "\t", "r": "\r"}


def wildcard_parts(word: str) -> tuple[str, ...]:
    """The literal texts between the wildcards of a word; a single one when it has no wildcard."""
    parts: list[str] = []
    begin = 0
    for found in _ESCAPE_OR_STAR.finditer(word):
        if found[0] == "*":
            parts.append(unescape(word[begin : found.start()]))
            begin = found.end()
    parts.append(unescape(word[begin:]))
    if len(parts) == 1:
        return (parts[0],)
    return (parts[0], *(part for part in parts[1:-1] if part), parts[-1])


def unescape(word: str) -> str:
    """A word without the backslashes before its characters; before a letter or digit they are text."""
    return _ESCAPE.sub(r"\1", word)


def unescape_quoted(inner: str) -> str:
    r"""What stands between quotes, as text: ``\"``, ``\'``, ``\\``, ``\n``, ``\t`` and ``\r`` are known."""
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[0]), inner)


def expression_text(inner: str, quote: str) -> str:
    """What stands between quotes, as an expression: only the quote is escaped, all else is RE2's."""
    return _ESCAPED.sub(lambda found: quote if found[1] == quote else found[0], inner)
