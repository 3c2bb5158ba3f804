"""logyard stream list."""

from __future__ import annotations

import time
from dataclasses import asdict

import click

from logyard_cli.complete import stream_names
from logyard_cli.exits import FAILED, OK, run_async, say
from logyard_cli.listing import json_option, print_json, print_table
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.units import ago, count, size

__all__ = ["command"]


@click.command()
@click.argument("streams", metavar="[STREAM]...", nargs=-1, shell_complete=stream_names)
@json_option
@server_options
def command(streams: tuple[str, ...], as_json: bool, server: ServerOptions) -> int:
    """The streams, how much they hold and how fresh they are.

    HELD are records that can still be read, TOTAL those that were ever published, TEXT their size. LOST were removed
    at the hard cap before every drain had them.
    """
    return run_async(_list(server, streams, as_json))


async def _list(server: ServerOptions, streams: tuple[str, ...], as_json: bool) -> int:
    from logyard.bus.catalogue import list_streams
    from logyard_cli.choice import StreamChoice

    choice = StreamChoice(streams)
    async with server.connect() as connected:
        found = await list_streams(connected)
    if hint := choice.hint([info.key for info in found]):
        say(hint)
    shown = [info for info in found if choice.selects(info.key)]
    if as_json:
        print_json([{**asdict(info), "held": info.held} for info in shown])
    elif shown:
        now = time.time()
        print_table(
            ("STREAM", "HELD", "TOTAL", "TEXT", "MEMORY", "LOST", "NEWEST"),
            [
                (
                    info.key,
                    count(info.held),
                    count(info.records),
                    size(info.bytes),
                    size(info.memory),
                    count(info.lost),
                    ago(now - info.last_ms / 1000) if info.last_ms else "-",
                )
                for info in shown
            ],
            right=("HELD", "TOTAL", "TEXT", "MEMORY", "LOST"),
        )
    elif not streams:
        click.echo("no streams yet", err=True)
    return FAILED if streams and not shown else OK
