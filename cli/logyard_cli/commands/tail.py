"""logyard tail: the last lines of streams, then live."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from logyard.errors import UsageError
from logyard_cli.complete import filter_words, stream_names
from logyard_cli.exits import INTERRUPTED, run_async, say
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.viewing import around, limits, output_of, view_options, zone_of

if TYPE_CHECKING:
    from logyard_cli.tail import TailOptions

__all__ = ["command"]

_LAST = 10

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _which(function: _Function) -> _Function:
    """Options that say which records."""
    for add in (
        click.option(
            "--exclude-stream", "excluded", metavar="STREAM", multiple=True, shell_complete=stream_names,
            help="Without these streams: as STREAM, also a glob; may be repeated.",
        ),
        click.option(
            "-E", "--exclude", metavar="RE", multiple=True,
            help="Without lines that match a regular expression (RE2); may be repeated.",
        ),
        click.option(
            "-i", "--include", metavar="RE", multiple=True,
            help="Only lines that match a regular expression (RE2); may be repeated: one of them has to.",
        ),
        click.option(
            "-e", "--filter", "filters", metavar="FILTER", multiple=True, shell_complete=filter_words,
            help="Only what passes: 'level:>=warn path:/api/*'; pipes may follow: '| count by app every 1m'."
            " May be repeated: all have to pass.",
        ),
    ):  # fmt: skip
        function = add(function)
    return function


def _when(function: _Function) -> _Function:
    """Options that say from when to when."""
    for add in (
        click.option("-f/-F", "--follow/--no-follow", default=None, help="Go on with what comes.  [default: follow]"),
        click.option("--until", metavar="T", help="End with the lines before then, written likewise; never follows."),
        click.option(
            "--since", metavar="T",
            help="Begin with the lines since then: 10m, 2h, 14:30, yesterday, 2024-05-01T14:30:00Z.",
        ),
        click.option(
            "-n", "--lines", "last", metavar="N|all",
            help=f"Begin with the last N lines over all streams.  [default: {_LAST}]",
        ),
    ):  # fmt: skip
        function = add(function)
    return function


@click.command()
@click.argument("streams", metavar="[STREAM]...", nargs=-1, shell_complete=stream_names)
@_which
@_when
@click.option("--spark", is_flag=True, help="A line at the bottom with the rate by severity.")
@view_options
@server_options
def command(streams: tuple[str, ...], server: ServerOptions, **given: Any) -> int:
    """Show the last lines of streams, in order of time, and follow them live.

    A STREAM is a name (web), a key (app.web, sys.nginx), a glob ('sys.*') or an instance (web.3); without any, all
    streams are shown. Streams that appear later join by themselves. Ctrl-C ends it.

    \b
      logyard tail                               everything, live
      logyard tail web api -e 'level:>=warn'     two applications, what is wrong there
      logyard tail web.3 --since 1h              one instance, the last hour first
      logyard tail -e '"timed out"' -C 3         with the three lines before and after
      logyard tail 'sys.*' -n 100 -F             the last 100 lines and no more
      logyard tail web -e '| count by status every 10s'
      logyard tail web -o json | jq .            for programs
    """
    return run_async(_tail(server, _options(streams, given)))


def _options(streams: tuple[str, ...], given: dict[str, Any]) -> TailOptions:
    """The options as they are meant.

    Raises:
        UsageError: one of them is wrong, or two do not go together.
    """
    from logyard_cli.chosen import make_fields
    from logyard_cli.screen import TailOptions

    zone, utc = zone_of(given["timezone"], given["utc"])
    since_ns, until_ns = limits(given["since"], given["until"], zone, utc)
    follow = given["follow"]
    if until_ns is not None and follow:
        raise UsageError("--until ends by itself and -f never does: give one of them")
    output = output_of(given)
    before, after = around(given)
    _check_together(given, follow is not False and until_ns is None, before or after)
    return TailOptions(
        streams=streams,
        excluded=given["excluded"],
        filters=given["filters"],
        include=given["include"],
        exclude=given["exclude"],
        last=_number(given["last"], limited=since_ns is not None or until_ns is not None),
        last_given=given["last"] is not None,
        since_ns=since_ns,
        until_ns=until_ns,
        follow=until_ns is None and follow is not False,
        output=output,
        template=given["template"] or "",
        fields=make_fields(given["fields"], given["hide"]),
        before=before,
        after=after,
        highlight=given["highlight"],
        color=given["color"],
        utc=utc,
        zone=zone,
        node=given["node"],
        spark=given["spark"],
    )


def _number(text: str | None, *, limited: bool) -> int | None:
    if text is None:
        return None if limited else _LAST
    if text == "all":
        return None
    if not text.isdecimal():
        raise UsageError(f"-n {text}: give a number of lines, or all")
    return int(text)


def _check_together(given: dict[str, Any], follows: bool, lines_around: int) -> None:
    import sys

    if lines_around and not (given["filters"] or given["include"] or given["exclude"]):
        raise UsageError("-A, -B and -C show what is around lines that pass: say which with -e, --include or --exclude")
    if given["spark"] and not follows:
        raise UsageError("--spark shows the rate of what comes: it needs to follow, without -F and --until")
    if given["spark"] and not sys.stdout.isatty():
        raise UsageError("--spark draws on a terminal, and standard output is none")


async def _tail(server: ServerOptions, options: TailOptions) -> int:
    import asyncio
    import sys

    from logyard_cli.stopping import stop_on_interrupt
    from logyard_cli.tail import run_tail

    stop = asyncio.Event()
    stop_on_interrupt(stop)
    summary = await run_tail(server.connect, options, stop)
    if not stop.is_set():
        return summary.code
    if sys.stderr.isatty():
        sys.stderr.write("\r")  # over the ^C that the terminal shows
    say(summary.text())
    return INTERRUPTED
