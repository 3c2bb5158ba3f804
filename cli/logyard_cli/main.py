"""The entry point ``logyard``: the commands' names, and errors turned into exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from logyard import __version__
from logyard_cli.exits import INTERRUPTED, OK, exit_code, silence_stdout
from logyard_cli.lazy import CommandGroup, Entry
from logyard_cli.options import ServerOptions, server_options

__all__ = ["ServerOptions", "cli", "main", "server_options"]

_HERE = "logyard_cli.commands"
_TABLE = {
    "demo": Entry(f"{_HERE}.demo", "See it work: everything started, with sample logs, in one terminal.", "Start"),
    "up": Entry(f"{_HERE}.up", "Run everything on this machine: Redis, agent and router.", "Start"),
    "agent": Entry(f"{_HERE}.agent", "Read this node's logs into streams.", "Start"),
    "router": Entry(f"{_HERE}.router", "Deliver streams to drains.", "Start"),
    "check": Entry(f"{_HERE}.check", "Check settings and connections, and say what is wrong.", "Start"),
    "tail": Entry(f"{_HERE}.tail", "Show the last lines of streams and follow them live.", "Logs"),
    "query": Entry(f"{_HERE}.query", "Search what is stored: lines, counts, charts.", "Logs"),
    "send": Entry(f"{_HERE}.send", "Send standard input into a stream.", "Logs"),
    "explain": Entry(f"{_HERE}.explain", "Why drains have a record, or have not.", "Logs"),
    "stream": Entry(f"{_HERE}.stream", "Streams: list.", "Manage"),
    "drain": Entry(
        f"{_HERE}.drain", "Drains: add, list, status, show, test, dead, replay, tap, pause, resume, rm.", "Manage"
    ),
    "filter": Entry(f"{_HERE}.filter", "Saved filters: save, list, show, rm.", "Manage"),
    "node": Entry(f"{_HERE}.node", "Nodes: list.", "Manage"),
    "completion": Entry(f"{_HERE}.completion", "Print the completion script for your shell.", "Manage"),
}


class _Root(CommandGroup):
    """The outermost group: it ends the process."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        # Both before click answers them in its own way.
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            silence_stdout()
            raise click.exceptions.Exit(OK) from None

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        extra.pop("standalone_mode", None)
        run = super().main
        sys.exit(exit_code(lambda: run(args, prog_name or "logyard", standalone_mode=False, **extra)))


@click.command(
    name="logyard",
    cls=_Root,
    table=_TABLE,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", message="logyard %(version)s")
def cli() -> None:
    """Logs of all your applications and systems: one place to see them live, and to send them on from.

    \b
      logyard demo                            see it work
      logyard tail                            all logs, live
      logyard tail web 'sys.*' --since 10m    some of them, the last ten minutes first
      make 2>&1 | logyard send --key sys.build
      logyard drain add archive file:///var/log/all.log

    Exit codes: 0 done, 1 nothing matched or a check failed, 2 wrong usage, 3 Redis cannot be reached,
    130 stopped with Ctrl-C.
    """


def main() -> None:
    """What the installed command ``logyard`` calls."""
    cli.main(prog_name="logyard")
