"""Names offered while a command is typed: streams and drains of the deployment, if it answers at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logyard_cli.choice import known_names
from logyard_cli.options import ServerOptions

if TYPE_CHECKING:
    from logyard.server import Server

__all__ = ["drain_names", "stream_names"]

_PATIENCE = 1.0
"""Seconds that somebody who pressed Tab waits."""


def stream_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Streams: by name, and by key once something was typed."""
    del param

    async def keys(server: Server) -> list[str]:
        from logyard.bus.catalogue import stream_keys

        return await stream_keys(server)

    found = _ask(ctx, keys)
    offered = [*known_names(found), *(found if incomplete else ())]
    return [name for name in dict.fromkeys(offered) if name.startswith(incomplete)]


def drain_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Drains."""
    del param

    async def names(server: Server) -> list[str]:
        from logyard.bus.drains import get_drains

        return list(await get_drains(server))

    return [name for name in _ask(ctx, names) if name.startswith(incomplete)]


def _path(ctx: click.Context, name: str) -> Path | None:
    given = ctx.params.get(name)
    return None if given is None else Path(given)


def _ask(ctx: click.Context, question: Callable[[Server], Awaitable[list[str]]]) -> list[str]:
    import asyncio

    from logyard.errors import LogyardError

    options = ServerOptions(ctx.params.get("redis"), _path(ctx, "data_dir"), _path(ctx, "config"))

    async def answer() -> list[str]:
        async with asyncio.timeout(_PATIENCE), options.connect() as server:
            return await question(server)

    try:
        return asyncio.run(answer())
    except (LogyardError, OSError, TimeoutError):
        return []
