"""logyard drain replay."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import TYPE_CHECKING

import click

from logyard.errors import UsageError
from logyard_cli.complete import drain_names
from logyard_cli.exits import FAILED, INTERRUPTED, OK, run_async, say
from logyard_cli.moments import parse_moment
from logyard_cli.options import ServerOptions, server_options

if TYPE_CHECKING:
    from logyard.bus.replays import ReplayProgress, ReplayRequest

__all__ = ["command"]


@click.command()
@click.argument("name", shell_complete=drain_names)
@click.option(
    "--since", metavar="T", help="Send what was stored since then: 2h, yesterday, 14:30, 2026-05-01T14:30:00Z."
)
@click.option("--until", metavar="T", help="Up to then.  [default: now]")
@click.option(
    "--key", "-k", "keys", metavar="GLOB", multiple=True,
    help="Only these of the drain's streams: 'app.*', sys.nginx, web; again for more.",
)  # fmt: skip
@click.option("--filter", "filter_", metavar="FILTER", default="", help="Only records that pass: 'level:>=warn'.")
@click.option("--detach", is_flag=True, help="Do not wait; the router goes on by itself.")
@click.option("--cancel", is_flag=True, help="End the replay that is under way.")
@server_options
def command(
    name: str,
    since: str | None,
    until: str | None,
    keys: tuple[str, ...],
    filter_: str,
    detach: bool,
    cancel: bool,
    server: ServerOptions,
) -> int:
    """Send what the streams still hold to a drain again, beside what is sent live.

    Taken is what was stored since T and what the drain has had; what it has not had yet comes by itself. Neither its
    position nor its counters change, but for "replayed". A router does it, where the drain's secrets are; Ctrl-C ends
    it in order and says how to go on.

    \b
      logyard drain replay archive --since 2h
      logyard drain replay search --since 2026-05-01T14:00:00Z --until 2026-05-01T15:00:00Z --key web
    """
    if cancel:
        return run_async(_cancel(server, name))
    if since is None:
        raise click.UsageError("give --since T: how far back?", click.get_current_context())
    from logyard.bus.replays import ReplayRequest
    from logyard_cli.globs import stream_choice

    now = datetime.now().astimezone()
    since_ms = parse_moment(since, now) // 1_000_000
    until_ms = None if until is None else parse_moment(until, now) // 1_000_000
    if until_ms is not None and until_ms < since_ms:
        raise UsageError(f"--until {until} is before --since {since}")
    if filter_.strip():
        from logyard.bus.filters import names_in

        names_in(filter_)
    request = ReplayRequest(
        name, "records", since_ms=since_ms, until_ms=until_ms, keys=stream_choice(keys), filter=filter_.strip(),
        detached=detach,
    )  # fmt: skip
    return run_async(_replay(server, request, keys))


async def _replay(server: ServerOptions, request: ReplayRequest, keys: tuple[str, ...]) -> int:
    from dataclasses import replace

    from logyard.bus.catalogue import stream_keys
    from logyard.bus.drains import get_drain
    from logyard.bus.replays import ask_for_replay
    from logyard.names import key_matches
    from logyard.server import keys as redis_keys
    from logyard_cli.replaying import outcome, refuse_unready, watch

    async with server.connect() as connected:
        spec = await get_drain(connected, request.drain)
        await refuse_unready(connected, spec)
        if request.filter:
            from logyard.bus.filters import filled_in

            request = replace(request, filter=await filled_in(connected, request.filter))
        streams = [key for key in await stream_keys(connected) if spec.selects(key)]
        if request.keys and not any(key_matches(key, request.keys) for key in streams):
            say(f"drain {spec.name} takes no stream that matches {' or '.join(keys)}")
            return FAILED
        if request.until_ms is None:  # by the clock that the streams are stored by
            seconds, micros = await connected.call(redis_keys.GLOBAL, "TIME")
            request = replace(request, until_ms=int(seconds) * 1000 + int(micros) // 1000)
        if request.detached:
            await ask_for_replay(connected, request)
            click.echo(
                f'drain {spec.name}: the router sends it again; "logyard drain show {spec.name}" tells how far it is,'
                f' "logyard drain replay {spec.name} --cancel" ends it'
            )
            return OK
        progress, interrupted = await watch(connected, request)
    if progress.state == "done":
        click.echo(f"drain {spec.name}: {outcome(progress)}")
        if not progress.looked:
            say("the streams hold nothing of that time that this drain has had")
        return OK if progress.looked and not progress.refused else FAILED
    why = f": {progress.error}" if progress.error else ""
    click.echo(f"drain {spec.name}: stopped{why}; {outcome(progress)}")
    click.echo(f"go on with: {_go_on(request, progress, keys)}")
    return INTERRUPTED if interrupted else FAILED


def _go_on(request: ReplayRequest, progress: ReplayProgress, keys: tuple[str, ...]) -> str:
    """The command that sends the rest."""
    from logyard_cli.replaying import timestamp

    since = request.since_ms if progress.at_ms is None else progress.at_ms
    words = ["logyard", "drain", "replay", request.drain, "--since", timestamp(since)]
    if request.until_ms is not None:
        words += ["--until", timestamp(request.until_ms)]
    for key in keys:
        words += ["--key", key]
    if request.filter:
        words += ["--filter", request.filter]
    return shlex.join(words)


async def _cancel(server: ServerOptions, name: str) -> int:
    from logyard.bus.drains import get_drain
    from logyard.bus.replays import OVER, end_replay, replay_progress, replay_requests
    from logyard_cli.replaying import outcome

    async with server.connect() as connected:
        await get_drain(connected, name)
        request = (await replay_requests(connected, [name])).get(name)
        progress = await replay_progress(connected, name, request.id if request else "")
        if request is None or progress.state in OVER:
            say(f"no replay to drain {name} is under way")
            return FAILED
        await end_replay(connected, request)
    click.echo(f"drain {name}: the replay ends; so far {outcome(progress)}")
    return OK
