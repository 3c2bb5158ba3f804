"""logyard drain dead NAME show."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING

import click

from logyard_cli.exits import OK, run_async
from logyard_cli.listing import json_option, print_json
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.units import count
from logyard_cli.visible import decoded, visible

if TYPE_CHECKING:
    from logyard.bus.dead import Letter

__all__ = ["command"]


@click.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@json_option
@server_options
@click.pass_context
def command(ctx: click.Context, ids: tuple[str, ...], as_json: bool, server: ServerOptions) -> int:
    """Everything about dead letters: reason, origin, and all of the text. Control characters are made visible."""
    assert ctx.parent is not None
    return run_async(_show(server, ctx.parent.params["name"], ids, as_json))


async def _show(server: ServerOptions, name: str, ids: tuple[str, ...], as_json: bool) -> int:
    from logyard.bus.dead import find_letters
    from logyard.bus.drains import get_drain
    from logyard_cli.commands.drain.dead.list import letter_fields

    async with server.connect() as connected:
        await get_drain(connected, name)
        letters = await find_letters(connected, name, ids)
    if as_json:
        print_json([letter_fields(letter) for letter in letters])
        return OK
    for number, letter in enumerate(letters):
        sys.stdout.write("\n" if number else "")
        _print(letter)
    return OK


def _print(letter: Letter) -> None:
    lines = {
        "id": letter.name,
        "refused": f"{_moment(letter.died_ms / 1000)}{f', for the {letter.tries}th time' if letter.tries > 1 else ''}",
        "reason": letter.reason,
        "stream": letter.key,
        "batch": letter.entry,
    }
    batch = letter.batch
    if batch is not None:
        lines |= {
            "instance": batch.instance or "none",
            "node": batch.node,
            "source": batch.source,
            "read": _moment(batch.time_ns / 1e9),
            "record": batch.identity(batch.first),
            "length": f"{count(len(letter.text))} bytes" + (f", cut from {count(batch.cut)}" if batch.cut else ""),
        }
    width = max(map(len, lines))
    for head, text in lines.items():
        sys.stdout.write(f"{head.ljust(width)}  {visible(text)}\n")
    if batch is None:
        sys.stdout.write("\nthe batch could not be read; it is sent again if this version can read it\n")
        return
    sys.stdout.write(f"\n{visible(decoded(letter.text), newlines=True)}\n")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "milliseconds")
