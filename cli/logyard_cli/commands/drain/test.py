"""logyard drain test."""

from __future__ import annotations

import click

from logyard_cli.complete import drain_names
from logyard_cli.exits import FAILED, OK, run_async, say
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.units import duration

__all__ = ["command"]


@click.command()
@click.argument("name", shell_complete=drain_names)
@server_options
def command(name: str, server: ServerOptions) -> int:
    """Send one marked record to a drain's destination and say what it answered.

    It is sent from this machine, beside what the router sends. Exit code 1 when the destination did not take it.
    """
    return run_async(_test(server, name))


async def _test(server: ServerOptions, name: str) -> int:
    from logyard.bus.drains import get_drain
    from logyard.errors import DrainError
    from logyard_cli.trial import try_drain

    async with server.connect() as connected:
        spec = await get_drain(connected, name)
    try:
        trial = await try_drain(spec, server.settings().node, send=True)
    except DrainError as error:
        say(f"drain {name}: {spec.shown}: {spec.mask(str(error))}")
        return FAILED
    answer = {True: "was confirmed", False: "was written, but not confirmed", None: "was taken"}[trial.confirmed]
    click.echo(
        f"drain {name}: a record with the mark {trial.mark} {answer} by {spec.shown} in {duration(trial.seconds)}"
    )
    return OK
