"""Text without its case.

Two characters are the same in any case when Unicode's simple case folding says so: ``K`` and the Kelvin sign are
``k``, the long s is ``s``, ``ẞ`` is ``ß`` (but not ``ss``), and the Turkish ``İ`` is only itself. RE2 compares with
``(?i)`` by the same rule, so that a search over a block and a comparison of values agree.
"""

from __future__ import annotations

__all__ = ["fold"]


class _Folded(dict[int, str]):
    """A character's code to what it folds to, found out when first asked for."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        # Where folding makes several characters of one (full folding), simple folding takes the lower case or nothing.
        for candidate in (char.casefold(), char.lower()):
            if len(candidate) == 1:
                self[code] = candidate
                return candidate
        self[code] = char
        return char


_folded = _Folded({0x1FD3: "\u0390", 0x1FE3: "\u03b0", 0xFB05: "\ufb06"})
"""To begin with the pairs that differ in nothing but how Unicode came to them."""


def fold(text: str) -> str:
    """``text`` so that texts that differ in case only become equal; as many characters as before."""
    return text.lower() if text.isascii() else text.translate(_folded)
