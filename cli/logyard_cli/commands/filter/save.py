"""logyard filter save."""

from __future__ import annotations

import click

from logyard_cli.complete import filter_names
from logyard_cli.exits import OK, run_async
from logyard_cli.filterarg import FilterCommand
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.visible import visible

__all__ = ["command"]


@click.command(cls=FilterCommand)
@click.argument("name", metavar="NAME", shell_complete=filter_names)
@click.argument("text", metavar="FILTER")
@server_options
def command(name: str, text: str, server: ServerOptions) -> int:
    """Save a FILTER under a NAME; @NAME then stands for it in every filter. A filter of that name is replaced.

    The filter is checked first. It may use other saved filters.
    """
    return run_async(_save(server, name, text))


async def _save(server: ServerOptions, name: str, text: str) -> int:
    from logyard.bus.filters import checked_name, save_filter

    name = checked_name(name)
    async with server.connect() as connected:
        before = await save_filter(connected, name, text)
    if before is None:
        click.echo(f"saved; use it as @{name}")
    elif before.text == text:
        click.echo(f"@{name} is that already")
    else:
        click.echo(f"@{name} changed; it was: {visible(before.text)}")
    return OK
