"""logyard up: server, agent and router on this machine, in one command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from logyard_cli.exits import INTERRUPTED, OK, run_async
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.started import file_options, load
from logyard_cli.units import plural
from logyard_cli.visible import visible

if TYPE_CHECKING:
    from logyard.deployment import Deployment
    from logyard.settings import Settings

__all__ = ["command"]


@click.command()
@file_options
@click.option("--drain", "drains", metavar="NAME=URI", multiple=True, help="A destination; may be repeated.")
@server_options
def command(
    paths: tuple[str, ...],
    apps: tuple[str, ...],
    drains: tuple[str, ...],
    start: str | None,
    node: str | None,
    server: ServerOptions,
) -> int:
    """Run everything on this machine: a server for the streams, the agent that reads logs, the router to the drains.

    A PATH is a file or a quoted pattern; its lines go to the stream KEY, without one to sys.<file name without .log>.
    Drains that are given here or in the settings file are added, or changed when they exist. With --redis no server
    is started. Ctrl-C ends it; the next run goes on where this one stopped.

    \b
      logyard up /var/log/syslog
      logyard up nginx='/var/log/nginx/*.log' --app web.0=/srv/web/0.log
      logyard up --drain archive=file:///var/log/all.log --drain siem=syslog://siem.example:601
    """
    from logyard.datadir import claim, prepare
    from logyard.logs import log_to_stderr

    settings = load(server, node=node, start=start, paths=paths, apps=apps, drains=drains)
    log_to_stderr()
    with claim(prepare(settings.data_dir)) as lock:
        return run_async(_up(settings, lock, server))


async def _up(settings: Settings, lock: int, server: ServerOptions) -> int:
    import asyncio

    from logyard.deployment import deploy
    from logyard_cli.stopping import Stopping

    with Stopping() as stopping:
        async with deploy(settings, lock) as deployment:
            stopping.on_second(deployment.supervisor.hurry)
            click.echo(visible(_banner(settings, deployment, server), newlines=True))
            over = asyncio.create_task(deployment.supervisor.over())
            stopped = asyncio.create_task(stopping.wait())
            done, pending = await asyncio.wait({over, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            if over in done:
                over.result()  # raises what a child refused
            click.echo("stopping: agent, router, server")
    return INTERRUPTED if stopping.interrupted else OK


def _banner(settings: Settings, deployment: Deployment, server: ServerOptions) -> str:
    from logyard import __version__

    kept = f"embedded, in {settings.data_dir}" if deployment.embedded else f"at {deployment.shown}"
    files = [str(file.path) for file in settings.agent.files]
    listed = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    reads = (
        f"{plural(len(files), 'path')}: {listed}" if files else "no files: name some, or list them in [[agent.files]]"
    )
    drains = [f"{spec.name} -> {spec.shown}" for spec in deployment.drains]
    rows = [("server", f"{deployment.version}, {kept}"), ("agent", reads)]
    rows += [("drain", drain) for drain in drains] or [("drains", 'as added with "logyard drain add"')]
    where = f" --redis {deployment.shown}" if not deployment.embedded and server.redis else ""
    where = f" --data-dir {server.data_dir}" if deployment.embedded and server.data_dir else where
    where = f" --config {server.config}" if server.config else where
    lines = [f"logyard {__version__} runs on {settings.node}", *(f"  {name:7} {text}" for name, text in rows)]
    return "\n".join([*lines, f"  logs    logyard tail{where}", "  Ctrl-C ends it"])
