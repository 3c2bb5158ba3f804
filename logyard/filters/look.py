"""One look at a batch: what the terms of a filter need of it, each made once and only when needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from itertools import compress
from typing import Any, TypeAlias

from logyard.batch import Batch, Selection
from logyard.derive import Level, levels
from logyard.derive.blocks import severities
from logyard.filters.fields import Members, readable
from logyard.filters.severities import Written, written_levels
from logyard.filters.tree import FieldPath

__all__ = ["Look", "Positions", "Search", "hits"]

Positions: TypeAlias = Sequence[int]
"""Records of the batch, ascending; a `range` for all of them."""
Search: TypeAlias = Callable[[bytes, int], Any]
"""The `search` of a compiled RE2 expression."""

_NEWLINE = b"\n"
_FEW = 8
"""Records are looked at one by one rather than in the block when not more than one of so many is in question."""
_TRIED = 64
"""Hits after which a search that is only meant to spare parsing is given up if it spares little."""


class Look:
    """A batch, and what was found out about it so far.

    Args:
        batch: the records.
        members: reads the JSON fields of the whole filter; None when it asks for none.
        shared: whether several terms ask for them.
    """

    def __init__(self, batch: Batch, members: Members | None, *, shared: bool) -> None:
        self.batch = batch
        self.count = batch.count
        self._members = members
        self._rows: dict[int, Any] | None = {} if shared else None
        self._levels: dict[int, Level | None] = {}

    @cached_property
    def is_utf8(self) -> bool:
        block = self.batch.block
        if block.isascii():
            return True
        try:
            block.decode()
        except UnicodeDecodeError:
            return False
        return True

    @cached_property
    def lines(self) -> list[bytes]:
        """The records as valid UTF-8."""
        return self.batch.lines if self.is_utf8 else readable(Selection(self.batch))

    @cached_property
    def block(self) -> bytes:
        """The records as valid UTF-8, joined as they are in the batch."""
        return self.batch.block if self.is_utf8 else self.batch.separator.join(self.lines)

    @cached_property
    def lowered(self) -> list[bytes]:
        """The records with ASCII's capitals made small."""
        return self.batch.block.lower().split(self.batch.separator)

    @property
    def of_lines(self) -> bool:
        """Whether records are lines: none holds a newline, and newlines stand between them."""
        return self.batch.separator == _NEWLINE

    @cached_property
    def has_unicode_escapes(self) -> bool:
        r"""Whether a letter may be written in JSON as ``\u0041``."""
        block = self.batch.block
        return b"\\" in block and b"\\u" in block  # a single byte is looked for much faster

    def at_levels(self, positions: Positions, wanted: frozenset[Level]) -> Positions:
        """Records of some severities."""
        codes = severities(Selection(self.batch, None if len(positions) == self.count else positions))
        if codes is not None:
            return list(compress(positions, codes.translate(_wanted(wanted))))
        written = self._written_levels if self.of_lines and not self.is_few(positions) else None
        if written is None:
            return [at for at, level in zip(positions, self._levels_of(positions), strict=True) if level in wanted]
        column, meaning = written
        passing = {text for text, level in meaning.items() if level in wanted}
        if len(positions) == self.count:
            return [at for at, text in enumerate(column) if text in passing]
        return [at for at in positions if column[at] in passing]

    @cached_property
    def _written_levels(self) -> Written | None:
        return written_levels(self.batch.block, self.count, lambda: self.batch.lines)

    def _levels_of(self, positions: Positions) -> list[Level | None]:
        known = self._levels
        lines = self.batch.lines
        if not known:
            found = levels(lines if len(positions) == len(lines) else [lines[at] for at in positions])
            known.update(zip(positions, found, strict=True))
            return found
        new = [at for at in positions if at not in known]
        if new:
            known.update(zip(new, levels([lines[at] for at in new]), strict=True))
        return [known[at] for at in positions]

    def values(self, positions: Positions, path: FieldPath) -> list[Any]:
        """A field of each record's JSON."""
        members = self._members
        assert members is not None
        known = self._rows
        if known is None:
            return members.column(self._read(members, positions), path)
        if not known:
            rows = self._read(members, positions)
            known.update(zip(positions, rows, strict=True))
        else:
            new = [at for at in positions if at not in known]
            if new:
                known.update(zip(new, self._read(members, new), strict=True))
            rows = [known[at] for at in positions]
        return members.column(rows, path)

    def _read(self, members: Members, positions: Positions) -> list[Any]:
        lines = self.lines
        return members.rows(lines if len(positions) == len(lines) else [lines[at] for at in positions])

    def is_few(self, positions: Positions) -> bool:
        """Whether records are better looked at one by one than in the block."""
        return len(positions) * _FEW < self.count


@lru_cache(maxsize=64)
def _wanted(levels: frozenset[Level]) -> bytes:
    """For each code of a severity whether it is one of these."""
    return bytes(code in levels for code in range(256))


def hits(search: Search, block: bytes, separator: bytes, *, worth: bool = False) -> list[int] | None:
    """The texts in a block in which a search finds something.

    Args:
        search: what is searched; must not find anything that reaches over a separator.
        block: the texts.
        separator: the byte between two of them.
        worth: give up and return None when most texts are hit.
    """
    found: list[int] = []
    count, find = block.count, block.find
    at = line = 0
    while (hit := search(block, at)) is not None:
        start = hit.start()
        line += count(separator, at, start)
        found.append(line)
        if worth and len(found) == _TRIED and line < 4 * _TRIED:
            return None
        at = find(separator, start) + 1
        if not at:
            break
        line += 1
    return found
