"""Writing documents around records: pieces that are the same for many, and pieces of each, joined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, repeat
from typing import Any

import orjson

from logyard.batch import Batch, Selection

__all__ = ["at", "is_partial", "members", "offsets", "origin", "spliced"]


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
    found: Sequence[int]
    if selection.positions is None:
        found = list(accumulate((len(line) + 1 for line in selection.lines), initial=selection.batch.first))
        found.pop()
    else:
        found = selection.offsets()
    # Written as one array and cut again, which takes a quarter of the time that writing each takes.
    return orjson.dumps(found)[1:-1].split(b",")


def origin(batch: Batch) -> bytes:
    """What stands before an offset in an identity (`logyard.batch.Batch.identity`), within a JSON string."""
    return orjson.dumps(batch.identity(0).removesuffix("0"))[1:-1]


def is_partial(selection: Selection) -> bool:
    """Whether the last of the selected records had no line end when it was read."""
    batch = selection.batch
    return batch.partial and (selection.positions is None or batch.count - 1 in selection.positions[-1:])
