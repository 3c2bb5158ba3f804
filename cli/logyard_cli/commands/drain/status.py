"""logyard drain status."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from logyard_cli.complete import drain_names
from logyard_cli.exits import OK, run_async
from logyard_cli.listing import json_option, print_json, print_table, state_cell
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.units import count, duration
from logyard_cli.visible import visible

if TYPE_CHECKING:
    from logyard.bus.drains import DrainStatus

__all__ = ["command", "status_fields"]

_FIELDS = (
    "name", "state", "lag_records", "lag_seconds", "delivered", "filtered", "dead", "dropped", "resent", "last_error",
    "workers", "cut", "replayed", "dead_lost", "uri",
)  # fmt: skip


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=drain_names)
@click.option("--not-running", is_flag=True, help="Only those that are not running.")
@json_option
@server_options
def command(names: tuple[str, ...], not_running: bool, as_json: bool, server: ServerOptions) -> int:
    """State, lag, counters and last error of drains, for the whole deployment.

    LAG counts records that were published and not yet acknowledged, BEHIND is the age of the oldest of them. The
    other numbers are records since the drain was added.
    """
    return run_async(_status(server, names, not_running, as_json))


def status_fields(status: DrainStatus) -> dict[str, Any]:
    """A status as ``--json`` shows it."""
    return {name: getattr(status, name) for name in _FIELDS}


async def _status(server: ServerOptions, names: tuple[str, ...], not_running: bool, as_json: bool) -> int:
    from logyard.bus.drains import drain_status

    async with server.connect() as connected:
        found = await drain_status(connected, names)
    if not_running:
        found = [status for status in found if status.state != "running"]
    if as_json:
        print_json([status_fields(status) for status in found])
        return OK
    if not found:
        click.echo(
            "all drains are running" if not_running else "no drains yet; see: logyard drain add --help", err=True
        )
        return OK
    print_table(
        ("NAME", "STATE", "LAG", "BEHIND", "DELIVERED", "FILTERED", "DEAD", "DROPPED", "RESENT", "WORKERS"),
        [
            (
                status.name,
                state_cell(status.state),
                count(status.lag_records),
                duration(status.lag_seconds) if status.lag_records else "-",
                count(status.delivered),
                count(status.filtered),
                count(status.dead),
                count(status.dropped),
                count(status.resent),
                count(status.workers),
            )
            for status in found
        ],
        right=("LAG", "BEHIND", "DELIVERED", "FILTERED", "DEAD", "DROPPED", "RESENT", "WORKERS"),
    )
    for status in found:
        if status.last_error:
            sys.stdout.write(f"{status.name}: {visible(status.last_error)}\n")
    return OK
