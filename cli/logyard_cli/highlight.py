"""Words and expressions marked in text that goes to a terminal. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from logyard_cli.colour import RESET
from logyard_cli.expressions import compile_regex

__all__ = ["Highlighter", "make_highlighter"]

MARK = "\x1b[30;48;5;222m"  # black on a soft yellow: readable on dark and on light backgrounds
_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")


class Highlighter:
    """Marks every match of a compiled expression.

    Args:
        pattern: something with ``finditer`` over text.
    """

    def __init__(self, pattern: Any) -> None:
        self._finditer = pattern.finditer

    def marked(self, text: str, base: str = "") -> str:
        """``text`` with its matches marked.

        Args:
            text: what a terminal shows, without escape sequences.
            base: the escape sequence in force around it, resumed behind each match.
        """
        out: list[str] = []
        end = 0
        for found in self._finditer(text):
            start, stop = found.span()
            if start == stop:
                continue
            out += (text[end:start], MARK, text[start:stop], RESET, base)
            end = stop
        if not out:
            return text
        out.append(text[end:])
        return "".join(out)


def make_highlighter(expressions: Sequence[str], words: Iterable[str] = ()) -> Highlighter | None:
    """The highlighter of RE2 expressions and of plain words; None when there are none of either.

    An expression or word without capitals matches in any case.

    Raises:
        UsageError: an expression is wrong; the text says where.
    """
    plain = [word for word in words if word]
    if not plain and not any(expressions):
        return None
    for text in expressions:
        compile_regex(text, "--highlight")
    parts = [_cased(text, text) for text in expressions if text]
    parts += [_cased(re.escape(word), word) for word in sorted(plain, key=len, reverse=True)]
    joined = "|".join(dict.fromkeys(parts))
    if not any(_SPECIAL.search(text) for text in expressions):
        return Highlighter(re.compile(joined))  # nothing but words: no need for another engine
    return Highlighter(compile_regex(joined, "--highlight"))


def _cased(pattern: str, written: str) -> str:
    return f"(?:{pattern})" if written != written.lower() else f"(?i:{pattern})"
