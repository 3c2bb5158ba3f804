"""logyard check: everything that can be known to be wrong, before anything runs."""

from __future__ import annotations

from pathlib import Path

import click

from logyard_cli.exits import FAILED, OK
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.units import plural
from logyard_cli.visible import visible

__all__ = ["command"]


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@server_options
def command(file: Path | None, server: ServerOptions) -> int:
    """Check a settings file, with everything it names, and start or change nothing.

    Without FILE it is the one that the other commands would use. What is wrong is told as FILE:LINE: message, one a
    line; what may be right on another machine, such as a secret that is not here, is a warning. The exit code is 1
    when something is wrong.

    \b
      logyard check
      logyard check /etc/logyard/logyard.toml
    """
    import os

    from logyard import native
    from logyard.settings import find_settings
    from logyard.settings.checking import check_settings

    path = find_settings(file or server.config, os.environ)
    checked = check_settings(path)
    for warning in checked.warnings:
        click.echo(visible(f"warning: {warning}"))
    if native.missing:
        click.echo(visible(f"warning: logyard's part in C, which makes it faster, is {native.missing}"))
    for problem in checked.problems:
        click.echo(visible(str(problem)))
    if checked.problems:
        return FAILED
    settings = checked.settings
    redis = "the embedded server" if settings.redis.url is None else "a Redis of your own"
    files = plural(len(settings.agent.files), "file or pattern", "files or patterns")
    drains = plural(len(settings.drains), "drain")
    name = str(path) if path is not None else "no settings file"
    click.echo(visible(f"{name}: ok ({files}, {drains}, {redis}, data in {settings.data_dir})"))
    return OK
