"""logyard drain dead NAME list."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from logyard_cli.exits import FAILED, OK, run_async, say
from logyard_cli.listing import json_option, print_json, print_table
from logyard_cli.moments import parse_moment
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.table import shortened
from logyard_cli.units import count
from logyard_cli.visible import decoded

if TYPE_CHECKING:
    from logyard.bus.dead import Letter

__all__ = ["command", "letter_fields"]

_LAST = 20
_REASON = 60
_TEXT = 60


@click.command()
@click.option("-n", "--last", metavar="N|all", default=str(_LAST), show_default=True, help="The last N of them.")
@click.option("--since", metavar="T", help="Those that were refused since then: 10m, 2h, 14:30, yesterday.")
@json_option
@server_options
@click.pass_context
def command(ctx: click.Context, last: str, since: str | None, as_json: bool, server: ServerOptions) -> int:
    """The newest dead letters of the drain, the newest last.

    \b
      logyard drain dead search -n 100
      logyard drain dead search list --since 1h --json
    """
    most = _most(last)
    since_ms = 0 if since is None else parse_moment(since, datetime.now().astimezone()) // 1_000_000
    assert ctx.parent is not None
    return run_async(_list(server, ctx.parent.params["name"], most, since_ms, as_json))


def _most(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal() or not int(text):
        raise click.UsageError(f"-n {text!r}: give a number from 1, or all", click.get_current_context())
    return int(text)


def letter_fields(letter: Letter) -> dict[str, Any]:
    """A letter as ``--json`` shows it."""
    batch = letter.batch
    fields = {
        "id": letter.name, "died": letter.died_ms / 1000, "reason": letter.reason, "tries": letter.tries,
        "key": letter.key, "entry": letter.entry,
    }  # fmt: skip
    if batch is None:
        return fields
    return {
        **fields, "app": batch.app, "instance": batch.instance, "node": batch.node, "source": batch.source,
        "time": batch.time_ns / 1e9, "record": batch.identity(batch.first), "cut": batch.cut,
        "partial": batch.partial, "text": decoded(letter.text),
    }  # fmt: skip


async def _list(server: ServerOptions, name: str, most: int | None, since_ms: int, as_json: bool) -> int:
    from logyard.bus.dead import count_letters, newest_letters
    from logyard.bus.drains import get_drain

    async with server.connect() as connected:
        await get_drain(connected, name)
        total = await count_letters(connected, name)
        letters = await newest_letters(connected, name, most=most, since_ms=since_ms)
    if as_json:
        print_json([letter_fields(letter) for letter in letters])
        return OK
    if not total:
        click.echo(f"drain {name} has no dead letters", err=True)
        return OK
    if not letters:
        say(f"none of the {count(total)} dead letters of drain {name} is that new")
        return FAILED
    print_table(
        ("ID", "WHEN", "STREAM", "INSTANCE", "REASON", "TEXT"),
        [
            (
                letter.name,
                datetime.fromtimestamp(letter.died_ms / 1000).astimezone().strftime("%m-%d %H:%M:%S"),
                letter.key,
                (letter.batch.instance if letter.batch else None) or "-",
                shortened(letter.reason, _REASON),
                shortened(decoded(letter.text[: 8 * _TEXT]), _TEXT),
            )
            for letter in letters
        ],
    )
    shown = "" if len(letters) == total else f", {count(len(letters))} shown"
    click.echo(f"{count(total)} in all{shown}", err=True)
    return OK
