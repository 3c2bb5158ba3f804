"""What ``up``, ``agent`` and ``router`` have in common: the settings with what the command line adds to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from logyard_cli.exits import say
from logyard_cli.options import ServerOptions

if TYPE_CHECKING:
    from logyard.settings import Settings

__all__ = ["file_options", "load"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def file_options(function: _Function) -> _Function:
    """Give a command ``[KEY=]PATH...``, ``--app``, ``--start`` and ``--node``."""
    for add in (
        click.option("--node", metavar="NAME", help="This machine's name in every record.  [default: its host name]"),
        click.option(
            "--start",
            type=click.Choice(["beginning", "end"]),
            help="Where reading of files begins that are there and that no agent has read.  [default: beginning]",
        ),
        click.option(
            "--app",
            "apps",
            metavar="NAME[.INSTANCE]=PATH",
            multiple=True,
            help="Files of an application, or of one instance of it (a number); may be repeated.",
        ),
        click.argument("paths", metavar="[[KEY=]PATH]...", nargs=-1),
    ):
        function = add(function)
    return function


def load(
    server: ServerOptions,
    *,
    node: str | None = None,
    start: str | None = None,
    paths: Sequence[str] = (),
    apps: Sequence[str] = (),
    drains: Sequence[str] = (),
) -> Settings:
    """The settings, with files and drains from the command line added to those of the settings file.

    Says which of the files that were named on the command line are not there yet.

    Raises:
        UsageError: an argument or a setting is wrong.
    """
    from dataclasses import replace

    from logyard.agent.rules import Pattern
    from logyard.service import file_rule
    from logyard.settings import load_settings
    from logyard.settings.arguments import app_argument, drain_argument, file_argument, missing_file

    flags = {"redis.url": server.redis, "data_dir": server.data_dir, "node": node, "agent.start": start}
    files = [*map(file_argument, paths), *map(app_argument, apps)]
    settings = load_settings(server.config, flags)
    for file in files:
        Pattern(file_rule(file))  # refuses what means nothing, before anything is said of what is missing
        missing = missing_file(file)
        if missing is not None:
            say(missing)
    return replace(
        settings,
        agent=replace(settings.agent, files=(*settings.agent.files, *files)),
        drains={**settings.drains, **dict(map(drain_argument, drains))},
    )
