"""Words and expressions marked in text that goes to a terminal. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from logyard_cli.colour import RESET
from logyard_cli.expressions import compile_regex

__all__ = ["Highlighter", "make_highlighter"]

MARK = "\x1b[0;30;48;5;222m"  # black on a soft yellow: readable on dark and on light backgrounds
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


def make_highlighter(expressions: Sequence[str], looked_for: Sequence[str] = ()) -> Highlighter | None:
    """The highlighter of RE2 expressions; None when there are none.

    Args:
        expressions: what somebody wrote; without capitals they match in any case.
        looked_for: what a filter looks for.

    Raises:
        UsageError: an expression is wrong; the text says where.
    """
    written = [text for text in expressions if text]
    for text in written:
        if _SPECIAL.search(text):
            compile_regex(text, "--highlight")
    parts = [*(f"(?:{text})" if text != text.lower() else f"(?i:{text})" for text in written), *looked_for]
    joined = "|".join(dict.fromkeys(parts))
    if not joined:
        return None
    if not looked_for and not any(map(_SPECIAL.search, written)):
        return Highlighter(re.compile(joined))  # nothing but words: no need for another engine
    return Highlighter(compile_regex(joined, "--highlight"))
