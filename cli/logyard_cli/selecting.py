"""Which records are shown: those that pass the filter, and the expressions of ``--include`` and ``--exclude``. Pure.

Whole batches are decided as far as possible; nothing is made for a record that is not shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from logyard.batch import Batch, Selection
from logyard_cli.expressions import compile_regex

if TYPE_CHECKING:
    from logyard.filters import Filter

__all__ = ["Selecting", "expressions_of"]

_WHOLE_TEXT = re.compile(r"\\[AzZ]")


class Expression:
    """A regular expression over the records of a batch as they were written.

    Raises:
        UsageError: it is none; the text shows where.
    """

    def __init__(self, text: str, option: str) -> None:
        self._search = compile_regex(text, option).search
        # In a block ^ and $ mean the ends of lines; what means the ends of the whole text cannot be looked for there.
        self._in_block: Any = None if _WHOLE_TEXT.search(text) else compile_regex(f"(?m:{text})", option).search

    def matches(self, line: bytes) -> bool:
        """Whether it matches somewhere in a record."""
        return self._search(line) is not None

    def possible(self, batch: Batch) -> bool:
        """Whether any record of the batch can match."""
        return self._in_block is None or self._in_block(batch.block) is not None


def expressions_of(texts: Sequence[str], option: str) -> tuple[Expression, ...]:
    """The expressions of an option that may be repeated."""
    return tuple(Expression(text, option) for text in texts)


class Selecting:
    """What a record must be to be shown.

    Args:
        passes: the filter, None for none.
        include: one of them must match it, if there are any.
        exclude: none of them may match it.
    """

    def __init__(
        self,
        passes: Filter | None = None,
        include: Sequence[Expression] = (),
        exclude: Sequence[Expression] = (),
    ) -> None:
        self._filter = passes
        self._include = tuple(include)
        self._exclude = tuple(exclude)

    @property
    def everything(self) -> bool:
        """Whether every record passes."""
        return self._filter is None and not self._include and not self._exclude

    def select(self, selection: Selection) -> Selection | None:
        """Those of the records that pass, None when none does.

        Raises:
            WireError: the batch is damaged.
        """
        found = selection if self._filter is None else _both(selection, self._filter.select(selection.batch))
        return None if found is None else self._by_text(found)

    def _by_text(self, selection: Selection) -> Selection | None:
        batch = selection.batch
        include = [one for one in self._include if one.possible(batch)]
        if self._include and not include:
            return None
        exclude = [one for one in self._exclude if one.possible(batch)]
        if not include and not exclude:
            return selection
        positions = range(batch.count) if selection.positions is None else selection.positions
        kept = [
            position
            for position, line in zip(positions, selection.lines, strict=True)
            if (not include or any(one.matches(line) for one in include))
            and not any(one.matches(line) for one in exclude)
        ]
        return Selection(batch, kept) if kept else None


def _both(one: Selection, other: Selection | None) -> Selection | None:
    """The records that are in both selections of a batch."""
    if other is None:
        return None
    if other.positions is None:
        return one
    if one.positions is None:
        return other if other.positions else None
    common = set(one.positions)
    kept = [position for position in other.positions if position in common]
    return Selection(one.batch, kept) if kept else None
