"""Trimming a stream: what no drain needs any more leaves, what somebody still needs stays up to a hard cap.

Redis's own trimming ignores consumer groups, so the minimum over the groups is computed here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from logyard.bus.groups import Position, dict_of
from logyard.server import Connection, Server, keys

__all__ = ["HIGH_WATER", "Retention", "Trimmed", "memory_used", "trim_stream"]

HIGH_WATER = 0.8
"""Share of the allowed memory above which only what a drain still needs is kept."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long streams keep what all drains have.

    Attributes:
        window: seconds that records stay readable for tail and query.
        stream_bytes: bytes of Redis memory a stream may hold of them.
        hard_cap: bytes of Redis memory above which a stream loses its oldest batches whether or not every drain has
            them; what is lost is counted.
    """

    window: float = 24 * 3600.0
    stream_bytes: int = 256 * 1024 * 1024
    hard_cap: int = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What one trim removed: batches, records, and how many records some drain had not had yet."""

    entries: int = 0
    records: int = 0
    lost: int = 0


async def trim_stream(server: Server, tag: str, key: str, retention: Retention, now_ms: int) -> Trimmed:
    """Trim one stream once. Called by whoever holds the partition's trimming lease.

    Args:
        now_ms: ms since 1970, by the server's clock or near it.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    link = server.link(tag)
    stream, meta = keys.stream_key(tag, key), keys.meta_key(tag, key)
    length, memory, told, stored = await asyncio.gather(
        link.call("XLEN", stream),
        link.call("MEMORY", "USAGE", stream, "SAMPLES", 50),
        link.call("XINFO", "GROUPS", stream),
        link.call("HMGET", meta, "trimmed", "records"),
    )
    if not length:
        return Trimmed()
    trimmed, records = (int(value or 0) for value in stored)
    groups = [group for group in map(dict_of, told) if group[b"name"].startswith(b"drain:")]
    needed = min([await _needs(link, stream, group) for group in groups], default=END)
    expired = (max(0, now_ms - int(retention.window * 1000)), 0)
    removed = await link.call("XTRIM", stream, "MINID", "=", _entry(min(expired, needed)))
    share = memory / length
    surplus = length - removed - int(retention.stream_bytes / share)
    if surplus > 0:
        # "~ LIMIT" removes whole nodes of the stream, the oldest first, and never one that holds a needed entry.
        removed += await link.call("XTRIM", stream, "MINID", "~", _entry(needed), "LIMIT", surplus)
    behind = records if not groups else min([await _position(link, tag, key, group) for group in groups])
    capped = 0
    if share * (length - removed) > retention.hard_cap:
        capped = await link.call("XTRIM", stream, "MAXLEN", "=", max(1, int(retention.hard_cap / share)))
    if not removed + capped:
        return Trimmed()
    first = await link.call("XRANGE", stream, "-", "+", "COUNT", 1)
    gone = records
    if first:
        fields = dict_of(first[0][1])
        gone = int(fields[b"total"]) - int(fields[b"count"])
    lost = max(0, gone - max(trimmed, behind)) if capped else 0
    await link.call_even_full("HSET", meta, "trimmed", gone)
    if lost:
        await link.call_even_full("HINCRBY", meta, "lost", lost)
    return Trimmed(removed + capped, gone - trimmed, lost)


async def memory_used(server: Server, tag: str) -> float:
    """How much of its allowed memory the partition's server uses, 0 to 1 (0 when no limit is set).

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    text: bytes = await server.call(tag, "INFO", "memory")
    info = dict(line.split(b":", 1) for line in text.splitlines() if b":" in line)
    limit = int(info.get(b"maxmemory", 0))
    return int(info[b"used_memory"]) / limit if limit else 0.0


END = ((1 << 64) - 1, (1 << 64) - 1)


def _entry(number: tuple[int, int]) -> str:
    return f"{number[0]}-{number[1]}"


async def _needs(link: Connection, stream: str, group: dict[bytes, Any]) -> tuple[int, int]:
    """The least entry id that a group has not acknowledged, or may still read."""
    if group[b"pending"]:
        summary = await link.call("XPENDING", stream, group[b"name"])
        if summary[1] is not None:
            return _number(summary[1])
    ms, serial = _number(group[b"last-delivered-id"])
    return (ms + 1, 0) if serial == END[1] else (ms, serial + 1)


async def _position(link: Connection, tag: str, key: str, group: dict[bytes, Any]) -> int:
    """How many records of the stream a drain has."""
    drain = group[b"name"].decode().removeprefix("drain:")
    return Position.parse(await link.call("HGET", keys.drain_key(tag, drain), f"at:{key}")).total


def _number(entry: bytes) -> tuple[int, int]:
    ms, _, serial = entry.partition(b"-")
    return int(ms), int(serial)
