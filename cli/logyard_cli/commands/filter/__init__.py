"""logyard filter: filters with names."""

from __future__ import annotations

import click

from logyard_cli.lazy import CommandGroup, Entry

__all__ = ["command"]

_HERE = "logyard_cli.commands.filter"


@click.command(
    cls=CommandGroup,
    table={
        "save": Entry(f"{_HERE}.save", "Save a filter under a name, for everybody."),
        "list": Entry(f"{_HERE}.list", "The saved filters."),
        "show": Entry(f"{_HERE}.show", "What a saved filter says, and who uses it."),
        "rm": Entry(f"{_HERE}.rm", "Remove a saved filter that nobody uses."),
    },
    no_args_is_help=True,
)
def command() -> None:
    """Filters with names, shared by everybody who uses this deployment.

    \b
      logyard filter save noise 'path:/healthz OR ua:*bot*'
      logyard query 'app:web level:>=warn -@noise'
      logyard tail web -e '-@noise'
    """
