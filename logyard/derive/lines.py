"""Severity and time of each record of a batch, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from logyard.derive.heads import read_heads
from logyard.derive.members import members, quoted
from logyard.derive.severity import LEVEL_NAMES, LevelRole, level_in_members, level_in_text
from logyard.derive.time import TIME_NAMES, TimeRole, time_in_members, time_in_text

__all__ = ["derive"]

_NAMES = quoted(LEVEL_NAMES | TIME_NAMES | {"log"})


def derive(lines: Sequence[bytes], observed_ns: int) -> tuple[list[int | None], list[int]]:
    """The severity and the time of each record.

    Args:
        lines: the records.
        observed_ns: when they were observed, ns since 1970.

    Returns:
        Severities as `Level` (None where the record tells none), as `severity.levels` finds them; and times in
        ns since 1970 (``observed_ns`` where it tells none), as `time.times` finds them.
    """
    severities, found = read_heads(lines, (LevelRole(), TimeRole(observed_ns)))
    if None in severities or None in found:
        _one_by_one(lines, observed_ns, severities, found)
    return severities, cast("list[int]", found)


def _one_by_one(
    lines: Sequence[bytes], observed_ns: int, severities: list[int | None], times: list[int | None]
) -> None:
    """Fill what the beginnings of the lines did not decide."""
    for index, line in enumerate(lines):
        if severities[index] is not None and times[index] is not None:
            continue
        found = members(line, _NAMES)
        if found is None:
            severities[index] = level_in_text(line)
            ns = time_in_text(line, observed_ns)
        else:
            severities[index] = level_in_members(found)
            ns = time_in_members(found, observed_ns)
        times[index] = observed_ns if ns is None else ns
