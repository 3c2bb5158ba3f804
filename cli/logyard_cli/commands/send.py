"""logyard send: standard input into a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from logyard.errors import UsageError
from logyard_cli.exits import INTERRUPTED, OK, run_async, say
from logyard_cli.options import ServerOptions, server_options

if TYPE_CHECKING:
    from logyard_cli.sending import SendTarget

__all__ = ["command"]

_DEFAULT_KEY = "sys.stdin"
_FLUSH_WITHIN = 5.0


@click.command()
@click.option(
    "--key", "-k", metavar="K", help=f"The stream: sys.backup, or backup for the same.  [default: {_DEFAULT_KEY}]"
)
@click.option("--app", "-a", metavar="A", help="The application that the lines are of, in place of --key.")
@click.option("--instance", "-i", metavar="I", help="Its instance: 0, 1, ...")
@click.option(
    "--wait", metavar="S", type=click.FloatRange(min=0), default=60.0, show_default=True,
    help="Seconds to keep trying while Redis is away or full.",
)  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="Say nothing about a success.")
@server_options
def command(
    key: str | None,
    app: str | None,
    instance: str | None,
    wait: float,
    quiet: bool,
    server: ServerOptions,
) -> int:
    """Send standard input into a stream, line by line, and wait until everything is stored.

    Each line is stored once, also when Redis goes away in between. Ctrl-C stops reading and still sends what was
    read.

    \b
      make 2>&1 | logyard send --key build
      ./server 2>&1 | logyard send --app web --instance 0
      logyard send --key notes < notes.txt
    """
    from logyard.names import clean_name, make_key

    if app is not None and key is not None:
        raise UsageError("give --key or --app, not both")
    if instance is not None and app is None:
        raise UsageError("--instance needs --app")
    from logyard_cli.sending import SendTarget

    node = server.settings().node
    server.url()  # a wrong address, or that nothing runs here, is said at once instead of tried again
    if app is not None:
        target = SendTarget(f"app.{clean_name(app)}", node, app, instance)
    else:
        target = SendTarget(make_key(key or _DEFAULT_KEY), node)
    return run_async(_send(server, target, wait, quiet))


async def _send(server: ServerOptions, target: SendTarget, wait: float, quiet: bool) -> int:
    import asyncio
    import signal
    import sys
    import time

    from logyard_cli.exits import cause
    from logyard_cli.sending import Sender
    from logyard_cli.units import duration, plural, size

    started = time.monotonic()
    sender = Sender(server.connect, target, wait, say)
    loop = asyncio.get_running_loop()
    signals: list[int] = []

    def interrupt(number: int) -> None:
        loop.remove_signal_handler(number)  # a second one stops at once
        signals.append(number)
        sender.stop(_FLUSH_WITHIN)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt, number)
    if sys.stdin.isatty() and not quiet:
        say(f"every line you type goes to {target.key}; Ctrl-D ends")
    try:
        await sender.run()
    except BaseExceptionGroup as group:
        raise cause(group) from None
    if not quiet or signals:
        took = duration(time.monotonic() - started)
        say(f"{plural(sender.stored, 'line')} stored in {target.key} ({size(sender.size)} in {took})")
    if signals:
        return INTERRUPTED if signals[0] == signal.SIGINT else 128 + signals[0]
    return OK
