"""What the part of logyard that is in C (`logyard.native`) makes of a whole batch, and the severities in it."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import orjson

from logyard import native
from logyard.batch import Selection
from logyard.derive.severity import Level, level_of, level_value, levels

__all__ = ["UNTOLD", "BySeverity", "kinds_for", "severities", "severities_of", "write"]

UNTOLD = 255
"""The code of a record that tells no severity."""

_SEPARATORS = (b"\n", b"\x1e", b"\x1f", b"\x1d", b"\x1c", b"\0")
"""What no JSON and no mark in a text goes on behind."""
_LATEST_NS = 1 << 62
"""Times beyond, in the year 2116, are left to Python's numbers."""
_LEVELS: dict[int, Level | None] = {level.value: level for level in Level} | {UNTOLD: None}


class BySeverity(dict[bytes, bytes | None]):
    """What is made of a severity, by the JSON that tells it, b"" for records that tell none.

    Args:
        make: makes it of the severity; of None where none is told, or none that is known.
        known: whether records are left whose severity is told and not known.
    """

    def __init__(self, make: Callable[[Level | None], bytes], *, known: bool = False) -> None:
        super().__init__()
        self._make = make
        self._known = known

    def __missing__(self, told: bytes) -> bytes | None:
        try:
            level = level_value(orjson.loads(told)) if told else None
        except orjson.JSONDecodeError:  # a number that is none for it
            level = None
        made = None if told and level is None and self._known else self._make(level)
        self[told] = made
        return made


def kinds_for(selection: Selection) -> ModuleType | None:
    """``logyard.native.lines``, whose names say what is made of lines; None where it does not read such batches."""
    batch = selection.batch
    if not selection.count or batch.separator not in _SEPARATORS:
        return None
    if batch.first < 0 or not 0 <= batch.time_ns < _LATEST_NS:
        return None
    return native.module


def write(
    selection: Selection, pieces: tuple[Any, ...], texts: tuple[Any, ...], **how: Any
) -> list[bytes | tuple[int, int, int]] | None:
    """What is made of each selected record, in order.

    Args:
        selection: records for which there are `kinds_for`.
        pieces, texts, how: as ``logyard.native.lines.write`` takes them.

    Returns:
        As it does.

    Raises:
        WireError: the block does not hold so many records as it should.
    """
    assert native.module is not None
    batch = selection.batch
    try:
        made: list[bytes | tuple[int, int, int]] | None = native.module.write(
            batch.block, batch.first, batch.count, batch.time_ns, selection.positions, pieces,
            texts=texts, separator=batch.separator[0], **how,
        )  # fmt: skip
    except ValueError:
        _ = batch.lines  # which says so where the block holds another number of records
        raise
    return made


def severities(selection: Selection) -> bytes | None:
    """The severity of each selected record: its number (`Level`), `UNTOLD` where it tells none.

    Returns:
        None where it has to be told by Python: there is no part in C, or it leaves nearly all records.

    Raises:
        WireError: the batch is damaged.
    """
    if (kinds := kinds_for(selection)) is None:
        return None
    pieces = ((kinds.LEVEL, BySeverity(_code, known=True)),)
    parts = write(selection, pieces, pieces, whole=False)
    if parts is None:
        return None
    block = selection.batch.block
    return b"".join(part if isinstance(part, bytes) else _code(level_of(block[part[1] : part[2]])) for part in parts)


def severities_of(selection: Selection) -> list[Level | None]:
    """The severity of each selected record, as `logyard.derive.severity.levels` finds it.

    Raises:
        WireError: the batch is damaged.
    """
    codes = severities(selection)
    return levels(selection.lines) if codes is None else list(map(_LEVELS.__getitem__, codes))


def _code(level: Level | None) -> bytes:
    return bytes((UNTOLD if level is None else level.value,))
