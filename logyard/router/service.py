"""The router's process: which workers run here, and what they need around them.

Redis names the drains; every router looks four times a second, more often for new streams, takes leases up to its fair
share, and starts, replaces or stops only the workers whose drain changed. When Redis is lost all workers end and begin
again with a new connection: then the cursors and positions that Redis answers count, not what was in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace

import orjson

from logyard import __version__
from logyard.bus.drains import DrainSpec, get_drains
from logyard.bus.groups import Decoder, join
from logyard.bus.leases import LEASE_MS, Lease, owner_name
from logyard.bus.replays import ReplayRequest, replay_requests
from logyard.bus.trim import HIGH_WATER, Retention, memory_used, trim_stream
from logyard.errors import ConnectionLost, ServerError, UsageError
from logyard.registry import configure
from logyard.router.backoff import Backoff
from logyard.router.delivery import Delivery, Place
from logyard.router.state import State
from logyard.secret import exposed, unresolved
from logyard.server import Server, keys

__all__ = ["RouterOptions", "run_router"]

log = logging.getLogger("logyard.router")

LOOK_EVERY = 0.25
LOOK_FOR_STREAMS = 0.1
"""Seconds between two looks for new streams, for each 25 partitions: the first line of one waits so long. Ten looks a
second cost half a percent of a core."""
RENEW_EVERY = 1.0
STATUS_MS = 5000
STOP_WITHIN = 8.0
SHARED_DECODE_BYTES = 8 * 1024 * 1024
_serials = itertools.count()


@dataclass(frozen=True, slots=True)
class RouterOptions:
    """What a router is told.

    Attributes:
        node: the machine's name, as drains write it where they name themselves.
        retention: how long streams keep what all drains have.
        trim_every: seconds between two trims.
        longest_backoff: seconds between two attempts at a destination that is away, at most.
        retry_broken: seconds between two looks whether a secret that was missing is there now.
    """

    node: str
    retention: Retention = field(default_factory=Retention)
    trim_every: float = 10.0
    longest_backoff: float = 30.0
    retry_broken: float = 5.0


async def run_router(
    connect_server: Callable[[], AbstractAsyncContextManager[Server]], options: RouterOptions, stop: asyncio.Event
) -> None:
    """Run until ``stop`` is set; then finish what is being sent, acknowledge it, and give up the leases.

    Raises:
        UsageError: the address of Redis is wrong.
        ServerError: Redis cannot be used as it is (on the first connection only; later it waits for a person).
    """
    backoff, attempt, connected = Backoff(longest=5.0), 0, False
    tried: dict[tuple[str, str], dict[str, tuple[int, int]]] = {}
    while not stop.is_set():
        try:
            async with connect_server() as server:
                if attempt:
                    log.warning("connected to %s again", server.url.shown)
                attempt, connected = 0, True
                await _Session(server, options, stop, tried).run()
        except* (ConnectionLost, ServerError) as group:
            error = _first(group)
            if not connected and not isinstance(error, ConnectionLost):
                raise error from None
            if not attempt and not stop.is_set():
                log.warning("%s; trying again", error)
            await _wait(stop, backoff.delay(attempt, random.random()))  # noqa: S311 (jitter)
            attempt += 1


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


@dataclass(slots=True)
class _Worker:
    """A running delivery and the lease under which it runs; ``ending`` once it has been asked to stop."""

    delivery: Delivery
    lease: Lease
    task: asyncio.Task[None]
    ending: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class _Broken:
    """Why a drain, as of a revision, cannot run here, and until when it is not looked at again (monotonic seconds)."""

    revision: int
    error: str
    until: float


class _Session:
    """The router during one life of its connection."""

    def __init__(
        self,
        server: Server,
        options: RouterOptions,
        stop: asyncio.Event,
        tried: dict[tuple[str, str], dict[str, tuple[int, int]]],
    ) -> None:
        self._server = server
        self._options = options
        self._stop = stop
        self._tried = tried
        self._owner = owner_name(next(_serials))
        self._drains: dict[str, DrainSpec] = {}
        self._replays: dict[str, ReplayRequest] = {}
        self._streams: dict[str, list[str]] = {tag: [] for tag in server.tags}
        self._joined: dict[tuple[str, str], set[str]] = {}
        self._workers: dict[tuple[str, str], _Worker] = {}
        self._leaving: dict[tuple[str, str], _Worker] = {}
        self._decoders = {tag: Decoder() for tag in server.tags}
        self._broken: dict[str, _Broken] = {}
        self._routers = 1
        self._changed = asyncio.Event()

    async def run(self) -> None:
        trimming = asyncio.create_task(self._trim(), name="trim")
        looking = asyncio.create_task(self._look_for_streams(), name="look for streams")
        renewed = 0.0
        try:
            while not self._stop.is_set():
                now = time.monotonic()
                await self._look()
                await self._arrange()
                if now - renewed >= RENEW_EVERY:
                    await self._renew()
                    renewed = now
                self._changed.clear()
                await self._report()
                await self._watch(trimming, looking)
            await self._end()
        finally:
            await self._cancel(trimming, looking)

    async def _watch(self, *own: asyncio.Task[None]) -> None:
        """Wait a moment; raise what ended a task."""
        events = [asyncio.create_task(event.wait()) for event in (self._stop, self._changed)]
        ends = {unit: worker.ending for unit, worker in self._leaving.items() if worker.ending is not None}
        tasks = {*events, *own, *ends.values(), *(worker.task for worker in self._workers.values())}
        try:
            done, _ = await asyncio.wait(tasks, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for event in events:
                event.cancel()
        for unit, worker in list(self._workers.items()):
            if worker.task in done:
                self._begin_to_stop(unit)  # by itself; what is behind it has to be cleared up all the same
        for unit, ending in ends.items():
            if ending in done:
                del self._leaving[unit]
                ending.result()
        for task in done.intersection(own):
            task.result()

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        """Tell why a worker ended: for its lease (the next look takes it up again), or for the connection."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, ConnectionLost):
            raise error
        if error is not None:
            log.warning("drain %s: %s", name, error)

    # what there is

    async def _look(self) -> None:
        self._drains = await get_drains(self._server)
        self._replays = await replay_requests(self._server, self._drains)
        for tag in self._server.tags:
            if await self._has_others(tag):
                members = await self._server.call(tag, "SMEMBERS", keys.streams_key(tag))
                self._streams[tag] = sorted(key.decode() for key in members)

    async def _look_for_streams(self) -> None:
        """Say so when there are others than were seen last."""
        every = LOOK_FOR_STREAMS * -(-len(self._server.tags) // 25)
        while True:
            await asyncio.sleep(every)
            for tag in self._server.tags:
                if await self._has_others(tag):
                    self._changed.set()

    async def _has_others(self, tag: str) -> bool:
        """Whether the partition has other streams than those that were seen last."""
        found: int = await self._server.call(tag, "SCARD", keys.streams_key(tag))
        return found != len(self._streams[tag])

    async def _renew(self) -> None:
        """Tell that this router lives, count those that do, and keep the leases."""
        now = time.time_ns() // 1_000_000
        server = self._server
        await server.link(keys.GLOBAL).call_even_full("ZADD", keys.ROUTERS, now + LEASE_MS, self._owner)
        await server.call(keys.GLOBAL, "ZREMRANGEBYSCORE", keys.ROUTERS, "-inf", now)
        self._routers = max(1, await server.call(keys.GLOBAL, "ZCARD", keys.ROUTERS))
        # A worker that is stopping needs its lease for its last acknowledgements; one whose drain is gone has none to
        # make, and must not write behind the removal.
        leaving = [(unit, worker) for unit, worker in self._leaving.items() if self._is_there(worker)]
        for (_, name), worker in [*self._workers.items(), *leaving]:
            if not worker.task.done() and not await worker.lease.hold():
                log.warning("drain %s: another router has taken it over", name)
                worker.task.cancel()

    # who works on what

    async def _arrange(self) -> None:
        wanted = {
            (tag, name): spec for name, spec in self._drains.items() if not spec.paused for tag in self._server.tags
        }
        for unit, worker in list(self._workers.items()):
            spec = wanted.get(unit)
            if spec is None or not spec.same_target(worker.delivery.spec):
                self._begin_to_stop(unit)
        fair = -(-len(wanted) // self._routers)
        for unit in list(self._workers)[fair:]:
            self._begin_to_stop(unit)
        for unit, spec in wanted.items():
            if unit not in self._workers and unit not in self._leaving and len(self._workers) < fair:
                await self._start_worker(unit, spec)
        for (tag, name), worker in self._workers.items():
            if await self._join(tag, self._drains[name]):
                worker.delivery.streams_changed()
            worker.delivery.replay(self._replays.get(name))
        shared = SHARED_DECODE_BYTES if len(self._workers) > 1 else 0
        for decoder in self._decoders.values():
            decoder.keep_bytes = shared

    async def _start_worker(self, unit: tuple[str, str], spec: DrainSpec) -> None:
        tag, name = unit
        broken = self._broken.get(name)
        if broken is not None and broken.revision == spec.revision and time.monotonic() < broken.until:
            return
        try:
            passing = spec.passing()
            module, config = configure(spec.resolved())
        except UsageError as error:
            self._refuse(spec, error, broken)
            return
        if self._broken.pop(name, None) is not None:
            log.warning("drain %s can run here now", name)
        for text in (spec.uri, *spec.params.values()):
            for warning in exposed(text):
                log.warning("drain %s: %s", name, warning)
        lease = Lease(self._server, tag, name, self._owner)
        if not await lease.hold():
            return
        await self._join(tag, spec)
        place = Place(self._server, tag, self._server.tags.index(tag), self._owner, self._options.node)
        delivery = Delivery(
            spec,
            module,
            config,
            place,
            self._decoders[tag],
            lambda: self._selected(tag, spec),
            self._tried.setdefault(unit, {}),
            passing=passing,
            changed=self._changed.set,
            backoff=Backoff(longest=self._options.longest_backoff),
        )
        task = asyncio.create_task(delivery.run(), name=f"drain {name} {tag}")
        self._workers[unit] = _Worker(delivery, lease, task)

    def _refuse(self, spec: DrainSpec, error: UsageError, known: _Broken | None) -> None:
        """Tell that a drain cannot run here; looked at again by itself, for the file of a secret may come later."""
        text = spec.mask(str(error))
        if any(unresolved(part) for part in (spec.uri, *spec.params.values())):
            text += f" (looked up by the router on {self._options.node})"
        if known is None or (known.revision, known.error) != (spec.revision, text):
            log.error("drain %s cannot run here: %s", spec.name, text)
        self._broken[spec.name] = _Broken(spec.revision, text, time.monotonic() + self._options.retry_broken)

    def _selected(self, tag: str, spec: DrainSpec) -> list[str]:
        return [key for key in self._joined.get((tag, spec.name), ()) if spec.selects(key)]

    async def _join(self, tag: str, spec: DrainSpec) -> bool:
        """Have the drain take part in what is there; whether there was anything new for it."""
        new = False
        joined = self._joined.setdefault((tag, spec.name), set())
        for key in self._streams[tag]:
            if key not in joined and spec.selects(key):
                # A stream that is new is taken from its beginning; for others `add_drain` has made the group.
                await join(self._server, tag, spec.name, key, "beginning")
                joined.add(key)
                new = True
        return new

    def _begin_to_stop(self, unit: tuple[str, str]) -> None:
        """Let a worker finish, beside everything else: its destination may take its time."""
        worker = self._leaving[unit] = self._workers.pop(unit)
        worker.delivery.stop()
        worker.ending = asyncio.create_task(self._stopped(unit, worker), name=f"stop {unit[1]} {unit[0]}")

    async def _stopped(self, unit: tuple[str, str], worker: _Worker) -> None:
        """Wait for a worker that was asked to stop, at most `STOP_WITHIN` seconds, and clear up behind it."""
        tag, name = unit
        await asyncio.wait([worker.task], timeout=STOP_WITHIN)
        if not worker.task.done():
            worker.task.cancel()
            await asyncio.wait([worker.task])
        self._ended(name, worker.task)
        self._joined.pop(unit, None)
        if await worker.lease.release():
            await self._server.call(tag, "DEL", keys.status_key(tag, name))
        if not self._is_there(worker):
            self._tried.pop(unit, None)
            if name not in await get_drains(self._server):
                # An acknowledgement on its way may have written after the removal.
                await self._server.call(tag, "DEL", keys.drain_key(tag, name))

    def _is_there(self, worker: _Worker) -> bool:
        """Whether a worker's drain is; one of its name that was added since is another, with counters of its own."""
        mine = worker.delivery.spec
        spec = self._drains.get(mine.name)
        return spec is not None and spec.created == mine.created

    # what is told

    async def _report(self) -> None:
        leaving = {unit: worker for unit, worker in self._leaving.items() if self._is_there(worker)}
        workers = {**leaving, **self._workers}
        told = {unit: (worker.delivery.state, worker.delivery.last_error) for unit, worker in workers.items()}
        for name, broken in self._broken.items():
            if name in self._drains and self._drains[name].revision == broken.revision:
                told |= {(tag, name): (State.FAILED, broken.error) for tag in self._server.tags}
        for (tag, name), (state, error) in told.items():
            last_error = error if state in {State.RETRYING, State.FAILED} else ""
            status = {"state": state, "last_error": last_error, "workers": 1, "router": self._owner,
                      "node": self._options.node, "version": __version__}  # fmt: skip
            await self._server.link(tag).call_even_full(
                "SET", keys.status_key(tag, name), orjson.dumps(status), "PX", STATUS_MS
            )

    async def _trim(self) -> None:
        leases = {tag: Lease(self._server, tag, "@trim", self._owner) for tag in self._server.tags}
        while True:
            every = self._options.trim_every
            for tag, lease in leases.items():
                if not await lease.hold():
                    continue
                retention = self._options.retention
                if await memory_used(self._server, tag) > HIGH_WATER:
                    # What all drains have is of use, but not worth making agents wait.
                    retention, every = replace(retention, window=0.0, stream_bytes=0), 1.0
                for key in self._streams[tag]:
                    now_ms = time.time_ns() // 1_000_000
                    trimmed = await trim_stream(self._server, tag, key, retention, now_ms)
                    if trimmed.lost:
                        log.error("%s is above its hard cap: %d records that a drain had not had are lost",
                                  key, trimmed.lost)  # fmt: skip
            await asyncio.sleep(every)

    # the end, in this order: workers finish what they are sending and acknowledge it; then their leases go, so that
    # another router goes on at once; then this router leaves the list.

    async def _end(self) -> None:
        for unit in list(self._workers):
            self._begin_to_stop(unit)
        await asyncio.gather(*(worker.ending for worker in self._leaving.values() if worker.ending is not None))
        await self._server.call(keys.GLOBAL, "ZREM", keys.ROUTERS, self._owner)

    async def _cancel(self, *own: asyncio.Task[None]) -> None:
        workers = [*self._workers.values(), *self._leaving.values()]
        ends = [worker.ending for worker in workers if worker.ending is not None]
        tasks = [*own, *ends, *(worker.task for worker in workers)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
