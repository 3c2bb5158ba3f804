"""Writing documents around records: pieces that are the same for many, and pieces of each, joined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, count, repeat
from operator import add
from typing import Any

import orjson

from logyard.batch import Selection

__all__ = ["at", "identities", "is_partial", "members", "spliced"]


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


def identities(selection: Selection) -> list[bytes]:
    """What each selected record is, the same however often it is sent (`logyard.batch.Batch.identity`)."""
    if not selection.count:
        return []
    offsets: Iterable[int]
    if selection.positions is None:
        offsets = map(add, accumulate(map(len, selection.lines), initial=selection.batch.first), count())
        offsets = tuple(offsets)[:-1]
    else:
        offsets = tuple(selection.offsets())
    # One text of all is made and cut again, which takes half as long as making each.
    line = selection.batch.identity(0).removesuffix("0").encode().replace(b"%", b"%%") + b"%d\n"
    return (line * selection.count % offsets).split(b"\n")[:-1]


def is_partial(selection: Selection) -> bool:
    """Whether the last of the selected records had no line end when it was read."""
    batch = selection.batch
    return batch.partial and (selection.positions is None or batch.count - 1 in selection.positions[-1:])
