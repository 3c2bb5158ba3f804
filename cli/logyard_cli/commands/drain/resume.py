"""logyard drain resume."""

from __future__ import annotations

import click

from logyard_cli.complete import drain_names
from logyard_cli.exits import OK, run_async
from logyard_cli.options import ServerOptions, server_options

__all__ = ["command"]


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=drain_names)
@server_options
def command(names: tuple[str, ...], server: ServerOptions) -> int:
    """Go on sending where it was paused; a failed drain tries again."""
    return run_async(_resume(server, names))


async def _resume(server: ServerOptions, names: tuple[str, ...]) -> int:
    from logyard.bus.drains import get_drain, set_paused

    async with server.connect() as connected:
        specs = [await get_drain(connected, name) for name in names]
        for spec in specs:
            await set_paused(connected, spec.name, paused=False)
            click.echo(
                f"drain {spec.name} "
                + ("was not paused; it tries again if it had failed" if spec.paused is False else "resumed")
            )
    return OK
