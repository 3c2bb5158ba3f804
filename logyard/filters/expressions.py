"""RE2 expressions over records, and over whole blocks of them."""

from __future__ import annotations

import re

import re2

__all__ = ["block_pattern", "folded_pattern", "options", "plain_text"]

_LINE_ONLY = re.compile(r"\\[AzC]|\(\?[A-Za-z]*-")
"""What may mean another thing in a block than in a line: anchors of the whole text, bytes, flags that are unset."""


_PLAIN = re.compile(r"(\^?)([\w /:,;=@%&#!<>'\"-]+)", re.ASCII)


def plain_text(pattern: str) -> tuple[str, bool] | None:
    """The text that an expression is (True: at the beginning only); None for one that is more than that."""
    found = _PLAIN.fullmatch(pattern)
    return None if found is None else (found[2], bool(found[1]))


def options(*, block: bool = False, any_case: bool = False) -> re2.Options:
    """How expressions are read.

    Args:
        block: for texts of many lines, each of which is searched by itself.
        any_case: by Unicode's simple case folding, as `logyard.filters.fold`.
    """
    chosen = re2.Options()
    chosen.log_errors = False
    chosen.never_nl = block
    chosen.never_capture = True
    chosen.case_sensitive = not any_case
    return chosen


def block_pattern(pattern: str) -> str | None:
    """An expression that finds in a block of lines what ``pattern`` finds in each line.

    To be compiled with ``options(block=True)``, so that nothing in it matches a newline. None when there is none.
    """
    return None if _LINE_ONLY.search(pattern) else f"(?m:{pattern})"


def folded_pattern(parts: tuple[str, ...]) -> str:
    """Texts one behind the other with anything between them; to be compiled with ``any_case``."""
    return "(?s:.*)".join(map(re2.escape, parts))
