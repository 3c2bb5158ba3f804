"""logyard agent: the reader of a node's logs."""

from __future__ import annotations

import click

from logyard.errors import UsageError
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.started import file_options, load

__all__ = ["command"]


@click.command()
@file_options
@server_options
def command(
    paths: tuple[str, ...],
    apps: tuple[str, ...],
    start: str | None,
    node: str | None,
    server: ServerOptions,
) -> int:
    """Read logs of this machine into streams, each line once, and follow them through rotation.

    A PATH is a file or a quoted pattern; its lines go to the stream KEY, without one to sys.<file name without .log>.
    Files of the settings file are read too. Ctrl-C ends it; the next run goes on where this one stopped.

    \b
      logyard agent /var/log/nginx/error.log
      logyard agent nginx='/var/log/nginx/*.log' --start beginning
      logyard agent --app web.0=/srv/web/0.log --app web.1=/srv/web/1.log
      logyard agent --app 'web=/srv/web/{instance}.log' --redis redis://logs.example
    """
    from logyard.datadir import prepare
    from logyard.logs import log_to_stderr
    from logyard.service import agent_service
    from logyard.settings import redis_url

    settings = load(server, node=node, start=start, paths=paths, apps=apps)
    if not settings.agent.files:
        raise UsageError("nothing to read: name files, or list them in the settings file under [[agent.files]]")
    url = redis_url(settings)
    if url is None:
        from logyard.server.embedded import embedded_url

        url = embedded_url(settings.data_dir)
    prepare(settings.data_dir)
    log_to_stderr("agent")
    return agent_service(settings, url).run()
