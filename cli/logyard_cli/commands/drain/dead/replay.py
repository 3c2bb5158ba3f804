"""logyard drain dead NAME replay."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from logyard_cli.exits import FAILED, INTERRUPTED, OK, run_async, say
from logyard_cli.options import ServerOptions, server_options

if TYPE_CHECKING:
    from logyard.bus.replays import ReplayRequest

__all__ = ["command"]


@click.command()
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--match", metavar="TEXT", default="", help="Only those whose reason contains TEXT, in any case.")
@click.option("--detach", is_flag=True, help="Do not wait; the router goes on by itself.")
@server_options
@click.pass_context
def command(ctx: click.Context, ids: tuple[str, ...], match: str, detach: bool, server: ServerOptions) -> int:
    """Send dead letters again: those of these IDs, those that match, or all.

    What is delivered leaves the dead letters, what is refused again stays with the new reason. Whatever happens on the
    way, a letter is removed only once the destination has its record. The exit code is 1 when some were refused.

    \b
      logyard drain dead search replay
      logyard drain dead search replay --match mapper_parsing
    """
    from logyard.bus.replays import ReplayRequest

    assert ctx.parent is not None
    name = ctx.parent.params["name"]
    return run_async(_replay(server, ReplayRequest(name, "letters", letters=ids, match=match, detached=detach)))


async def _replay(server: ServerOptions, request: ReplayRequest) -> int:
    from logyard.bus.dead import count_letters, find_letters
    from logyard.bus.drains import get_drain
    from logyard.bus.replays import ask_for_replay
    from logyard_cli.replaying import outcome, refuse_unready, watch

    async with server.connect() as connected:
        spec = await get_drain(connected, request.drain)
        await find_letters(connected, spec.name, request.letters)
        if not await count_letters(connected, spec.name):
            say(f"drain {spec.name} has no dead letters")
            return FAILED
        await refuse_unready(connected, spec)
        if request.detached:
            await ask_for_replay(connected, request)
            click.echo(
                f'drain {spec.name}: the router sends them again; "logyard drain show {spec.name}" tells how far it'
                f' is, "logyard drain replay {spec.name} --cancel" ends it'
            )
            return OK
        progress, interrupted = await watch(connected, request)
        left = await count_letters(connected, spec.name)
    told = f"{outcome(progress)}; {left:,} left"
    if progress.state == "done":
        click.echo(f"drain {spec.name}: {told}")
        return OK if progress.sent and not progress.refused else FAILED
    click.echo(f"drain {spec.name}: stopped{f': {progress.error}' if progress.error else ''}; {told}")
    click.echo(f"go on with: {_go_on(request)}")
    return INTERRUPTED if interrupted else FAILED


def _go_on(request: ReplayRequest) -> str:
    """The command that sends the rest; letters that were delivered are no longer among those that are named."""
    words = ["logyard", "drain", "dead", request.drain, "replay"]
    if request.match:
        words += ["--match", request.match]
    return shlex.join(words)
