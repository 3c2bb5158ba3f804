"""logyard drain rm."""

from __future__ import annotations

import click

from logyard_cli.complete import drain_names
from logyard_cli.exits import OK, run_async
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.units import plural

__all__ = ["command"]


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=drain_names)
@server_options
def command(names: tuple[str, ...], server: ServerOptions) -> int:
    """Remove drains, with their positions, counters and dead letters; what waits for them is not delivered."""
    return run_async(_remove(server, names))


async def _remove(server: ServerOptions, names: tuple[str, ...]) -> int:
    from logyard.bus.drains import drain_status, remove_drain

    async with server.connect() as connected:
        for status in await drain_status(connected, names):
            await remove_drain(connected, status.name)
            undelivered = (
                f"; {plural(status.lag_records, 'record')} had not been delivered" if status.lag_records else ""
            )
            click.echo(f"drain {status.name} removed{undelivered}")
    return OK
