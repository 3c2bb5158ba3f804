"""logyard drain dead NAME purge."""

from __future__ import annotations

import sys
from datetime import datetime

import click

from logyard.errors import UsageError
from logyard_cli.exits import FAILED, OK, confirmed, run_async, say
from logyard_cli.moments import parse_moment
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.units import plural

__all__ = ["command"]


@click.command()
@click.option("--before", metavar="T", help="Only those that were refused before then: 7d, yesterday, 2026-05-01.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@server_options
@click.pass_context
def command(ctx: click.Context, before: str | None, yes: bool, server: ServerOptions) -> int:
    """Remove the dead letters of the drain for good. Asks first, where it can."""
    before_ms = None if before is None else parse_moment(before, datetime.now().astimezone()) // 1_000_000
    assert ctx.parent is not None
    return run_async(_purge(server, ctx.parent.params["name"], before, before_ms, yes))


async def _purge(server: ServerOptions, name: str, before: str | None, before_ms: int | None, yes: bool) -> int:
    from logyard.bus.dead import count_letters, purge_letters
    from logyard.bus.drains import get_drain

    async with server.connect() as connected:
        await get_drain(connected, name)
        total = await count_letters(connected, name)
        if not total:
            click.echo(f"drain {name} has no dead letters", err=True)
            return OK
        if not yes:
            if not sys.stdin.isatty():
                raise UsageError("nobody can be asked here whether to remove them: give --yes")
            which = f"those from before {before} of the" if before else "the"
            question = f"Remove {which} {plural(total, 'dead letter')} of drain {name} for good?"
            if not confirmed(question):
                say("nothing was removed")
                return FAILED
        removed = await purge_letters(connected, name, before_ms)
        left = await count_letters(connected, name)
    click.echo(f"drain {name}: {plural(removed, 'dead letter')} removed, {left:,} left")
    return OK
