"""Everything on one machine, in one command: server, router and agent as children, and the drains of the settings."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from logyard.bus.drains import DrainSpec, add_drain
from logyard.definition import check_definition, configured
from logyard.errors import SettingsError, UsageError
from logyard.secret import exposed, unresolved
from logyard.server import connect
from logyard.server.embedded import embedded_url, server_child
from logyard.service import Service, agent_service, router_service
from logyard.settings import DrainSettings, Settings, redis_url
from logyard.supervisor import Child, Supervisor, supervise

__all__ = ["Deployment", "deploy", "drain_problems", "drain_specs"]


@dataclass(frozen=True, slots=True)
class Deployment:
    """What runs.

    Attributes:
        url: the address of Redis, with its secrets.
        shown: the same without.
        version: of the server, e.g. ``Valkey 9.1.2``.
        embedded: whether the server is ours.
        drains: those of the settings, as stored.
        supervisor: of the children.
    """

    url: str
    shown: str
    version: str
    embedded: bool
    drains: tuple[DrainSpec, ...]
    supervisor: Supervisor


def drain_specs(settings: Settings) -> tuple[DrainSpec, ...]:
    """The drains of the settings as the bus defines them, checked.

    Raises:
        SettingsError: an address or a parameter is wrong, or a reference leads nowhere; names the drain.
    """
    specs = []
    for name, drain in settings.drains.items():
        spec = _spec(name, drain)
        try:
            configured(spec)
        except UsageError as error:
            raise SettingsError(f"drain {name}: {error}") from None
        specs.append(spec)
    return tuple(specs)


def drain_problems(
    name: str, drain: DrainSettings, environ: Mapping[str, str] | None = None
) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """What is wrong with a drain of the settings: where, what, and whether it is so on every machine."""
    texts: dict[tuple[str, ...], str] = {("drains", name, "uri"): drain.uri.reveal()}
    texts |= {("drains", name, "params", param): text for param, text in drain.params.items()}
    for where, text in texts.items():
        for message in (*unresolved(text, environ), *exposed(text)):
            yield where, f"drain {name}: {message}", False
    try:
        _spec(name, drain).passing()
    except UsageError as error:
        problem = getattr(error, "problem", str(error))  # a `FilterError` has lines that point at the mistake
        yield ("drains", name, "filter"), f"drain {name}: filter: {problem}", True
        return
    try:
        check_definition(_spec(name, drain), environ)
    except UsageError as error:
        yield ("drains", name, "uri"), f"drain {name}: {error}", True


def _spec(name: str, drain: DrainSettings) -> DrainSpec:
    params = {**drain.params, **({"format": drain.format} if drain.format is not None else {})}
    return DrainSpec(name, drain.uri.reveal(), drain.keys, params, drain.start, filter=drain.filter or "")


@contextlib.asynccontextmanager
async def deploy(settings: Settings, lock: int, *, output: Path | None = None) -> AsyncIterator[Deployment]:
    """Run everything until the context is left; see `logyard.supervisor` for the order of the end.

    Args:
        settings: whose data directory is prepared and claimed (`logyard.datadir`).
        lock: the claim's descriptor.
        output: file for what agent and router say, None for standard error.

    Raises:
        UsageError: something in the settings is wrong; nothing has been started then.
        ServerError: the server cannot be started or used.
    """
    specs = drain_specs(settings)
    given = redis_url(settings)
    agent_service(settings, "")  # refuses what is wrong before anything runs
    async with supervise() as supervisor:
        if given is None:
            await supervisor.start(server_child(settings.data_dir, settings.server, lock))
        url = given or embedded_url(settings.data_dir)
        async with connect(url, partitions=settings.redis.partitions) as server:
            drains = [await add_drain(server, spec, replace_existing=True) for spec in specs]
            shown, version = server.url.shown, server.version
        await supervisor.start(_child(router_service(settings, url), output))
        await supervisor.start(_child(agent_service(settings, url), output))
        yield Deployment(url, shown, version, given is None, tuple(drains), supervisor)


def _child(service: Service, output: Path | None) -> Child:
    # -P: a file of the working directory must not be taken for a module
    argv = (sys.executable, "-P", "-m", "logyard.service", service.kind)
    return Child(service.kind, argv, stdin=service.encode(), output=output, stop_within=10.0)
