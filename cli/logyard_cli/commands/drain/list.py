"""logyard drain list."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from logyard_cli.exits import OK, run_async
from logyard_cli.listing import json_option, print_json, print_table
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.units import ago

if TYPE_CHECKING:
    from logyard.bus.drains import DrainSpec

__all__ = ["command"]


@click.command()
@json_option
@server_options
def command(as_json: bool, server: ServerOptions) -> int:
    """The drains and where they send to. Secrets are shown as ****."""
    return run_async(_list(server, as_json))


async def _list(server: ServerOptions, as_json: bool) -> int:
    from logyard.bus.drains import get_drains

    async with server.connect() as connected:
        drains = list((await get_drains(connected)).values())
    if as_json:
        print_json(
            [
                {
                    "name": spec.name,
                    "uri": spec.shown,
                    "keys": spec.keys,
                    "filter": spec.filter,
                    "start": spec.start,
                    "paused": spec.paused,
                    "created": spec.created,
                }
                for spec in drains
            ]
        )
        return OK
    if not drains:
        click.echo("no drains yet; see: logyard drain add --help", err=True)
        return OK
    now = time.time()
    print_table(
        ("NAME", "STREAMS", "ADDED", "DESTINATION"),
        [(spec.name, _what(spec), ago(now - spec.created), _where(spec.shown, spec.paused)) for spec in drains],
    )
    return OK


def _what(spec: DrainSpec) -> str:
    keys = " ".join(spec.keys) or "all"
    return f"{keys} | {spec.filter}" if spec.filter else keys


def _where(shown: str, paused: bool) -> str:
    return f"{shown}  (paused)" if paused else shown
