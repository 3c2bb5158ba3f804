"""logyard drain: what is sent where."""

from __future__ import annotations

import click

from logyard_cli.lazy import CommandGroup, Entry

__all__ = ["command"]

_HERE = "logyard_cli.commands.drain"


@click.command(
    cls=CommandGroup,
    table={
        "add": Entry(f"{_HERE}.add", "Send streams to a destination, from now on or from a time."),
        "list": Entry(f"{_HERE}.list", "The drains and where they send to."),
        "status": Entry(f"{_HERE}.status", "State, lag, counters and last error of drains."),
        "show": Entry(f"{_HERE}.show", "Everything about one drain."),
        "test": Entry(f"{_HERE}.test", "Send one marked record and say what the destination answered."),
        "dead": Entry(f"{_HERE}.dead", "What the destination refused: list, show, send again, purge."),
        "replay": Entry(f"{_HERE}.replay", "Send what the streams still hold again."),
        "tap": Entry(f"{_HERE}.tap", "Show what a drain gets, live."),
        "pause": Entry(f"{_HERE}.pause", "Stop sending; what comes in waits."),
        "resume": Entry(f"{_HERE}.resume", "Go on sending where it was paused."),
        "rm": Entry(f"{_HERE}.rm", "Remove a drain and what waits for it."),
    },
    no_args_is_help=True,
)
def command() -> None:
    """Destinations: what is sent where.

    A drain is a name and an address; logyard sends it every record of the streams it selects, each at least once
    and in order, whether the destination is there or not.

    \b
      logyard drain add archive file:///var/log/all.log
      logyard drain add loghost syslog+tls://logs.example.com:6514 --key 'app.*'
      logyard drain status
    """
