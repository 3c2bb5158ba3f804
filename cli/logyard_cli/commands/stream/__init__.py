"""logyard stream: what there is to read."""

from __future__ import annotations

import click

from logyard_cli.lazy import CommandGroup, Entry

__all__ = ["command"]


@click.command(
    cls=CommandGroup,
    table={
        "list": Entry("logyard_cli.commands.stream.list", "The streams, how much they hold and how fresh they are.")
    },
    no_args_is_help=True,
)
def command() -> None:
    """Streams: the records of one application, system process or kind of event."""
