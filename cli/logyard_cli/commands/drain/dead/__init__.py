"""logyard drain dead: what a destination refused."""

from __future__ import annotations

import click

from logyard_cli.complete import drain_names
from logyard_cli.lazy import CommandGroup, Entry

__all__ = ["command"]

_HERE = "logyard_cli.commands.drain.dead"


class _Dead(CommandGroup):
    """``dead NAME`` alone, or with options only, lists."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and (len(args) == 1 or args[1].startswith("-")):
            asks_help = len(args) > 1 and args[1] in ctx.help_option_names
            args = args[1:] if asks_help else [args[0], "list", *args[1:]]
        return super().parse_args(ctx, args)


@click.command(
    cls=_Dead,
    table={
        "list": Entry(f"{_HERE}.list", "The newest of them, the newest last (the default)."),
        "show": Entry(f"{_HERE}.show", "Everything about one."),
        "replay": Entry(f"{_HERE}.replay", "Send them again; what is delivered leaves."),
        "purge": Entry(f"{_HERE}.purge", "Remove them."),
    },
    subcommand_metavar="[COMMAND] [ARGS]...",
)
@click.argument("name", shell_complete=drain_names)
def command(name: str) -> None:
    """Dead letters: records that the destination of the drain NAME refused for good.

    The newest 100,000 are kept for each drain, with the reason and with all that is needed to send them again.

    \b
      logyard drain dead search                            the newest of them
      logyard drain dead search show 1790000000000-0       one, with all of its text
      logyard drain dead search replay --match mapping     send some again
      logyard drain dead search purge --before 7d
    """
