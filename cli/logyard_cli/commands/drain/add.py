"""logyard drain add."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import click

from logyard.errors import UsageError
from logyard_cli.exits import NO_SERVER, OK, USAGE, run_async, say
from logyard_cli.globs import stream_choice
from logyard_cli.moments import parse_moment
from logyard_cli.options import ServerOptions, server_options

if TYPE_CHECKING:
    from logyard.bus.drains import DrainSpec
    from logyard.server import Server

__all__ = ["command"]


@click.command()
@click.argument("name")
@click.argument("uri")
@click.option(
    "--key",
    "-k",
    "keys",
    metavar="GLOB",
    multiple=True,
    help="Only these streams: 'app.*', sys.nginx, web; again for more.  [default: all]",
)
@click.option(
    "--filter", "filter_", metavar="FILTER", default="", help="Only records that pass: 'app:web level:>=warn'."
)
@click.option("--format", "format_", metavar="F", help="How records are written: json, raw, text, logfmt, template=...")
@click.option(
    "--param", "-p", "params", metavar="K=V", multiple=True, help="A parameter of the destination; again for more."
)
@click.option(
    "--from",
    "start",
    metavar="T",
    default="now",
    show_default=True,
    help="Where to begin in streams there are: now, beginning, or a time as 2h, yesterday, 14:30.",
)
@click.option("--test/--no-test", default=True, show_default=True, help="Connect first, and add it only if that works.")
@click.option(
    "--replace", "replaces", is_flag=True, help="Change the drain of that name; it keeps its position and counters."
)
@click.option("--dry-run", is_flag=True, help="Show how many of the newest records it would get, and store nothing.")
@server_options
def command(  # noqa: PLR0917 - click passes them by name
    name: str,
    uri: str,
    keys: tuple[str, ...],
    filter_: str,
    format_: str | None,
    params: tuple[str, ...],
    start: str,
    test: bool,
    replaces: bool,
    dry_run: bool,
    server: ServerOptions,
) -> int:
    """Send streams to the destination URI, under a NAME.

    The address is checked, and the destination tried, before anything is stored. A secret is best a reference,
    ${env:NAME} or ${file:PATH}, which the router looks up; other secrets are stored and shown as ****.

    \b
      logyard drain add archive file:///var/log/all.log
      logyard drain add loghost syslog+tls://logs.example.com:6514 --key 'app.*'
      logyard drain add alerts http://alerts.example.com/in --filter 'level:>=error' --dry-run
      logyard drain add loggly 'tcp://logs.example.com:5000' --format logfmt --from 1h
    """  # fmt: skip
    from logyard.bus.drains import DrainSpec

    spec = DrainSpec(name, uri, stream_choice(keys), _params(params, format_), _start(start), filter=_filter(filter_))
    return run_async(_dry(server, spec) if dry_run else _add(server, spec, test, replaces))


def _filter(text: str) -> str:
    """The filter, understood before anything is connected to."""
    if text.strip():
        from logyard.bus.filters import names_in

        names_in(text)
    return text.strip()


async def _filled_in(server: Server, spec: DrainSpec) -> DrainSpec:
    """The drain with its filter's normal form: saved filters may change, and drains must not change with them."""
    if not spec.filter:
        return spec
    from logyard.bus.filters import filled_in

    return replace(spec, filter=await filled_in(server, spec.filter))


async def _dry(server: ServerOptions, spec: DrainSpec) -> int:
    from logyard.definition import check_definition
    from logyard_cli.dry_run import dry_run

    check_definition(replace(spec, filter=""))
    async with server.connect() as connected:
        return await dry_run(connected, await _filled_in(connected, spec))


def _params(texts: tuple[str, ...], format_: str | None) -> dict[str, str]:
    params: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--param {text!r}: write name=value")
        if name in params:
            raise UsageError(f"--param {name} is given twice")
        params[name] = value
    if format_ is not None:
        if "format" in params:
            raise UsageError("give --format or --param format=..., not both")
        params["format"] = format_
    return params


def _start(text: str) -> str:
    if text in {"now", "beginning"}:
        return text
    return str(parse_moment(text, datetime.now().astimezone()) // 1_000_000)


async def _add(server: ServerOptions, spec: DrainSpec, test: bool, replaces: bool) -> int:
    from logyard.bus.catalogue import stream_keys
    from logyard.bus.drains import add_drain, get_drains
    from logyard.definition import check_definition
    from logyard.errors import DrainError, NotConnected
    from logyard.secret import exposed
    from logyard_cli.trial import try_drain

    missing = check_definition(replace(spec, filter=""))
    for text in (spec.uri, *spec.params.values()):
        for warning in exposed(text):
            say(f"warning: {warning}")
    async with server.connect() as connected:
        spec = await _filled_in(connected, spec)
        existing = (await get_drains(connected)).get(spec.name)
        if existing is not None and not replaces:
            raise UsageError(
                f"there is a drain {spec.name!r} already ({existing.shown}); change it with --replace,"
                f' or remove it with "logyard drain rm {spec.name}"'
            )
        if test and missing:
            say(f"not tried, only the router can: {missing[0]}")
        elif test:
            try:
                await try_drain(spec, server.settings().node, send=False)
            except DrainError as error:
                say(f"{spec.shown}: {spec.mask(str(error))}; nothing was changed (--no-test adds it all the same)")
                return NO_SERVER if isinstance(error, NotConnected) else USAGE
        stored = await add_drain(connected, spec, replace_existing=replaces)
        streams = [key for key in await stream_keys(connected) if stored.selects(key)]
    click.echo(f"drain {stored.name} {'changed' if existing else 'added'}: {stored.shown}")
    if stored.keys and not streams:
        say(f"no stream matches {' or '.join(stored.keys)} yet")
    return OK
