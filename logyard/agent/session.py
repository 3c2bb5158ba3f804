"""The agent's connection to Redis, made again whenever it breaks."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from logyard.agent.openfiles import OpenFiles
from logyard.agent.options import AgentOptions
from logyard.agent.report import Counters, Rates, make_report
from logyard.agent.resolve import Resolver
from logyard.agent.sender import Sender, backoff
from logyard.bus.nodes import report_node
from logyard.bus.publish import Outbox
from logyard.errors import ConnectionLost, LogyardError, ServerError
from logyard.server import Server

__all__ = ["Session"]

log = logging.getLogger(__name__)

KEEP_EVERY = 86400.0
"""Seconds between two times that Redis is told to keep the states of quiet files."""


class Session:
    """See the module.

    Attributes:
        connected: files are being read, their positions known.
        placed: that has been so at least once.

    Args:
        connect: called for each connection.
        make_outbox: called with each.
        options: the agent's.
        files, sender, resolver, counters: its parts.
        when_placed: called when files have got their positions for the first time.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractAsyncContextManager[Server]],
        make_outbox: Callable[[Server], Outbox],
        options: AgentOptions,
        files: OpenFiles,
        sender: Sender,
        resolver: Resolver,
        counters: Counters,
        when_placed: Callable[[], Awaitable[None]],
    ) -> None:
        self.connected = False
        self.placed = False
        self._connect = connect
        self._make_outbox = make_outbox
        self._options = options
        self._files = files
        self._sender = sender
        self._resolver = resolver
        self._counters = counters
        self._when_placed = when_placed
        self._clock = asyncio.get_running_loop().time
        self._server: Server | None = None
        self._started = time.time()
        self._rates = Rates(self._clock())

    async def run(self) -> None:
        """Publish for ever; waits and tries again while Redis cannot be reached.

        Raises:
            UsageError: the address is wrong.
            ServerError: the first connection shows that Redis cannot be used as it is.
        """
        attempt = 0
        told = ""
        while True:
            error = await self._until_lost(told)
            if self.connected:
                attempt, told = 0, ""
            self.connected = False
            self._server = None
            self._sender.detach()
            lost = isinstance(error, ConnectionLost)
            if not isinstance(error, ServerError) or (not lost and not self.placed):
                raise error
            if str(error) != told:
                told = str(error)
                log.log(logging.WARNING if lost else logging.ERROR, "%s; files stay open, trying again", error)
            await asyncio.sleep(backoff(attempt, random.random()))  # noqa: S311  # not a secret
            attempt += 1

    async def _until_lost(self, told: str) -> LogyardError:
        """Connect, publish, and return what ended it."""
        try:
            async with self._connect() as server:
                if told:
                    log.info("connected to Redis again")
                await self._publish(server)
        except LogyardError as error:
            return error
        raise AssertionError("publishing never ends by itself")

    async def _publish(self, server: Server) -> None:
        """Publish through a connection until it breaks."""
        files, sender = self._files, self._sender
        outbox = self._make_outbox(server)
        failed = sender.attach(outbox)
        failed.add_done_callback(self._wake_up)
        everything = True
        self._freeze_all()
        kept_at = self._clock()
        while not failed.done():
            files.noticed.clear()
            # A slot with batches in flight waits for their answers: they decide what Redis has stored.
            slots = [slot for slot in files.unsettled if not slot.in_flight]
            if everything and len(slots) < len(files.register.slots):
                slots = []
            if slots or (everything and not files.register.slots):
                if await self._resolver.settle(outbox, slots, everything=everything):
                    everything = False
                    self._server, self.connected = server, True
                    if not self.placed:
                        self.placed = True
                        await self._when_placed()
                        sender.held = False
                else:
                    everything = True
                    self._freeze_all()
                sender.pump()
                continue
            if self._clock() - kept_at >= KEEP_EVERY:
                kept_at = self._clock()
                await outbox.keep([(one.slot.labels.key, one.id) for one in files.register.sources.values()])
            try:
                async with asyncio.timeout(KEEP_EVERY):
                    await files.noticed.wait()
            except TimeoutError:
                pass
        failed.result()

    def _freeze_all(self) -> None:
        for slot in self._files.register.slots.values():
            self._files.freeze(slot)

    def _wake_up(self, failed: asyncio.Future[None]) -> None:
        if not failed.cancelled() and failed.exception() is not None:
            self._files.noticed.set()

    # telling

    async def report_regularly(self) -> None:
        """Tell Redis about this node for ever."""
        while True:
            try:
                await self.report("waiting" if self._sender.full else "running")
            except ServerError as error:
                self._sender.fail(error)
            await asyncio.sleep(self._options.report_every if self.connected else 0.1)

    async def report(self, state: str) -> None:
        """Tell Redis about this node, if connected.

        Args:
            state: see `logyard.bus.nodes.NodeReport`.

        Raises:
            ConnectionLost, ServerError: as `report_node`.
        """
        if self._server is None:
            return
        report = make_report(
            self._options.node,
            self._files.register.slots.values(),
            self._counters,
            self._rates.since_last(self._counters, self._clock()),
            state=state,
            started=self._started,
            time=time.time(),
        )
        await report_node(self._server, report)
