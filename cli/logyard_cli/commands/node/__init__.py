"""logyard node: where logs come from."""

from __future__ import annotations

import click

from logyard_cli.lazy import CommandGroup, Entry

__all__ = ["command"]


@click.command(
    cls=CommandGroup,
    table={"list": Entry("logyard_cli.commands.node.list", "The nodes, their state and how much they read.")},
    no_args_is_help=True,
)
def command() -> None:
    """Nodes: the machines that agents read logs on."""
