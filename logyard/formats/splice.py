"""Writing documents around records: pieces that are the same for many, and pieces of each, joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import repeat
from typing import Any, Protocol

import orjson

from logyard.batch import Batch, Selection

__all__ = [
    "Before", "ByStamp", "Columns", "Documents", "Mark", "at", "is_partial", "members", "offsets", "origin", "spliced",
]  # fmt: skip

_TOGETHER = 128
"""Documents that are joined at once: what fits the processor's cache. A join of thousands of pieces, or one that makes
more than the allocator hands out again, takes several times as long."""


class Mark(Enum):
    """What can stand before a document, and is its own."""

    OFFSET = "the record's offset in its source, in digits"


class ByStamp(dict[bytes, bytes]):
    """What stands before documents, by how their times begin.

    Args:
        width: how many characters of a time count, at most 19 (``2026-11-22T09:30:00``).
        make: makes it.
    """

    def __init__(self, width: int, make: Callable[[str], bytes]) -> None:
        super().__init__()
        self.width = width
        self._make = make

    def __missing__(self, start: bytes) -> bytes:
        self[start] = made = self._make(start.decode())
        return made


Before = bytes | Mark | ByStamp


class Documents(Protocol):
    """A document for each of some records, not written yet: so that it is copied once, with what stands around it."""

    def written(self) -> list[bytes]:
        """Each document."""

    def framed(self, before: Sequence[Before], behind: bytes) -> list[bytes]:
        """All documents one behind the other, in parts of some ten thousand bytes, whole documents each.

        Args:
            before: pieces that stand before each.
            behind: what stands behind each.
        """


@dataclass(frozen=True, slots=True)
class Columns:
    """Documents made of columns.

    Attributes:
        count: how many.
        pieces: what each is made of, in order: the same bytes for all, or a column.
        stamps: each one's time, RFC 3339 in UTC.
        offsets: each record's offset in its source, in digits.
    """

    count: int
    pieces: Sequence[bytes | Sequence[bytes]]
    stamps: Sequence[bytes]
    offsets: Sequence[bytes]

    def written(self) -> list[bytes]:
        """Each document."""
        if len(self.pieces) == 1 and not isinstance(self.pieces[0], bytes):
            return list(self.pieces[0])
        return spliced(self.count, *self.pieces)

    def each(self, before: Sequence[Before], behind: bytes) -> list[bytes]:
        """As `framed`, a part for each document."""
        return spliced(self.count, *map(self._column, before), *self.pieces, behind)

    def _column(self, piece: Before) -> bytes | Sequence[bytes]:
        if piece is Mark.OFFSET:
            return self.offsets
        if isinstance(piece, bytes):
            return piece
        column = [piece[stamp[: piece.width]] for stamp in self.stamps]
        return column[0] if len(piece) == 1 else column

    def framed(self, before: Sequence[Before], behind: bytes) -> list[bytes]:
        """As `Documents`."""
        if not self.count:
            return []
        pieces: list[bytes | Sequence[bytes]] = [b""]
        for piece in (*map(self._column, before), *self.pieces, behind):
            if isinstance(piece, bytes) and isinstance(pieces[-1], bytes):
                pieces[-1] += piece
            else:
                pieces.append(piece)
        width = len(pieces)
        # A copy of the row of pieces for each document, into which the columns are laid.
        flat: list[Any] = [piece if isinstance(piece, bytes) else b"" for piece in pieces] * self.count
        for index, piece in enumerate(pieces):
            if not isinstance(piece, bytes):
                flat[index::width] = piece
        step = _TOGETHER * width
        return [b"".join(flat[start : start + step]) for start in range(0, len(flat), step)]


def spliced(total: int, *pieces: bytes | Iterable[bytes]) -> list[bytes]:
    """``total`` documents, each made of the pieces in their order: one for all, or a column."""
    columns = [repeat(piece, total) if isinstance(piece, bytes) else piece for piece in pieces]
    return list(map(b"".join, zip(*columns, strict=False)))


def members(found: dict[str, Any]) -> bytes:
    """Members as they stand within an object, without braces."""
    return orjson.dumps(found)[1:-1]


def at(column: Sequence[bytes], positions: Sequence[int] | None) -> Sequence[bytes]:
    """The elements at ``positions``; all when None."""
    return column if positions is None else [column[position] for position in positions]


def offsets(selection: Selection) -> list[bytes]:
    """Each selected record's offset in its source, in digits; behind `origin` it is the record's identity."""
    if not selection.count:
        return []
    # Written as one array and cut again, which takes a quarter of the time that writing each takes.
    return orjson.dumps(selection.offsets())[1:-1].split(b",")


def origin(batch: Batch) -> bytes:
    """What stands before an offset in an identity (`logyard.batch.Batch.identity`), within a JSON string."""
    return orjson.dumps(batch.identity(0).removesuffix("0"))[1:-1]


def is_partial(selection: Selection) -> bool:
    """Whether the last of the selected records had no line end when it was read."""
    batch = selection.batch
    return batch.partial and (selection.positions is None or batch.count - 1 in selection.positions[-1:])
