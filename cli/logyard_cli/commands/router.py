"""logyard router: the feeder of the drains."""

from __future__ import annotations

import click

from logyard_cli.options import ServerOptions, server_options
from logyard_cli.started import load

__all__ = ["command"]


@click.command()
@click.option(
    "--node", metavar="NAME", help="This machine's name where drains name themselves.  [default: its host name]"
)
@server_options
def command(node: str | None, server: ServerOptions) -> int:
    """Deliver streams to drains, and keep the streams within their retention.

    Any number of routers may run, on one machine or many: they share the drains, and take over from one that ends.
    Drains are added with "logyard drain add".

    \b
      logyard router --redis redis://logs.example
    """
    from logyard.logs import log_to_stderr
    from logyard.service import router_service
    from logyard.settings import redis_url

    settings = load(server, node=node)
    url = redis_url(settings)
    if url is None:
        from logyard.server.embedded import embedded_url

        url = embedded_url(settings.data_dir)
    log_to_stderr("router")
    return router_service(settings, url).run()
