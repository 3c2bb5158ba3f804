"""logyard node list."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from logyard_cli.exits import OK, run_async
from logyard_cli.listing import json_option, print_json, print_table, state_cell
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.units import ago, count, duration, size

if TYPE_CHECKING:
    from logyard.bus.nodes import NodeReport

__all__ = ["command"]


@click.command()
@json_option
@server_options
def command(as_json: bool, server: ServerOptions) -> int:
    """The nodes, their state and how much they read. A node that stopped reporting is away."""
    return run_async(_list(server, as_json))


async def _list(server: ServerOptions, as_json: bool) -> int:
    from logyard.bus.nodes import list_nodes

    now = time.time()
    async with server.connect() as connected:
        nodes = await list_nodes(connected, now)
    if as_json:
        print_json([{**asdict(report), "state": _state(report, now)} for report in nodes])
        return OK
    if not nodes:
        click.echo("no nodes yet: no agent has reported", err=True)
        return OK
    print_table(
        ("NODE", "STATE", "SOURCES", "RECORDS/S", "BYTES/S", "RECORDS", "BYTES", "UP", "REPORTED", "VERSION"),
        [
            (
                report.node,
                state_cell(_state(report, now)),
                count(report.source_count),
                count(round(report.rates.get("records", 0))),
                size(report.rates.get("bytes", 0)),
                count(report.counters.get("records", 0)),
                size(report.counters.get("bytes", 0)),
                duration(report.time - report.started),
                ago(now - report.time),
                report.version,
            )
            for report in nodes
        ],
        right=("SOURCES", "RECORDS/S", "BYTES/S", "RECORDS", "BYTES", "UP"),
    )
    return OK


def _state(report: NodeReport, now: float) -> str:
    return report.state if report.state == "stopped" or report.alive(now) else "away"
