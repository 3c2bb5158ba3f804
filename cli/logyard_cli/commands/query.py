"""logyard query: search what is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from logyard.errors import UsageError
from logyard_cli.complete import filter_words, stream_names
from logyard_cli.exits import INTERRUPTED, run_async
from logyard_cli.filterarg import FilterCommand
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.viewing import around, limits, output_of, view_options, zone_of

if TYPE_CHECKING:
    from logyard_cli.query import QueryOptions

__all__ = ["command"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _which(function: _Function) -> _Function:
    """Options that say which records."""
    for add in (
        click.option("-n", "--lines", "last", metavar="N|all", help="Only the last N that match.  [default: all]"),
        click.option("--until", metavar="T", help="Only lines before then, written likewise."),
        click.option(
            "--since", metavar="T",
            help="Only lines since then: 10m, 2h, 14:30, yesterday, 2024-05-01T14:30:00Z.  [default: all that is kept]",
        ),
        click.option(
            "--stream", "streams", metavar="STREAM", multiple=True, shell_complete=stream_names,
            help="Only this stream: web, sys.nginx, 'sys.*', web.3; may be repeated.  [default: all]",
        ),
    ):  # fmt: skip
        function = add(function)
    return function


def _how(function: _Function) -> _Function:
    """Options that say how it looks, beside `view_options`."""
    for add in (
        click.option("--pager/--no-pager", default=True, help="Long output on a terminal goes through $PAGER."),
        click.option("--chart", is_flag=True, help="Draw what count, stats or top give."),
    ):
        function = add(function)
    return function


@click.command(cls=FilterCommand)
@click.argument("words", metavar="'FILTER | PIPES'", nargs=-1, required=True, shell_complete=filter_words)
@_which
@_how
@view_options
@server_options
def command(words: tuple[str, ...], server: ServerOptions, **given: Any) -> int:
    """Search what is stored: lines in order of time, or what is counted of them.

    \b
      logyard query 'app:web level:>=warn'                      lines
      logyard query '"Connection reset"' --since 1h -C 3        with three lines around each
      logyard query 'app:web | count by status every 1m'        a table
      logyard query 'app:web | count by status every 1m' --chart
      logyard query '| stats count(), p95(duration) by path'    over all streams
      logyard query 'app:web | fields time,path,status' -o csv > web.csv

    Filters and pipes are explained in docs/filters.md and docs/query.md. The exit code is 1 when nothing matches.
    """
    if len(words) > 1:
        raise UsageError(
            f"give the filter in one pair of quotes: logyard query '{' '.join(words)}'; streams go with --stream"
        )
    return run_async(_query(server, _options(words[0], given)))


def _options(text: str, given: dict[str, Any]) -> QueryOptions:
    """The options as they are meant.

    Raises:
        UsageError: one of them is wrong, or two do not go together.
    """
    from logyard_cli.chosen import make_fields
    from logyard_cli.query import QueryOptions
    from logyard_cli.screen import TailOptions

    zone, utc = zone_of(given["timezone"], given["utc"])
    since_ns, until_ns = limits(given["since"], given["until"], zone, utc)
    output = output_of(given)
    before, after = around(given)
    view = TailOptions(
        streams=given["streams"],
        last=_number(given["last"]),
        since_ns=since_ns,
        until_ns=until_ns,
        follow=False,
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
    )
    return QueryOptions(text, view, chart=given["chart"], pager=given["pager"])


def _number(text: str | None) -> int | None:
    if text is None or text == "all":
        return None
    if not text.isdecimal() or not int(text):
        raise UsageError(f"-n {text}: give a number of lines from 1 on, or all")
    return int(text)


async def _query(server: ServerOptions, options: QueryOptions) -> int:
    import asyncio
    import sys

    from logyard_cli.query import run_query
    from logyard_cli.stopping import stop_on_interrupt

    stop = asyncio.Event()

    def cover() -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r")  # over the ^C that the terminal shows

    stop_on_interrupt(stop, cover)
    summary = await run_query(server.connect, options, stop)
    return INTERRUPTED if stop.is_set() else summary.code
