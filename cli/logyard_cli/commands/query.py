"""logyard query: search what is stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from logyard.errors import UsageError
from logyard_cli.colour import colour_option
from logyard_cli.complete import field_names, filter_words, stream_names, zone_names
from logyard_cli.exits import INTERRUPTED, run_async
from logyard_cli.filterarg import FilterCommand
from logyard_cli.moments import parse_moment
from logyard_cli.options import ServerOptions, server_options

if TYPE_CHECKING:
    from datetime import tzinfo

    from logyard_cli.query import QueryOptions

__all__ = ["command"]

_OUTPUTS = ("pretty", "json", "raw", "text", "logfmt", "csv")
_WITHOUT_FIELDS = {"raw", "text", "template"}

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
    """Options that say how it looks."""
    for add in (
        colour_option,
        click.option("--pager/--no-pager", default=True, help="Long output on a terminal goes through $PAGER."),
        click.option("--node/--no-node", default=None, help="Say on which node a line was written."),
        click.option("--utc", is_flag=True, help="Times in UTC (always so when not on a terminal)."),
        click.option("--timezone", "--tz", metavar="NAME", shell_complete=zone_names,
            help="Zone of times and days: Europe/Berlin."),
        click.option("--highlight", metavar="WORD|RE", multiple=True, help="Mark it; may be repeated."),
        click.option("-C", "--context", metavar="N", type=click.IntRange(0, 10_000), help="N lines before and after."),
        click.option("-B", "--before", metavar="N", type=click.IntRange(0, 10_000), help="N lines before each."),
        click.option("-A", "--after", metavar="N", type=click.IntRange(0, 10_000), help="N lines after each."),
        click.option("--hide", metavar="F,F", multiple=True, shell_complete=field_names,
            help="Without these fields."),
        click.option("--fields", metavar="F,F", multiple=True, shell_complete=field_names,
            help="Only these fields: status,user.id"),
        click.option("-x", "--expanded", is_flag=True, help="One field a line."),
        click.option("--template", metavar="T", help="A line of your own: '{time} {app} {json.user.id|text}'."),
        click.option("--chart", is_flag=True, help="Draw what count, stats or top give."),
        click.option(
            "-o", "--output", type=click.Choice(_OUTPUTS), default=None,
            help="pretty: for eyes; json, logfmt, csv: for programs; raw and text: lines.  [default: pretty]",
        ),
    ):  # fmt: skip
        function = add(function)
    return function


@click.command(cls=FilterCommand)
@click.argument("words", metavar="'FILTER | PIPES'", nargs=-1, required=True, shell_complete=filter_words)
@_which
@_how
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

    zone, utc = _zone(given["timezone"], given["utc"])
    since_ns, until_ns = _limits(given["since"], given["until"], zone, utc)
    output = _output(given)
    both = given["context"] or 0
    view = TailOptions(
        streams=given["streams"],
        last=_number(given["last"]),
        since_ns=since_ns,
        until_ns=until_ns,
        follow=False,
        output=output,
        template=given["template"] or "",
        fields=make_fields(given["fields"], given["hide"]),
        before=both if given["before"] is None else given["before"],
        after=both if given["after"] is None else given["after"],
        highlight=given["highlight"],
        color=given["color"],
        utc=utc,
        zone=zone,
        node=given["node"],
    )
    return QueryOptions(text, view, chart=given["chart"], pager=given["pager"])


def _limits(since: str | None, until: str | None, zone: tzinfo | None, utc: bool) -> tuple[int | None, int | None]:
    from datetime import UTC

    from logyard_cli.zones import ThisMachine

    # Times of day are meant in the zone in which times are shown.
    shown = UTC if utc else None if isinstance(zone, ThisMachine) else zone
    now = datetime.now(UTC).astimezone(shown)
    since_ns = None if since is None else parse_moment(since, now, "--since")
    until_ns = None if until is None else parse_moment(until, now, "--until")
    if since_ns is not None and until_ns is not None and since_ns >= until_ns:
        raise UsageError(f"--until {until} is not after --since {since}: there is nothing in between")
    return since_ns, until_ns


def _number(text: str | None) -> int | None:
    if text is None or text == "all":
        return None
    if not text.isdecimal() or not int(text):
        raise UsageError(f"-n {text}: give a number of lines from 1 on, or all")
    return int(text)


def _output(given: dict[str, Any]) -> str:
    asked = [f"-o {given['output']}"] if given["output"] not in {None, "pretty"} else []
    asked += ["-x"] if given["expanded"] else []
    asked += ["--template"] if given["template"] is not None else []
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} do not go together: each is a format of its own")
    output = "template" if given["template"] is not None else "expanded" if given["expanded"] else given["output"]
    if given["template"] == "":
        raise UsageError("--template is empty: write for example '{time} {app} {text}'")
    if output in _WITHOUT_FIELDS and (given["fields"] or given["hide"]):
        option = "--fields" if given["fields"] else "--hide"
        raise UsageError(f"{option} goes with -o pretty, json, logfmt or csv, and with -x, but not with {asked[0]}")
    if output in {"json", "logfmt", "csv"} and given["highlight"]:
        raise UsageError(f"--highlight is for eyes: it goes with -o pretty, raw and text, but not with {asked[0]}")
    return output or "pretty"


def _zone(name: str | None, utc: bool) -> tuple[tzinfo | None, bool]:
    if name is None:
        return None, utc
    if utc:
        raise UsageError("--utc and --timezone name two zones: give one of them")
    from datetime import UTC

    from logyard_cli.zones import parse_zone

    zone = parse_zone(name)
    return zone, zone is UTC


async def _query(server: ServerOptions, options: QueryOptions) -> int:
    import asyncio
    import signal
    import sys

    from logyard_cli.query import run_query

    stop = asyncio.Event()

    def interrupt() -> None:
        if not stop.is_set() and sys.stderr.isatty():
            sys.stderr.write("\r")  # over the ^C that the terminal shows
        stop.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupt)
    summary = await run_query(server.connect, options, stop)
    return INTERRUPTED if stop.is_set() else summary.code
