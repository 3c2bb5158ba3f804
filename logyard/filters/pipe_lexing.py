"""What stands behind ``|`` as tokens."""

from __future__ import annotations

import re

from logyard.filters.error import FilterError, nearest
from logyard.filters.lexing import Lexeme
from logyard.filters.pipes import PIPES

__all__ = ["PipeLexer"]

_SPACE = re.compile(r"\s+")
_FUNCTION = re.compile(r"([A-Za-z_][A-Za-z0-9_]*(?:\.[0-9]+)?)\(")
_NUMBER = re.compile(r"[0-9]+(?![\w.])")
_DURATION = re.compile(r"[0-9][\w.µμ]*")
_NAME = re.compile(r"[A-Za-z_@][\w.@/-]*")
_QUOTED = re.compile(r'"((?:\\.|[^"\\])+)"')
_WORD = re.compile(r"[^\s|,()]+|[\s\S]")
_SIGNS = {",": "COMMA", ")": "RPAR"}
_KEYWORDS = {"by", "every", "as", "asc", "desc"}
_ALIASES = {
    "head": "limit", "tail": "limit", "where": "", "filter": "", "grep": "", "search": "", "select": "fields",
    "keep": "fields", "group": "count by", "order": "sort", "uniq": "top", "wc": "count", "avg": "stats avg(...)",
    "sum": "stats sum(...)", "min": "stats min(...)", "max": "stats max(...)",
}  # fmt: skip
"""What other tools call it; "" for what is the filter's own business here."""


class PipeLexer:
    """Reads the pipes of ``text`` from position ``at``, where a ``|`` stands."""

    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self._at = at

    def read(self) -> list[Lexeme]:
        """All tokens to the end.

        Raises:
            FilterError: there is no such pipe, or something is no part of one.
        """
        found: list[Lexeme] = []
        while True:
            space = _SPACE.match(self._text, self._at)
            if space is not None:
                self._at = space.end()
            if self._at >= len(self._text):
                return found
            start = self._at
            if self._text[start] == "|":
                found.append(self._take("PIPE", "|", 1))
            elif found[-1].kind == "PIPE":
                found.append(self._pipe_name())
            else:
                found.append(self._token())

    def _take(self, kind: str, value: str, length: int) -> Lexeme:
        start = self._at
        self._at += length
        return Lexeme(kind, value, start, self._at)

    def _token(self) -> Lexeme:
        sign = _SIGNS.get(self._text[self._at])
        if sign is not None:
            return self._take(sign, self._text[self._at], 1)
        for kind, pattern in (("FUNCTION", _FUNCTION), ("NUMBER", _NUMBER), ("DURATION", _DURATION), ("NAME", _NAME)):
            found = pattern.match(self._text, self._at)
            if found is None:
                continue
            word = found[0]
            if kind == "FUNCTION":
                start = self._at
                self._at = found.end()
                return Lexeme(kind, found[1], start, self._at - 1)
            return self._take(word.upper() if word in _KEYWORDS else kind, word, len(word))
        quoted = _QUOTED.match(self._text, self._at)
        if quoted is not None:
            return self._take("NAME", re.sub(r"\\(.)", r"\1", quoted[1]), len(quoted[0]))
        other = _WORD.match(self._text, self._at)
        assert other is not None
        raise FilterError(
            f"expected a name or a number here, not {other[0]}",
            self._text,
            self._at,
            other.end(),
            'names with other characters than letters, digits and _.-@/ stand in quotes: count by "my field"',
        )

    def _pipe_name(self) -> Lexeme:
        word = _WORD.match(self._text, self._at)
        assert word is not None
        name = word[0].lower()
        if name in PIPES:
            return self._take(name.upper(), name, len(name))
        instead = _ALIASES.get(name, nearest(name, PIPES))
        if instead == "":
            hint = "records are chosen before the first |: write the filter there"
        elif instead is None:
            hint = "to search for the text | put it in quotes; either of two words is a OR b"
        else:
            hint = f"did you mean | {instead}?"
        raise FilterError(
            f"there is no pipe {word[0]}: expected one of {', '.join(PIPES)}", self._text, self._at, word.end(), hint
        )
