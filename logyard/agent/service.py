"""The agent as a service: what runs beside what, and the orderly end.

Three things run for the whole life: looking for files (rotations happen while Redis is away, too), a tick for what
depends on time, and the connection to Redis.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, suppress

from logyard.agent.checkpoint import Checkpoint, load, save
from logyard.agent.follow import Follower
from logyard.agent.listener import Listener
from logyard.agent.memory import Memory
from logyard.agent.openfiles import OpenFiles
from logyard.agent.options import AgentOptions
from logyard.agent.report import Counters
from logyard.agent.resolve import Resolver
from logyard.agent.rules import FileRule, Pattern
from logyard.agent.sender import Sender
from logyard.agent.session import Session
from logyard.agent.source import SETTLED
from logyard.agent.stamp import stamp_ns
from logyard.agent.watch import Watcher
from logyard.bus.publish import Outbox
from logyard.errors import ServerError
from logyard.server import Server

__all__ = ["AgentOptions", "FileRule", "run_agent"]

log = logging.getLogger(__name__)

FIRST_SAVE_WITHIN = 2.0
"""Seconds."""
LONGEST_REST = 1.0
"""Seconds without a look at names, however long the last one took."""
AWAY_SPACING = 0.25
"""Seconds between two looks at what the kernel tells while nothing can be published."""


async def run_agent(
    connect_server: Callable[[], AbstractAsyncContextManager[Server]],
    options: AgentOptions,
    stop: asyncio.Event,
    *,
    make_outbox: Callable[[Server], Outbox] | None = None,
) -> None:
    """Follow files and publish their lines until ``stop`` is set.

    Args:
        connect_server: called for each connection, e.g. ``lambda: connect(url)``.
        options: see `AgentOptions`.
        stop: set to end in good order.
        make_outbox: makes what publishes; for tests.

    Raises:
        UsageError: a rule, an option or the address of Redis is wrong.
        ServerError: the first connection shows that Redis cannot be used as it is. Later, and whenever Redis cannot
            be reached, the agent waits and tries again.
    """
    options.check()
    agent = _Agent(connect_server, options, make_outbox or (lambda server: Outbox(server, compress=options.compress)))
    await agent.run(stop)


class _Agent:
    def __init__(
        self,
        connect_server: Callable[[], AbstractAsyncContextManager[Server]],
        options: AgentOptions,
        make_outbox: Callable[[Server], Outbox],
    ) -> None:
        self._patterns = [Pattern(rule) for rule in options.rules]
        self._options = options
        self._clock = asyncio.get_running_loop().time
        counters = Counters()
        self._watcher = Watcher(polling=options.polling)
        self._sender = Sender(counters)
        files = self._files = self._sender.files = OpenFiles(
            counters, ready=self._sender.add, closed=self._sender.drop, patience=options.patience
        )
        self._follower = Follower(options.node, self._patterns, self._watcher, counters, files)
        self._listener = Listener(
            self._watcher,
            self._hear,
            lambda: options.spacing if self._sender.attached else AWAY_SPACING,
        )
        file = options.checkpoint
        memory = Memory(None if file is None else load(file, options.node), self._clock)
        resolver = Resolver(files, memory, options.start, options.keep_rotated, counters, self._clock)
        self._session = Session(
            connect_server, make_outbox, options, files, self._sender, resolver, counters, self._save_first
        )
        self._save_now = asyncio.Event()
        self._saved = asyncio.Event()
        self._saved_at = float("-inf")
        self._saved_version = -1
        self._save_failed = ""
        self._saver = ThreadPoolExecutor(1, "checkpoint")

    async def run(self, stop: asyncio.Event) -> None:
        _allow_many_files()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._follower.look(self._clock())
                self._listener.open()
                intake = [tasks.create_task(self._look()), tasks.create_task(self._tick())]
                redis = [
                    tasks.create_task(self._session.run()),
                    tasks.create_task(self._session.report_regularly()),
                ]
                saving = tasks.create_task(self._save_regularly())
                await stop.wait()
                # 1. Stop intake: no new files, no notifications, no lines sent for their age.
                for task in intake:
                    task.cancel()
                self._listener.close()
                # 2. Send what is there and wait for the answers, within the deadline. The rest stays in the files.
                if self._session.connected:
                    await self._finish()
                # 3. Write down where reading stands, now that no answer is missing any more.
                saving.cancel()
                await self._save()
                # 4. Say goodbye and leave Redis.
                with suppress(ServerError):
                    await self._session.report("stopped")
                for task in redis:
                    task.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._listener.close()
            self._sender.close()
            self._files.close_all()
            self._watcher.close()
            self._saver.shutdown(wait=False)

    async def _finish(self) -> None:
        limit = self._options.stop_within
        try:
            async with asyncio.timeout(limit):
                await self._sender.finish()
        except TimeoutError:
            log.warning("stopped after %g s with lines unsent: they are read at the next start", limit)

    def _hear(self) -> None:
        self._follower.notice(self._watcher.collect())
        self._sender.pump()

    async def _look(self) -> None:
        """Look for files when something happened and every now and then."""
        follower, options = self._follower, self._options
        rescan_at = self._clock() + options.rescan
        while True:
            polls = bool(self._watcher.polled)
            limit = min(rescan_at - self._clock(), options.poll if polls else options.rescan)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(limit, 0.0)):
                    await follower.changed.wait()
            began = self._clock()
            if began >= rescan_at:
                rescan_at = began + options.rescan
                follower.look_everywhere = True
            if follower.look_everywhere:
                follower.check(self._files.register.slots.values())
            if follower.changed.is_set() or follower.look_everywhere:
                follower.look(began)
                self._listener.open()
            if polls:
                follower.poll(began)
            self._sender.pump()
            await asyncio.sleep(rest_after(self._clock() - began))

    async def _tick(self) -> None:
        """What depends on time alone."""
        options, sender = self._options, self._sender
        step = min(1.0, options.partial_timeout / 4)
        while True:
            await asyncio.sleep(step)
            now = self._clock()
            for source in sender.holding:
                if now - source.grown_at >= options.partial_timeout:
                    sender.flush(source)
            if self._session.connected:
                self._files.tidy(now)
            sender.pump()

    # the checkpoint

    async def _save_first(self) -> None:
        """Have it written before anything is published: it says which files were there.

        A disk that is slower than that is not waited for.
        """
        self._save_now.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_SAVE_WITHIN):
                await self._saved.wait()

    async def _save_regularly(self) -> None:
        every = self._options.checkpoint_every
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await self._save_now.wait()
            # A state goes into the checkpoint when it is settled, so a quiet agent writes a last time after that.
            settling = self._saved_at < self._sender.last_answer + 2 * SETTLED + every
            if settling or self._save_now.is_set() or self._saved_version != self._files.register.version:
                self._save_now.clear()
                await self._save()
            self._saved.set()

    async def _save(self) -> None:
        """Write the checkpoint, in a thread: nothing that waits for a disk runs on the event loop.

        It is always the same thread: the last one is written after one that was given up, not beside it.
        """
        file = self._options.checkpoint
        if file is None or not self._session.placed:
            return
        now = self._saved_at = self._clock()
        self._saved_version = self._files.register.version
        sources = {source.id: source.remembered(now) for source in self._files.register.sources.values()}
        checkpoint = Checkpoint(
            node=self._options.node,
            time_ns=stamp_ns(),
            patterns=frozenset(pattern.path for pattern in self._patterns),
            sources={name: one for name, one in sources.items() if one is not None},
        )
        try:
            await asyncio.get_running_loop().run_in_executor(self._saver, save, file, checkpoint)
            self._save_failed = ""
        except OSError as error:
            if str(error) != self._save_failed:
                self._save_failed = str(error)
                log.warning("the checkpoint %s cannot be written: %s", file, error.strerror)


def rest_after(seconds: float) -> float:
    """Seconds until the next look at names, after one that took ``seconds``.

    However many names come and go, a tenth of the time is enough for them; but a file that is rotated and compressed
    unseen is lost, so a look that took long, as on a disk that hung, is not followed by a rest as long as that.
    """
    return min(max(0.002, 9 * seconds), LONGEST_REST)


def _allow_many_files() -> None:
    """Each followed file is open: use what the machine allows, not the low default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            log.warning("only %d files can be followed: the limit of open files cannot be raised", soft)
