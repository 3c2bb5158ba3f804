"""Which streams there are, and how much they hold."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from logyard.server import Server, keys

__all__ = ["StreamInfo", "list_streams", "stream_keys"]


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """A stream.

    Attributes:
        key: its name.
        records, bytes: records ever published, and their bytes of text.
        trimmed: records removed since, delivered or out of the window.
        lost: records removed by the hard cap before every drain had them.
        entries: batches held now.
        first_ms, last_ms: when the oldest and the newest held batch was published, ms since 1970; 0 when empty.
        memory: bytes of Redis memory, estimated by Redis.
    """

    key: str
    records: int
    bytes: int
    trimmed: int
    lost: int
    entries: int
    first_ms: int
    last_ms: int
    memory: int

    @property
    def held(self) -> int:
        """Records that can still be read."""
        return self.records - self.trimmed


async def stream_keys(server: Server) -> list[str]:
    """The keys of all streams, sorted.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    found = await asyncio.gather(*(server.call(tag, "SMEMBERS", keys.streams_key(tag)) for tag in server.tags))
    return sorted(key.decode() for part in found for key in part)


async def list_streams(server: Server) -> list[StreamInfo]:
    """All streams, sorted by key.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    return list(await asyncio.gather(*(_info(server, key) for key in await stream_keys(server))))


async def _info(server: Server, key: str) -> StreamInfo:
    tag = keys.tag_of(key, server.partitions)
    stream = keys.stream_key(tag, key)
    link = server.link(tag)
    meta, entries, first, last, memory = await asyncio.gather(
        link.call("HMGET", keys.meta_key(tag, key), "records", "bytes", "trimmed", "lost"),
        link.call("XLEN", stream),
        link.call("XRANGE", stream, "-", "+", "COUNT", 1),
        link.call("XREVRANGE", stream, "+", "-", "COUNT", 1),
        link.call("MEMORY", "USAGE", stream, "SAMPLES", 20),
    )
    records, size, trimmed, lost = (int(value or 0) for value in meta)
    return StreamInfo(
        key=key,
        records=records,
        bytes=size,
        trimmed=trimmed,
        lost=lost,
        entries=entries,
        first_ms=_milliseconds(first),
        last_ms=_milliseconds(last),
        memory=memory or 0,
    )


def _milliseconds(entries: list[tuple[bytes, object]]) -> int:
    return int(entries[0][0].split(b"-")[0]) if entries else 0
