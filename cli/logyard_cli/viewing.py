"""What `tail` and `query` have in common: options that say how records look, and what they mean together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from logyard.errors import UsageError
from logyard_cli.colour import colour_option
from logyard_cli.complete import field_names, zone_names
from logyard_cli.moments import parse_moment

if TYPE_CHECKING:
    from datetime import tzinfo

__all__ = ["around", "limits", "output_of", "view_options", "zone_of"]

_OUTPUTS = ("pretty", "json", "raw", "text", "logfmt", "csv")
_WITHOUT_FIELDS = {"raw", "text", "template"}
_UNMARKED = {"json", "logfmt", "csv"}
_LINES = click.IntRange(0, 10_000)

_Function = TypeVar("_Function", bound=Callable[..., Any])


def view_options(function: _Function) -> _Function:
    """Options that say how records look; `output_of`, `around` and `zone_of` read them."""
    for add in (
        colour_option,
        click.option(
            "--node/--no-node", default=None, help="Say on which node a line was written.  [default: if several]"
        ),
        click.option("--utc", is_flag=True, help="Times in UTC (always so when not on a terminal)."),
        click.option(
            "--timezone", "--tz", metavar="NAME", shell_complete=zone_names,
            help="Zone of times and days: Europe/Berlin, +02:00, local.",
        ),
        click.option(
            "--highlight", metavar="WORD|RE", multiple=True,
            help="Mark a word or a regular expression; may be repeated. What a filter looks for is marked anyway.",
        ),
        click.option("-C", "--context", metavar="N", type=_LINES, help="The same before and after."),
        click.option("-B", "--before", metavar="N", type=_LINES, help="N lines before each."),
        click.option(
            "-A", "--after", metavar="N", type=_LINES, help="With each line that passes N lines of its source after it."
        ),
        click.option(
            "--hide", metavar="F,F", multiple=True, shell_complete=field_names,
            help="Without these fields; of the pretty view also time, source, level and text.",
        ),
        click.option(
            "--fields", metavar="F,F", multiple=True, shell_complete=field_names,
            help="Only these fields: status,user.id",
        ),
        click.option("-x", "--expanded", is_flag=True, help="One field a line."),
        click.option(
            "--template", metavar="T", help="A line of your own: '{time} {app}.{instance} {json.user.id|text}'."
        ),
        click.option(
            "-o", "--output", type=click.Choice(_OUTPUTS),
            help="pretty: for eyes; json, logfmt, csv: everything known about each line; raw: the line alone;"
            " text: as the text format.  [default: pretty]",
        ),
    ):  # fmt: skip
        function = add(function)
    return function


def output_of(given: dict[str, Any]) -> str:
    """What is written: an output's name, ``template`` or ``expanded``.

    Raises:
        UsageError: options do not go together.
    """
    asked = [
        name
        for name, said in (
            (f"-o {given['output']}", given["output"]),
            ("-x", given["expanded"] and given["output"] != "pretty"),
            ("--template", given["template"] is not None),
        )
        if said
    ]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} do not go together: each is a format of its own")
    if given["template"] == "":
        raise UsageError("--template is empty: write for example '{time} {stream} {text}'")
    output: str = "template" if given["template"] else "expanded" if given["expanded"] else given["output"] or "pretty"
    if output in _WITHOUT_FIELDS and (given["fields"] or given["hide"]):
        option = "--fields" if given["fields"] else "--hide"
        raise UsageError(f"{option} goes with -o pretty, json, logfmt or csv, and with -x, but not with {asked[0]}")
    if output in _UNMARKED and given["highlight"]:
        raise UsageError(f"--highlight is for eyes: it goes with -o pretty, raw and text, but not with {asked[0]}")
    return output


def around(given: dict[str, Any]) -> tuple[int, int]:
    """How many lines before and after each are shown."""
    both = given["context"] or 0
    before = both if given["before"] is None else given["before"]
    return before, both if given["after"] is None else given["after"]


def zone_of(name: str | None, utc: bool) -> tuple[tzinfo | None, bool]:
    """The zone of times, None where none was asked for, and whether that is UTC.

    Raises:
        UsageError: there is no such zone, or two are named.
    """
    if name is None:
        return None, utc
    if utc:
        raise UsageError("--utc and --timezone name two zones: give one of them")
    from datetime import UTC

    from logyard_cli.zones import parse_zone

    zone = parse_zone(name)
    return zone, zone is UTC


def limits(since: str | None, until: str | None, zone: tzinfo | None, utc: bool) -> tuple[int | None, int | None]:
    """From when to when, in ns since 1970; times of day are meant in the zone in which times are shown.

    Raises:
        UsageError: one of them is no time, or there is nothing in between.
    """
    from datetime import UTC

    from logyard_cli.zones import ThisMachine

    shown = UTC if utc else None if isinstance(zone, ThisMachine) else zone
    now = datetime.now(UTC).astimezone(shown)
    since_ns = None if since is None else parse_moment(since, now, "--since")
    until_ns = None if until is None else parse_moment(until, now, "--until")
    if since_ns is not None and until_ns is not None and since_ns >= until_ns:
        raise UsageError(f"--until {until} is not after --since {since}: there is nothing in between")
    return since_ns, until_ns
