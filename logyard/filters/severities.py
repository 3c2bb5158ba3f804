"""Severities of a whole block, without taking it apart.

The lines of one source mostly begin alike, so that one regular expression made of what they have in common finds the
severities of all of them (`logyard.derive.heads`), here in the block itself: that takes half of what looking at each
line takes. Lines that begin otherwise are looked at one by one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeAlias

from logyard.derive import Level, level_of
from logyard.derive.heads import Capture, common_head
from logyard.derive.severity import LevelRole

__all__ = ["Written", "written_levels"]

_NEWLINE = b"\n"
_DIRECTLY = rb"(?=[,}])"
"""How a pattern ends that looks no further than at the byte behind a severity, which is no newline then."""
_ENOUGH = 4
"""One line of so many may begin otherwise; with more of these, looking at all lines at once is better."""
_SAMPLES = 6
"""Lines that are looked at to see what most have in common."""
_BY_LEVEL = {level: b" %d" % level for level in Level} | {None: b" "}
"""How the severity of a line that begins otherwise is written in a column: as no line writes its own."""


@lru_cache(maxsize=64)
def _column(pattern: bytes) -> Callable[[bytes], list[bytes]]:
    # Every line matches; what begins otherwise captures nothing.
    return re.compile(rb"(?m)^(?:" + pattern + rb"|)[^\n]*+", re.DOTALL).findall


Written: TypeAlias = tuple[list[bytes], dict[bytes, Level | None]]
"""A column of severities as they are written, and what these mean."""


def written_levels(block: bytes, count: int, lines: Callable[[], list[bytes]]) -> Written | None:
    """The severity of each line as it is written, and what these mean.

    Args:
        block: lines, a newline between two of them.
        count: how many.
        lines: gives them one by one, when that is needed.

    Returns:
        None when most lines do not begin alike, or not like objects.
    """
    if count < _ENOUGH:
        return None
    samples = [line for line in _samples(block) if line[:1] == b"{"]
    if len(samples) * 2 < _SAMPLES:
        return None
    head = common_head(samples, (LevelRole(),))
    if head is None or head.window != sys.maxsize or not head.pattern.endswith(_DIRECTLY):
        return None
    column = _column(head.pattern)(block)
    # A quote without its partner may reach into the next line, which then has no match of its own.
    if len(column) != count:
        return None
    ((_, capture),) = head.captures
    meaning = _meaning(set(column), capture)
    unknown = {text for text, level in meaning.items() if level is None}
    if unknown:
        places = [at for at, text in enumerate(column) if text in unknown]
        if len(places) * _ENOUGH > count:
            return None
        every = lines()
        for at in places:
            level = level_of(every[at])
            column[at] = _BY_LEVEL[level]
            meaning[column[at]] = level
    return column, meaning


def _samples(block: bytes) -> Iterator[bytes]:
    """Some lines of the block, from its first to its last one."""
    for place in range(_SAMPLES):
        start = block.rfind(_NEWLINE, 0, len(block) * place // (_SAMPLES - 1)) + 1
        stop = block.find(_NEWLINE, start)
        yield block[start:] if stop < 0 else block[start:stop]


def _meaning(texts: set[bytes], capture: Capture) -> dict[bytes, Level | None]:
    ordered = tuple(texts)
    found = capture.decode([ordered])
    return {text: None if level is None else Level(level) for text, level in zip(ordered, found, strict=True)}
