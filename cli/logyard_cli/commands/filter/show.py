"""logyard filter show."""

from __future__ import annotations

import click

from logyard_cli.complete import filter_names
from logyard_cli.exits import OK, run_async
from logyard_cli.listing import json_option, print_json
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.visible import visible

__all__ = ["command"]


@click.command()
@click.argument("name", metavar="NAME", shell_complete=filter_names)
@json_option
@server_options
def command(name: str, as_json: bool, server: ServerOptions) -> int:
    """What a saved filter says, and which other saved filters use it."""
    return run_async(_show(server, name, as_json))


async def _show(server: ServerOptions, name: str, as_json: bool) -> int:
    from logyard.bus.filters import get_filter, get_filters, texts_of, users_of
    from logyard.filters import parse, wording

    async with server.connect() as connected:
        saved = await get_filter(connected, name)
        filters = await get_filters(connected)
    users = users_of(saved.name, filters)
    meaning = wording(parse(saved.text, texts_of(filters)))
    if as_json:
        print_json(
            {"name": saved.name, "filter": saved.text, "meaning": meaning, "saved": saved.saved, "used_by": users}
        )
        return OK
    # The text alone on its line, to be copied; what it comes to with the filters it uses filled in only if it differs.
    click.echo(visible(saved.text))
    if "@" in saved.text:
        click.echo(f"which means: {visible(meaning)}", err=True)
    if users:
        click.echo(f"used by: {', '.join(f'@{user}' for user in users)}", err=True)
    return OK
