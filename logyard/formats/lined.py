"""Documents written around lines, by the part of logyard that is in C (`logyard.native`).

It takes the records of which all is sure, which are nearly all that programs write; the others it leaves to those who
know every case. Where that part was not built, or a batch is not made of lines, everything is left to them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from logyard import native
from logyard.batch import Selection
from logyard.derive.blocks import write
from logyard.formats.framing import one_by_one
from logyard.formats.splice import Before, Columns, Mark, is_partial

__all__ = ["Lined", "write_lines"]

_TOGETHER = 64 * 1024


def write_lines(
    selection: Selection,
    pieces: tuple[Any, ...],
    texts: tuple[Any, ...],
    others: Callable[[Selection], Sequence[bytes]],
    **how: Any,
) -> list[bytes] | None:
    """Documents made of ``pieces``, for each selected record one, in parts of some ten thousand bytes.

    Args:
        selection: records for which there are `kinds_for`; one that was cut off by the end of its file is left.
        pieces, texts, how: as ``logyard.native.lines.write`` takes them.
        others: makes the documents of records that are left.

    Returns:
        None when all of them are left, or nearly all.

    Raises:
        WireError: the block does not hold so many records as it should.
    """
    parts = write(selection, pieces, texts, leave_last=is_partial(selection), **how)
    if parts is None:
        return None
    left = [part for part in parts if isinstance(part, tuple)]
    if not left:
        return parts  # type: ignore[return-value]
    if len(left) == selection.count:
        return None
    batch, positions = selection.batch, selection.positions
    last = left[-1][0] == selection.count - 1 and (positions is None or positions[-1] == batch.count - 1)
    some = batch.excerpt([(start, end) for _, start, end in left], last=last)
    made = iter(others(Selection(some)))
    return _together([part if isinstance(part, bytes) else next(made) for part in parts])


def _together(parts: Sequence[bytes]) -> list[bytes]:
    """The parts, small ones joined."""
    joined: list[bytes] = []
    start = size = 0
    for index, part in enumerate(parts):
        size += len(part)
        if size >= _TOGETHER:
            joined.append(b"".join(parts[start : index + 1]))
            start, size = index + 1, 0
    return [*joined, b"".join(parts[start:])] if size else joined


@dataclass(frozen=True, slots=True)
class Lined:
    """Documents (`logyard.formats.splice.Documents`) around lines.

    Attributes:
        selection: the records, for which there are `kinds_for`.
        pieces: what the document of an object is made of.
        texts: that of a line of text.
        stamp: the time of records that tell none.
        others: documents for records that are left.
    """

    selection: Selection
    pieces: tuple[Any, ...]
    texts: tuple[Any, ...]
    stamp: bytes
    others: Callable[[Selection], Columns]

    def written(self) -> list[bytes]:
        """As `Documents`."""
        return one_by_one(self.framed((), b"\n"))

    def framed(self, before: Sequence[Before], behind: bytes) -> list[bytes]:
        """As `Documents`."""
        first = tuple(map(self._piece, before))
        written = write_lines(
            self.selection,
            (*first, *self.pieces, behind),
            (*first, *self.texts, behind),
            lambda left: self.others(left).each(before, behind),
        )
        return self.others(self.selection).framed(before, behind) if written is None else written

    def _piece(self, piece: Before) -> Any:
        kinds = native.module
        assert kinds is not None
        if piece is Mark.OFFSET:
            return kinds.OFFSET
        return piece if isinstance(piece, bytes) else (kinds.BY_TIME, piece, self.stamp[: piece.width])
