"""logyard filter list."""

from __future__ import annotations

import time

import click

from logyard_cli.exits import OK, run_async
from logyard_cli.listing import json_option, print_json, print_table
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.units import ago

__all__ = ["command"]


@click.command()
@json_option
@server_options
def command(as_json: bool, server: ServerOptions) -> int:
    """The saved filters."""
    return run_async(_list(server, as_json))


async def _list(server: ServerOptions, as_json: bool) -> int:
    from logyard.bus.filters import get_filters

    async with server.connect() as connected:
        filters = list((await get_filters(connected)).values())
    if as_json:
        print_json([{"name": saved.name, "filter": saved.text, "saved": saved.saved} for saved in filters])
    elif filters:
        now = time.time()
        print_table(("NAME", "SAVED", "FILTER"), [(one.name, ago(now - one.saved), one.text) for one in filters])
    else:
        click.echo("no saved filters yet; see: logyard filter save --help", err=True)
    return OK
