"""logyard tail: the last lines of streams, then live."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from logyard.errors import UsageError
from logyard_cli.colour import colour_option
from logyard_cli.complete import stream_names
from logyard_cli.exits import INTERRUPTED, run_async, say
from logyard_cli.moments import parse_moment
from logyard_cli.options import ServerOptions, server_options

if TYPE_CHECKING:
    from logyard_cli.tail import TailOptions

__all__ = ["command"]

_LAST = 10


@click.command()
@click.argument("streams", metavar="[STREAM]...", nargs=-1, shell_complete=stream_names)
@click.option(
    "-n", "--lines", "last", metavar="N|all", help=f"Begin with the last N lines over all streams.  [default: {_LAST}]"
)
@click.option(
    "--since",
    metavar="T",
    help="Begin with the lines since then: 10m, 2h, 14:30, yesterday, 2024-05-01T14:30:00Z.",
)
@click.option("-f/-F", "--follow/--no-follow", default=True, help="Go on with what comes.  [default: follow]")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["pretty", "json", "raw", "text"]),
    default="pretty",
    show_default=True,
    help="pretty: for eyes; json: everything known about each line; raw: the line alone; text: as the text format.",
)
@click.option("--utc", is_flag=True, help="Times in UTC (always so when not on a terminal).")
@click.option("--node/--no-node", default=None, help="Say on which node a line was written.  [default: if several]")
@colour_option
@server_options
def command(
    streams: tuple[str, ...],
    last: str | None,
    since: str | None,
    follow: bool,
    output: str,
    utc: bool,
    node: bool | None,
    color: str,
    server: ServerOptions,
) -> int:
    """Show the last lines of streams, in order of time, and follow them live.

    A STREAM is a name (web), a key (app.web, sys.nginx), a glob ('sys.*') or an instance (web.3); without any, all
    streams are shown. Streams that appear later join by themselves. Ctrl-C ends it.

    \b
      logyard tail                        everything, live
      logyard tail web api                two applications
      logyard tail web.3 --since 1h       one instance, the last hour first
      logyard tail 'sys.*' -n 100 -F      the last 100 lines and no more
      logyard tail web -o json | jq .     for programs
    """
    since_ns = None if since is None else parse_moment(since, datetime.now().astimezone())
    from logyard_cli.tail import TailOptions  # heavy, and of no use to --help

    options = TailOptions(
        streams=streams,
        last=_number(last, since is not None),
        since_ns=since_ns,
        follow=follow,
        output=output,
        color=color,
        utc=utc,
        node=node,
    )
    return run_async(_tail(server, options))


def _number(text: str | None, since: bool) -> int | None:
    if text is None:
        return None if since else _LAST
    if text == "all":
        return None
    if not text.isdecimal():
        raise UsageError(f"-n {text}: give a number of lines, or all")
    return int(text)


async def _tail(server: ServerOptions, options: TailOptions) -> int:
    import asyncio
    import signal
    import sys

    from logyard_cli.tail import run_tail

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        # A second Ctrl-C, should stopping in order take too long, stops at once.
        loop.remove_signal_handler(signal.SIGINT)
        stop.set()

    loop.add_signal_handler(signal.SIGINT, interrupt)
    summary = await run_tail(server.connect, options, stop)
    if not stop.is_set():
        return summary.code
    if sys.stderr.isatty():
        sys.stderr.write("\r")  # over the ^C that the terminal shows
    say(summary.text())
    return INTERRUPTED
