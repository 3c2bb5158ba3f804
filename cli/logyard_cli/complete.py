"""Names offered while a command is typed: streams, drains, fields and saved filters, if the deployment answers at once.

Whatever goes wrong, nothing is printed into the line that somebody is typing: then there is nothing to offer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from logyard_cli.choice import known_names
from logyard_cli.options import ServerOptions

if TYPE_CHECKING:
    from logyard.server import Server

__all__ = ["drain_names", "field_names", "filter_names", "filter_words", "stream_names", "zone_names"]

_PATIENCE = 1.0
"""Seconds that somebody who pressed Tab waits."""
_ENVELOPE = ("time", "key", "app", "instance", "node", "source", "level", "text")
_LEVELS = ("trace", "debug", "info", "notice", "warn", "error", "critical")
_SAMPLED = 16
"""Streams whose newest records are asked for their fields."""
_SAMPLED_LINES = 50


def stream_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Streams: by name, and by key once something was typed."""
    del param
    found = _ask(ctx, _keys)
    offered = [*known_names(found), *(found if incomplete else ())]
    return _beginning(offered, incomplete)


def drain_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Drains."""
    del param

    async def names(server: Server) -> list[str]:
        from logyard.bus.drains import get_drains

        return list(await get_drains(server))

    return _beginning(_ask(ctx, names), incomplete)


def field_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Fields for a list divided by commas: the envelope's, and those of recent records."""
    del param
    before, comma, typed = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in _beginning([*_ENVELOPE, *_ask(ctx, _fields)], typed)]


def filter_words(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The next word of a filter: a field and its colon, a level, a stream, a saved filter."""
    del param
    start = max(incomplete.rfind(char) for char in " (") + 1
    head, typed = incomplete[:start], incomplete[start:]
    sign = typed[:1] if typed[:1] == "-" else ""
    typed = typed[len(sign) :]
    name, colon, value = typed.partition(":")
    if typed.startswith("@"):
        words = [f"@{saved}" for saved in _ask(ctx, _saved)]
    elif colon and name == "level":
        given = value[:2] if value[:2] in {">=", "<="} else value[:1] if value[:1] in {">", "<"} else ""
        words = [f"level:{given}{level}" for level in _LEVELS]
    elif colon and name in {"app", "key"}:
        keys = _ask(ctx, _keys)
        words = [f"{name}:{key if name == 'key' else key[4:]}" for key in keys if name == "key" or key[:4] == "app."]
    else:
        words = [f"{field}:" for field in (*_ENVELOPE, *_ask(ctx, _fields))]
    return [f"{head}{sign}{word}" for word in _beginning(words, typed)]


def zone_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Time zones; the continents first."""
    del ctx, param
    from zoneinfo import available_timezones

    zones = [zone for zone in sorted(available_timezones()) if zone.lower().startswith(incomplete.lower())]
    if len(zones) <= 60:
        return zones
    return list(dict.fromkeys(zone.partition("/")[0] + "/" if "/" in zone else zone for zone in zones))


def _beginning(names: Iterable[str], typed: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(typed)]


async def _keys(server: Server) -> list[str]:
    from logyard.bus.catalogue import stream_keys

    return await stream_keys(server)


async def _saved(server: Server) -> list[str]:
    from logyard.server import keys

    # Only the names: reading the filters themselves would take longer than all the rest.
    return sorted(name.decode() for name in await server.call(keys.GLOBAL, "HKEYS", keys.FILTERS))


async def _fields(server: Server) -> list[str]:
    """The fields of the newest records of some streams."""
    import asyncio

    from logyard.bus.read import read_back
    from logyard_cli.fields import paths_of

    keys = (await _keys(server))[:_SAMPLED]
    pages = await asyncio.gather(*(read_back(server, key) for key in keys))
    lines = [line for page in pages for batch in page.batches for line in batch.lines[-_SAMPLED_LINES:]]
    return paths_of(lines)


def filter_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Saved filters."""
    del param
    return _beginning(_ask(ctx, _saved), incomplete)


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
