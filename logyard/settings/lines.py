"""Where the keys of a TOML document stand.

``tomllib`` says what a document holds but not where, so a second, smaller reader walks over a document that
``tomllib`` has accepted and notes the line of every key, table and array element. It relies on the document
being valid and keeps no values.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate

__all__ = ["KeyPath", "find_lines"]

KeyPath = tuple[str | int, ...]
"""Keys, and positions in arrays, from the document's root: ``("agent", "files", 0, "path")``."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")'  # up to two quotes may stand before the closing three
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


def find_lines(text: str) -> dict[KeyPath, int]:
    """The 1-based line of every key, table and array element of a valid TOML document.

    A table is where it is first mentioned, an array of tables where its first element is.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._starts = list(accumulate((len(line) + 1 for line in text.split("\n")), initial=0))
        # Arrays of tables, and how many elements each has so far: [a.b] after [[a]] continues the last one.
        self._arrays: dict[KeyPath, int] = {}

    def document(self) -> None:
        here: KeyPath = ()
        while True:
            self._skip(_BLANK)
            if self._at >= len(self._text):
                return
            if self._text.startswith("[", self._at):
                here = self._header()
            else:
                self._pair(here)

    def _header(self) -> KeyPath:
        line = self._line()
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        parts = self._key()
        self._skip(_SPACE)
        self._at += brackets
        path: KeyPath = ()
        for part in parts[:-1]:
            path = self._step(path, part, line)
        if brackets == 1:
            return self._step(path, parts[-1], line)
        path = (*path, parts[-1])
        self.lines.setdefault(path, line)
        position = self._arrays.get(path, 0)
        self._arrays[path] = position + 1
        path = (*path, position)
        self.lines[path] = line
        return path

    def _step(self, path: KeyPath, part: str, line: int) -> KeyPath:
        path = (*path, part)
        self.lines.setdefault(path, line)
        return (*path, self._arrays[path] - 1) if path in self._arrays else path

    def _pair(self, here: KeyPath) -> None:
        line = self._line()
        for part in self._key():
            here = (*here, part)
            self.lines.setdefault(here, line)
        self._skip(_SPACE)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(here)

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_SPACE)
            if self._text[self._at] in "\"'":
                parts.append(_unquote(self._take(_STRING)))
            else:
                parts.append(self._take(_BARE_KEY))
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        start = self._text[self._at]
        if start in "\"'":
            self._take(_STRING)
        elif start == "[":
            self._at += 1
            position = 0
            while self._more("]"):
                self.lines[(*path, position)] = self._line()
                self._value((*path, position))
                position += 1
        elif start == "{":
            self._at += 1
            while self._more("}"):
                self._pair(path)
        else:
            self._take(_SCALAR)

    def _more(self, end: str) -> bool:
        """Go to the next element of an array or inline table; False, and behind it, at its end."""
        self._skip(_BLANK)
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip(_BLANK)
        if self._text.startswith(end, self._at):
            self._at += 1
            return False
        return True

    def _line(self) -> int:
        return bisect_right(self._starts, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._take(pattern)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        assert match is not None, "tomllib accepted the document"
        self._at = match.end()
        return match[0]


def _unquote(token: str) -> str:
    if "\\" not in token or token.startswith("'"):
        return token[1:-1]
    import tomllib

    return str(tomllib.loads(f"key = {token}")["key"])
