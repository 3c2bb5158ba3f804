"""The agent or the router as a process of its own.

``logyard agent`` and ``logyard router`` run here directly; ``logyard up`` starts ``python -m logyard.service agent``
with the settings on standard input, because they may hold secrets and arguments are seen by everybody.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from logyard.errors import LogyardError, UsageError

if TYPE_CHECKING:
    from logyard.agent.rules import FileRule
    from logyard.server import Server
    from logyard.settings import FileSettings, Settings

__all__ = ["STOP_WITHIN", "Service", "agent_service", "file_rule", "router_service"]

STOP_WITHIN = 12
"""Seconds after a request to stop when a process that has not ended by then ends itself."""
USAGE = 2
NO_SERVER = 3
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Service:
    """What to run, in a form that can be handed to another process.

    Attributes:
        kind: ``agent`` or ``router``.
        url: of Redis, with its secrets.
        options: of the agent (`AgentOptions`) or the router (`RouterOptions`), as plain values.
        partitions: as for `logyard.server.connect`.
    """

    kind: str
    url: str
    options: dict[str, Any]
    partitions: int | None = None

    def encode(self) -> bytes:
        return orjson.dumps(self)

    @classmethod
    def decode(cls, data: bytes) -> Service:
        return cls(**orjson.loads(data))

    def run(self) -> int:
        """Run until a signal asks for the end; the exit code: 130 after Ctrl-C, else 0.

        Raises:
            UsageError, ServerError: as `run_agent` and `run_router`.
        """
        return asyncio.run(self._run())

    async def _run(self) -> int:
        stop = asyncio.Event()
        reasons = _stop_on_signals(stop)
        await self._work(stop)
        return INTERRUPTED if signal.SIGINT in reasons else 0

    def _work(self, stop: asyncio.Event) -> Coroutine[Any, Any, None]:
        if self.kind == "agent":
            from logyard.agent.rules import FileRule
            from logyard.agent.service import AgentOptions, run_agent

            options = dict(self.options)
            rules = tuple(FileRule(**rule) for rule in options.pop("rules"))
            data_dir = Path(options.pop("data_dir"))
            return run_agent(self._connect, AgentOptions(rules=rules, data_dir=data_dir, **options), stop)
        from logyard.bus.trim import Retention
        from logyard.router.allocation import keep_freed_blocks
        from logyard.router.service import RouterOptions, run_router

        keep_freed_blocks()

        retention = Retention(**self.options["retention"])
        return run_router(self._connect, RouterOptions(self.options["node"], retention), stop)

    def _connect(self) -> AbstractAsyncContextManager[Server]:
        from logyard.server import connect

        return connect(self.url, partitions=self.partitions)


def agent_service(settings: Settings, url: str) -> Service:
    """The agent as the settings say.

    Raises:
        UsageError: a rule cannot be understood.
    """
    from logyard.agent.rules import Pattern

    agent = settings.agent
    rules = [file_rule(file) for file in agent.files]
    for rule in rules:
        Pattern(rule)  # refuses what is wrong while somebody is looking
    options = {
        "node": settings.node,
        "rules": [asdict(rule) for rule in rules],
        "start": agent.start,
        "data_dir": str(settings.data_dir),
        "spacing": agent.spacing_ms / 1000,
        "rescan": agent.rescan,
        "partial_timeout": agent.partial_timeout,
        "compress": agent.compress,
    }
    return Service("agent", url, options, settings.redis.partitions)


def file_rule(file: FileSettings) -> FileRule:
    """A file of the settings as the agent knows it."""
    from logyard.agent.rules import FileRule

    return FileRule(str(file.path), file.key, file.app, file.instance, file.source, file.start)


def router_service(settings: Settings, url: str) -> Service:
    """The router as the settings say."""
    options = {"node": settings.node, "retention": asdict(settings.retention)}
    return Service("router", url, options, settings.redis.partitions)


def _stop_on_signals(stop: asyncio.Event) -> set[signal.Signals]:
    """Set ``stop`` on SIGINT, SIGTERM and SIGHUP; on the second one, or `STOP_WITHIN` later, just end.

    Returns:
        The signals that came, as they come.
    """
    loop = asyncio.get_running_loop()
    came: set[signal.Signals] = set()

    def end(number: signal.Signals) -> None:
        if stop.is_set():
            os._exit(INTERRUPTED if number == signal.SIGINT else 1)
        came.add(number)
        stop.set()
        signal.alarm(STOP_WITHIN)  # whatever hangs: the default action of SIGALRM needs no event loop

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end, number)
    return came


def main() -> int:
    """What runs in a child of ``logyard up``."""
    import logging

    from logyard.logs import log_to_stderr

    service = Service.decode(sys.stdin.buffer.read())
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a device
        os.dup2(nothing.fileno(), 0)  # the settings are in our memory alone now
    log_to_stderr(service.kind)
    try:
        return service.run()
    except LogyardError as error:
        logging.getLogger("logyard").error("%s", error)
        return USAGE if isinstance(error, UsageError) else NO_SERVER


if __name__ == "__main__":
    sys.exit(main())
