"""The dead letters of a drain: records that its destination refused for good, with the reason (docs/wire-format.md).

A letter holds everything that its record was sent with, so that sending it again gives the same bytes and, where the
destination knows records by their identity, the same record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from logyard.batch import Batch, Selection, join_records
from logyard.bus.groups import dict_of
from logyard.errors import UsageError
from logyard.server import Server, keys

__all__ = [
    "Letter", "count_letters", "find_letters", "letter_fields", "newest_letters", "page_letters", "parse_name",
    "purge_letters",
]  # fmt: skip

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter.

    Attributes:
        name: how people call it: the id of its entry, and its partition where there are several.
        tag, id: where it is: the partition's hash tag, and the entry.
        died_ms: when it was refused, ms since 1970.
        reason: what the destination said.
        tries: how often it has been refused.
        key, entry: the stream, and the batch in it.
        batch: the record, alone in a batch; None where a whole batch could not be read.
    """

    name: str
    tag: str
    id: str
    died_ms: int
    reason: str
    tries: int
    key: str
    entry: str
    batch: Batch | None

    @property
    def text(self) -> bytes:
        """The record's text."""
        return b"" if self.batch is None else self.batch.block


def letter_fields(selection: Selection, index: int, reason: str, *, died_ms: int, tries: int = 1) -> list[str | bytes]:
    """The fields of a letter about the record at ``index`` of the selection: name, value, name, value, ..."""
    batch = selection.batch
    position = index if selection.positions is None else selection.positions[index]
    fields: list[str | bytes] = [
        "died", str(died_ms), "reason", reason, "key", batch.key, "entry", batch.entry, "node", batch.node,
        "source", batch.source, "id", batch.identity(selection.offsets()[index]), "time", str(batch.time_ns),
    ]  # fmt: skip
    optional = {
        "app": batch.app,
        "instance": batch.instance,
        "cut": str(batch.cut) if batch.cut else None,
        "partial": "1" if batch.partial and position == batch.count - 1 else None,
        "tries": str(tries) if tries > 1 else None,
    }
    for name, value in optional.items():
        if value is not None:
            fields += (name, value)
    return [*fields, "text", selection.lines[index]]


def parse_name(server: Server, name: str) -> tuple[list[str], str]:
    """The partitions that a letter of that name may be in, and the id of its entry.

    Raises:
        UsageError: it is no such name.
    """
    entry, _, tag = name.partition(".")
    ms, _, serial = entry.partition("-")
    tags = [tag] if tag else server.tags
    if not ms.isdecimal() or not (serial or "0").isdecimal() or not set(tags) <= set(server.tags):
        raise UsageError(f"{name!r} is not the id of a dead letter: copy it from the list")
    return tags, f"{int(ms)}-{int(serial or 0)}"


async def count_letters(server: Server, drain: str) -> int:
    """How many dead letters of a drain are kept.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    return sum(await asyncio.gather(*(server.call(tag, "XLEN", keys.dead_key(tag, drain)) for tag in server.tags)))


async def newest_letters(server: Server, drain: str, *, most: int | None = None, since_ms: int = 0) -> list[Letter]:
    """The newest ``most`` letters (None: all) that died at ``since_ms`` or later, the newest last.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    parts = await asyncio.gather(*(_newest(server, tag, drain, most, since_ms) for tag in server.tags))
    found = sorted((letter for part in parts for letter in part), key=lambda letter: (_number(letter.id), letter.tag))
    return found if most is None else found[max(0, len(found) - most) :]


async def _newest(server: Server, tag: str, drain: str, most: int | None, since_ms: int) -> list[Letter]:
    letters: list[Letter] = []
    end = "+"
    while most is None or len(letters) < most:
        count = _PAGE if most is None else min(_PAGE, most - len(letters))
        page = await server.call(tag, "XREVRANGE", keys.dead_key(tag, drain), end, str(since_ms), "COUNT", count)
        letters += (_letter(server, tag, entry, fields) for entry, fields in page)
        if len(page) < count:
            break
        end = f"({letters[-1].id}"
    return letters[::-1]


async def page_letters(server: Server, tag: str, drain: str, *, after: str, until: str, count: int) -> list[Letter]:
    """Up to ``count`` letters of a partition behind the entry ``after`` ("" = from the first), up to ``until``.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    start = f"({after}" if after else "-"
    page = await server.call(tag, "XRANGE", keys.dead_key(tag, drain), start, until, "COUNT", count)
    return [_letter(server, tag, entry, fields) for entry, fields in page]


async def find_letters(server: Server, drain: str, names: Sequence[str]) -> list[Letter]:
    """The letters of these names.

    Raises:
        UsageError: there is none of that name.
        ConnectionLost, ServerError: as `Server.call`.
    """
    found = []
    for name in names:
        tags, entry = parse_name(server, name)
        pages = [await server.call(tag, "XRANGE", keys.dead_key(tag, drain), entry, entry) for tag in tags]
        letters = [_letter(server, tag, *one) for tag, page in zip(tags, pages, strict=True) for one in page]
        if not letters:
            raise UsageError(
                f"drain {drain} has no dead letter {name}: it was sent again or removed, or look at the list"
            )
        found += letters
    return found


async def purge_letters(server: Server, drain: str, before_ms: int | None = None) -> int:
    """Remove the letters that died before ``before_ms`` (None: all there are now).

    Returns:
        How many.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    removed = 0
    for tag in server.tags:
        stream = keys.dead_key(tag, drain)
        bound = str(before_ms)
        if before_ms is None:
            last = await server.call(tag, "XREVRANGE", stream, "+", "-", "COUNT", 1)
            if not last:
                continue
            ms, serial = _number(last[0][0].decode())
            bound = f"{ms}-{serial + 1}"
        removed += await server.call(tag, "XTRIM", stream, "MINID", "=", bound)
    return removed


def _letter(server: Server, tag: str, entry: bytes, flat: Sequence[bytes]) -> Letter:
    fields = dict_of(flat)
    identity = entry.decode()

    def text(name: bytes, default: str = "") -> str:
        return fields.get(name, default.encode()).decode("utf-8", "replace")

    return Letter(
        name=identity if server.partitions == 1 else f"{identity}.{tag}",
        tag=tag,
        id=identity,
        died_ms=int(fields.get(b"died", b"0")),
        reason=text(b"reason"),
        tries=int(fields.get(b"tries", b"1")),
        key=text(b"key"),
        entry=text(b"entry"),
        batch=_record(fields) if b"text" in fields else None,
    )


def _record(fields: dict[bytes, bytes]) -> Batch:
    """The record of a letter, as it was in its batch."""

    def optional(name: bytes) -> Any:
        return fields[name].decode() if name in fields else None

    origin, _, offset = fields[b"id"].decode().rpartition(":")
    # The byte that separated it from others does not occur in it, but may have been another than the newline.
    block, separator = join_records([fields[b"text"]])
    return Batch(
        key=fields[b"key"].decode(),
        node=fields[b"node"].decode(),
        source=fields[b"source"].decode(),
        time_ns=int(fields[b"time"]),
        count=1,
        origin=origin,
        first=int(offset),
        last=int(offset) + len(block) + 1,
        block=block,
        app=optional(b"app"),
        instance=optional(b"instance"),
        separator=separator,
        cut=int(fields.get(b"cut", b"0")),
        partial=b"partial" in fields,
        entry=fields[b"entry"].decode(),
    )


def _number(entry: str) -> tuple[int, int]:
    ms, _, serial = entry.partition("-")
    return int(ms), int(serial or 0)
