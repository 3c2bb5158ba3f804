"""The agent as a service: what runs beside what, from connecting to an orderly end.

Three things run for the whole life: looking for files (rotations happen while Redis is away, too), a tick for what
depends on time, and the connection to Redis, made again whenever it breaks.
"""

from __future__ import annotations

import asyncio
import logging
import random
import resource
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from logyard.agent.checkpoint import Checkpoint, load, save
from logyard.agent.follow import Follower, Patience
from logyard.agent.report import Counters, Rates, make_report
from logyard.agent.resolve import Resolver
from logyard.agent.rules import FileRule, Pattern
from logyard.agent.sender import Sender, backoff
from logyard.agent.source import SETTLED
from logyard.agent.watch import Watcher
from logyard.bus.nodes import report_node
from logyard.bus.publish import Outbox
from logyard.errors import ConnectionLost, LogyardError, ServerError, UsageError
from logyard.server import Server

__all__ = ["AgentOptions", "FileRule", "run_agent"]

log = logging.getLogger(__name__)

KEEP_EVERY = 86400.0
"""Seconds between two times that Redis is told to keep the states of quiet files."""


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """How an agent works.

    Attributes:
        node: this machine's name in every record; two agents must not share one.
        rules: which files; earlier ones go first.
        start: ``beginning`` or ``end``: where reading of files begins that were there before the agent first
            looked for them. Files that appear later are read from the beginning.
        data_dir: where the checkpoint is kept (a file for each node); None keeps none.
        spacing: seconds between two publishes while there is much to send.
        rescan: seconds between two looks for files, behind the kernel's notifications.
        poll: seconds between two looks at files in directories that cannot be watched.
        polling: do without notifications.
        partial_timeout: seconds after which a line without an end is sent as it is.
        compress: whether batches are compressed.
        checkpoint_every, report_every: seconds.
        stop_within: seconds for sending what is there when the agent is stopped.
        keep_rotated, keep_moved, keep_deleted, keep_answered: seconds that files stay open which were rotated
            away; see `Patience`.
    """

    node: str
    rules: tuple[FileRule, ...]
    start: str = "beginning"
    data_dir: Path | None = None
    spacing: float = 0.003
    rescan: float = 10.0
    poll: float = 0.25
    polling: bool = False
    partial_timeout: float = 5.0
    compress: bool = True
    checkpoint_every: float = 5.0
    report_every: float = 2.0
    stop_within: float = 5.0
    keep_rotated: float = 60.0
    keep_moved: float = 3600.0
    keep_deleted: float = 10.0
    keep_answered: float = 10.0


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
        UsageError: a rule or an option is wrong.
        ServerError: the first connection shows that Redis cannot be used as it is. Later, and whenever Redis cannot
            be reached, the agent waits and tries again.
    """
    agent = _Agent(connect_server, options, make_outbox or (lambda server: Outbox(server, compress=options.compress)))
    await agent.run(stop)


class _Agent:
    def __init__(
        self,
        connect_server: Callable[[], AbstractAsyncContextManager[Server]],
        options: AgentOptions,
        make_outbox: Callable[[Server], Outbox],
    ) -> None:
        if options.start not in {"beginning", "end"}:
            raise UsageError(f"start={options.start!r}: give beginning or end")
        self._patterns = [Pattern(rule) for rule in options.rules]
        self._connect_server = connect_server
        self._make_outbox = make_outbox
        self._options = options
        self._clock = asyncio.get_running_loop().time
        self._counters = Counters()
        self._watcher = Watcher(polling=options.polling)
        self._sender = Sender(self._watcher, options.spacing, self._counters)
        self._follower = self._sender.follower = Follower(
            options.node,
            self._patterns,
            self._watcher,
            self._counters,
            ready=self._sender.add,
            closed=self._sender.drop,
            patience=Patience(options.keep_rotated, options.keep_moved, options.keep_deleted, options.keep_answered),
        )
        self._file = None if options.data_dir is None else options.data_dir / f"agent-{options.node}.json"
        checkpoint = None if self._file is None else load(self._file, options.node)
        self._resolver = Resolver(self._follower, checkpoint, options.start, self._counters, self._clock)
        self._server: Server | None = None
        self._connected = False
        self._placed_once = False
        self._saved_at = float("-inf")
        self._save_failed = ""
        self._started = time.time()
        self._rates = Rates(self._clock())

    async def run(self, stop: asyncio.Event) -> None:
        _allow_many_files()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._follower.look(self._clock())
                self._sender.listen()
                intake = [tasks.create_task(self._look()), tasks.create_task(self._tick())]
                redis = tasks.create_task(self._stay_connected())
                saving = tasks.create_task(self._save_regularly())
                await stop.wait()
                # 1. Stop intake: no new files, no notifications, no lines flushed for their age.
                for task in intake:
                    task.cancel()
                self._sender.stop_listening()
                # 2. Send what is there, within the deadline. What is not sent stays in the files.
                if self._connected:
                    try:
                        async with asyncio.timeout(self._options.stop_within):
                            await self._sender.finish()
                    except TimeoutError:
                        log.warning(
                            "stopped after %g s with lines unsent: they are read at the next start",
                            self._options.stop_within,
                        )
                # 3. Write down where reading stands, now that no answer is missing any more.
                saving.cancel()
                await self._save()
                # 4. Say goodbye and leave Redis.
                await self._report(state="stopped")
                redis.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._sender.close()
            self._follower.close_all()
            self._watcher.close()

    # for the whole life

    async def _look(self) -> None:
        """Look for files when something happened and every now and then."""
        follower, options = self._follower, self._options
        rescan_at = self._clock() + options.rescan
        while True:
            polls = bool(self._watcher.polled)
            limit = min(rescan_at - self._clock(), options.poll if polls else options.rescan)
            try:
                async with asyncio.timeout(max(limit, 0.0)):
                    await follower.changed.wait()
            except TimeoutError:
                pass
            began = self._clock()
            if began >= rescan_at:
                rescan_at = began + options.rescan
                follower.look_everywhere = True
                follower.check(list(follower.slots.values()))
            if follower.changed.is_set() or follower.look_everywhere:
                follower.look(began)
                self._sender.listen()
            if polls:
                follower.poll(began)
            self._sender.pump()
            # However many names come and go, a tenth of the time is enough for them.
            await asyncio.sleep(max(0.002, 9 * (self._clock() - began)))

    async def _tick(self) -> None:
        """What depends on time alone."""
        options, sender = self._options, self._sender
        step = min(1.0, options.partial_timeout / 4)
        while True:
            await asyncio.sleep(step)
            now = self._clock()
            for source in list(sender.holding):
                if now - source.grown_at >= options.partial_timeout:
                    sender.flush(source)
            if self._connected:
                self._follower.tidy(now)
            sender.pump()

    async def _save_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._options.checkpoint_every)
            # A state goes into the checkpoint when it is settled, so a quiet agent writes a last time after that.
            if self._saved_at < self._sender.last_answer + 2 * SETTLED + self._options.checkpoint_every:
                await self._save()

    async def _save(self) -> None:
        """Write the checkpoint, in a thread: nothing that waits for a disk runs on the event loop."""
        if self._file is None or not self._placed_once:
            return
        now = self._saved_at = self._clock()
        sources = {source.id: source.remembered(now) for source in self._follower.sources.values()}
        checkpoint = Checkpoint(
            node=self._options.node,
            time_ns=time.time_ns(),
            patterns=frozenset(pattern.path for pattern in self._patterns),
            sources={name: one for name, one in sources.items() if one is not None},
        )
        try:
            await asyncio.to_thread(save, self._file, checkpoint)
            self._save_failed = ""
        except OSError as error:
            if str(error) != self._save_failed:
                self._save_failed = str(error)
                log.warning("the checkpoint cannot be written: %s", error)

    # Redis

    async def _stay_connected(self) -> None:
        attempt = 0
        told = ""
        while True:
            try:
                async with self._connect_server() as server:
                    if told:
                        log.info("connected to Redis again")
                    told = ""
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(self._publish(server))
                        tasks.create_task(self._report_regularly(server))
            except BaseExceptionGroup as group:
                error = group.exceptions[0]
            except LogyardError as raised:
                error = raised
            if self._connected:
                attempt = 0
            self._leave_redis()
            if not isinstance(error, ServerError):
                raise error
            if not isinstance(error, ConnectionLost) and not self._placed_once:
                raise error
            if str(error) != told:
                told = str(error)
                level = logging.WARNING if isinstance(error, ConnectionLost) else logging.ERROR
                log.log(level, "%s; files stay open, trying again", error)
            await asyncio.sleep(backoff(attempt, random.random()))  # noqa: S311  # not a secret
            attempt += 1

    def _leave_redis(self) -> None:
        self._connected = False
        self._server = None
        self._sender.detach()

    async def _publish(self, server: Server) -> None:
        """Publish through a connection until it breaks."""
        follower, sender, resolver = self._follower, self._sender, self._resolver
        outbox = self._make_outbox(server)
        for slot in list(follower.slots.values()):
            follower.freeze(slot)
        everything = True
        failed = sender.attach(outbox)
        failed.add_done_callback(self._wake_up)
        kept_at = self._clock()
        while not failed.done():
            follower.noticed.clear()
            # A slot with batches in flight waits for their answers: they decide what Redis has stored.
            slots = [slot for slot in follower.unsettled if not slot.in_flight]
            if slots and (not everything or len(slots) == len(follower.slots)):
                if await resolver.settle(outbox, slots, everything=everything):
                    everything = False
                    self._connected = True
                    self._server = server
                    if not self._placed_once:
                        self._placed_once = True
                        self._saved_at = float("-inf")
                        await self._save()
                else:
                    everything = True
                    for slot in follower.slots.values():
                        follower.freeze(slot)
                sender.pump()
                continue
            if not follower.slots:
                everything, self._connected, self._server = False, True, server
                self._placed_once = True
            if self._clock() - kept_at >= KEEP_EVERY:
                kept_at = self._clock()
                await outbox.keep([(one.slot.labels.key, one.id) for one in follower.sources.values()])
            try:
                async with asyncio.timeout(KEEP_EVERY):
                    await follower.noticed.wait()
            except TimeoutError:
                pass
        failed.result()

    def _wake_up(self, failed: asyncio.Future[None]) -> None:
        if not failed.cancelled() and failed.exception() is not None:
            self._follower.noticed.set()

    # telling

    async def _report_regularly(self, server: Server) -> None:
        while True:
            if self._connected:
                await self._report()
            await asyncio.sleep(self._options.report_every)

    async def _report(self, state: str = "") -> None:
        if self._server is None:
            return
        report = make_report(
            self._options.node,
            self._follower.slots.values(),
            self._counters,
            self._rates.since_last(self._counters, self._clock()),
            state=state or ("waiting" if self._sender.full else "running"),
            started=self._started,
            time=time.time(),
        )
        try:
            await report_node(self._server, report)
        except ServerError:
            if state != "stopped":
                raise


def _allow_many_files() -> None:
    """Each followed file is open: use what the machine allows, not the low default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            log.warning("only %d files can be followed: the limit of open files cannot be raised", soft)
