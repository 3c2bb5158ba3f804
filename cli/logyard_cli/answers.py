"""What completion asks a deployment. Loaded before the time that somebody waits for an answer begins."""

from __future__ import annotations

import asyncio

from logyard.bus.catalogue import stream_keys
from logyard.bus.drains import get_drains
from logyard.bus.read import read_back
from logyard.server import Server, keys
from logyard_cli.fields import paths_of

__all__ = ["drains", "record_fields", "saved_filters", "stream_keys"]

_SAMPLED = 16
"""Streams whose newest records are asked for their fields."""
_SAMPLED_LINES = 50


async def drains(server: Server) -> list[str]:
    """The names of the drains."""
    return list(await get_drains(server))


async def saved_filters(server: Server) -> list[str]:
    """The names of the saved filters."""
    # Only the names: reading the filters themselves would take longer than all the rest.
    return sorted(name.decode() for name in await server.call(keys.GLOBAL, "HKEYS", keys.FILTERS))


async def record_fields(server: Server) -> list[str]:
    """The fields of the newest records of some streams."""
    sampled = (await stream_keys(server))[:_SAMPLED]
    pages = await asyncio.gather(*(read_back(server, key) for key in sampled))
    lines = [line for page in pages for batch in page.batches for line in batch.lines[-_SAMPLED_LINES:]]
    return paths_of(lines)
