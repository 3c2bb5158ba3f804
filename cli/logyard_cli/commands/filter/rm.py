"""logyard filter rm."""

from __future__ import annotations

import click

from logyard.errors import UsageError
from logyard_cli.complete import filter_names
from logyard_cli.exits import OK, run_async
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.visible import visible

__all__ = ["command"]


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=filter_names)
@click.option("--force", is_flag=True, help="Also those that other filters use, which are errors then.")
@server_options
def command(names: tuple[str, ...], force: bool, server: ServerOptions) -> int:
    """Remove saved filters. One that other saved filters use stays, unless these go as well."""
    return run_async(_remove(server, names, force))


async def _remove(server: ServerOptions, names: tuple[str, ...], force: bool) -> int:
    from logyard.bus.filters import get_filter, get_filters, remove_filter, users_of

    async with server.connect() as connected:
        found = [await get_filter(connected, name) for name in names]
        filters = await get_filters(connected)
        going = {saved.name for saved in found}
        for saved in found:
            users = [user for user in users_of(saved.name, filters) if user not in going]
            if users and not force:
                used = " and ".join(f"@{user}" for user in users)
                raise UsageError(f"@{saved.name} is used by {used}: change these first, or remove it with --force")
        for name in dict.fromkeys(saved.name for saved in found):
            removed = await remove_filter(connected, name)
            click.echo(f"@{removed.name} removed; it was: {visible(removed.text)}")
    return OK
