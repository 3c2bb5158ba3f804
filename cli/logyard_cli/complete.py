"""Names offered while a command is typed: streams, drains, fields and saved filters, if the deployment answers at once.

Whatever goes wrong, nothing is printed into the line that somebody is typing: then there is nothing to offer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from logyard_cli.choice import known_names
from logyard_cli.options import ServerOptions

if TYPE_CHECKING:
    from logyard.server import Server

__all__ = ["drain_names", "field_names", "filter_names", "filter_words", "stream_names", "zone_names"]

_PATIENCE = 1.0
"""Seconds that somebody who pressed Tab waits for the deployment's answer."""
_Question = Literal["drains", "record_fields", "saved_filters", "stream_keys"]
"""A function of `logyard_cli.answers`."""
_ENVELOPE = ("time", "key", "app", "instance", "node", "source", "level", "text")
_LEVELS = ("trace", "debug", "info", "notice", "warn", "error", "critical")


def stream_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Streams: by name, and by key once something was typed."""
    del param
    found = _ask(ctx, "stream_keys")
    offered = [*known_names(found), *(found if incomplete else ())]
    return _beginning(offered, incomplete)


def drain_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Drains."""
    del param
    return _beginning(_ask(ctx, "drains"), incomplete)


def field_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Fields for a list divided by commas: the envelope's, and those of recent records."""
    del param
    before, comma, typed = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in _beginning([*_ENVELOPE, *_ask(ctx, "record_fields")], typed)]


def filter_words(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The next word of a filter: a field and its colon, a level, a stream, a saved filter."""
    del param
    start = max(incomplete.rfind(char) for char in " (") + 1
    head, typed = incomplete[:start], incomplete[start:]
    sign = typed[:1] if typed[:1] == "-" else ""
    typed = typed[len(sign) :]
    name, colon, value = typed.partition(":")
    if typed.startswith("@"):
        words = [f"@{saved}" for saved in _ask(ctx, "saved_filters")]
    elif colon and name == "level":
        given = value[:2] if value[:2] in {">=", "<="} else value[:1] if value[:1] in {">", "<"} else ""
        words = [f"level:{given}{level}" for level in _LEVELS]
    elif colon and name in {"app", "key"}:
        keys = _ask(ctx, "stream_keys")
        words = [f"{name}:{key if name == 'key' else key[4:]}" for key in keys if name == "key" or key[:4] == "app."]
    else:
        words = [f"{field}:" for field in (*_ENVELOPE, *_ask(ctx, "record_fields"))]
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


def filter_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Saved filters."""
    del param
    return _beginning(_ask(ctx, "saved_filters"), incomplete)


def _path(ctx: click.Context, name: str) -> Path | None:
    given = ctx.params.get(name)
    return None if given is None else Path(given)


def _ask(ctx: click.Context, what: _Question) -> list[str]:
    import asyncio

    from logyard.errors import LogyardError
    from logyard_cli import answers

    options = ServerOptions(ctx.params.get("redis"), _path(ctx, "data_dir"), _path(ctx, "config"))
    question: Callable[[Server], Awaitable[list[str]]] = getattr(answers, what)

    async def answer() -> list[str]:
        connection = options.connect()
        async with asyncio.timeout(_PATIENCE), connection as server:
            return await question(server)

    try:
        return asyncio.run(answer())
    except (LogyardError, OSError, TimeoutError):
        return []
