"""One drain in one partition: read, send, acknowledge, and what to do when sending fails.

Everything that drains have in common is here, written once. A drain is opened, fed until it fails or the worker
stops, left, and opened again; whatever was not acknowledged is claimed from the group and sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from logyard.batch import Batch, Selection
from logyard.bus.drains import DrainSpec
from logyard.bus.groups import Acknowledgement, Decoder, Group, Position
from logyard.bus.replays import ReplayRequest
from logyard.drain import Context, Drain, DrainModule, Limits
from logyard.errors import DrainError, NotConnected, Permanent, ServerError, WireError
from logyard.router.backoff import Backoff
from logyard.router.dead import DeadLetters
from logyard.router.intake import Intake, Taken, entry_number
from logyard.router.replay import Portion, Replay
from logyard.router.sending import Outcome, Sender
from logyard.router.state import State, after
from logyard.server import Server

__all__ = ["Delivery", "Place"]

log = logging.getLogger("logyard.router")

SETTLE_EVERY = 0.05
"""Seconds between two acknowledgements: they cost about as much as sending a small batch does."""
SETTLE_FLIGHTS = 64
"""New flights after which the next acknowledgement is due, however soon it is."""
ACKS_IN_FLIGHT = 64
ENTRIES_AT_MOST = 256
"""Entries that one send, or one acknowledgement of what does not pass a filter, is gathered from."""
STOPPING_IS_SEEN = 0.05
"""Seconds after which records that wait for company look whether the worker is stopping."""
FINISH_WITHIN = 5.0
"""Seconds that a stopping worker gives its destination to take what is on its way."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker runs: the connected server, the partition, and who holds its lease."""

    server: Server
    tag: str
    partition: int
    owner: str
    node: str


@dataclass(slots=True)
class _Flight:
    """Entries that were handed to the destination together; their text is no longer kept."""

    done: Acknowledgement
    again: tuple[Replay, Portion] | None = None  # of what is sent again; it acknowledges nothing in the streams
    task: asyncio.Task[Outcome] | None = None
    outcome: Outcome = field(default_factory=Outcome)
    sends: int = 0  # how many calls of `send` there were up to and including this flight's last


@dataclass(slots=True)
class _Load:
    """What is to be sent at once: its flight, the records that pass, and how many entries they are from."""

    flight: _Flight = field(default_factory=lambda: _Flight(Acknowledgement()))
    selections: list[Selection] = field(default_factory=list)
    entries: int = 0
    records: int = 0
    size: int = 0


class Delivery:
    """See the module.

    Args:
        spec: the drain's definition.
        module, config: what serves its address.
        place: where this worker runs.
        decoder: shared with the other drains of the partition.
        streams: the keys that the drain takes in this partition, now.
        tried: what this process has begun to send of each stream; outlives the worker.
        passing: the records of a batch that pass the drain's filter; None where all do.
        changed: called when the state changes.
        chance: random numbers in [0, 1).
    """

    def __init__(
        self,
        spec: DrainSpec,
        module: DrainModule,
        config: Any,
        place: Place,
        decoder: Decoder,
        streams: Callable[[], Sequence[str]],
        tried: dict[str, tuple[int, int]],
        *,
        passing: Callable[[Batch], Selection | None] | None = None,
        changed: Callable[[], None] = lambda: None,
        backoff: Backoff | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.spec = spec
        self.state = State.STARTING
        self.last_error = ""
        self._module = module
        self._config = config
        self._place = place
        self._decoder = decoder
        self._streams = streams
        self._tried = tried
        self._passing = passing
        self._changed = changed
        self._backoff = backoff or Backoff()
        self._chance = chance
        self._group = Group(place.server, place.tag, spec.name, place.owner)
        self._mask = spec.mask
        self._dead = DeadLetters(place.server, place.tag, spec.name, self._mask)
        self._stopping = asyncio.Event()
        self._attempt = 0
        self._doubtful = False
        self._cursor: str | None = None
        self._positions: dict[str, Position] = {}
        self._flights: deque[_Flight] = deque()
        self._flying = 0  # how many of them have a task
        self._settled = 0.0  # when they were last looked at
        self._since_settled = 0  # flights begun since then
        self._acks: deque[asyncio.Future[Any]] = deque()
        self._refused: list[tuple[str, str]] = []
        self._intake: Intake | None = None  # of the open drain
        self._replay: Replay | None = None
        self._replay_asked = asyncio.Event()

    def replay(self, request: ReplayRequest | None) -> None:
        """Send again what ``request`` says, if that is not being done; None ends what is being done."""
        current = self._replay
        if current is not None and (request is None or request.id != current.request.id):
            current.cancel()
            if not current.over:
                return  # it ends in order first
            self._replay = None
        if request is None or self._replay is not None:
            return
        place = self._place
        self._replay = Replay(
            request, place.server, place.tag, place.owner, self._group, self._dead,
            lambda: list(self._streams()), self._passing or Selection, self._mask,
        )  # fmt: skip
        self._replay_asked.set()

    def streams_changed(self) -> None:
        """Have a look at once whether there is a stream to read, if there was none."""
        if self._intake is not None:
            self._intake.streams_changed()

    def stop(self) -> None:
        """Ask `run` to end: what is being sent is finished and acknowledged, nothing more is begun."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop` is called.

        Raises:
            ConnectionLost, ServerError: Redis is lost, or the lease is; the worker is over.
        """
        while not self._stopping.is_set():
            try:
                await self._open_and_deliver()
            except Permanent as error:
                self._failed(State.FAILED, error)
                log.error("drain %s needs a person: %s", self.spec.name, self.last_error)
                await self._stopping.wait()
            except DrainError as error:
                await self._retry_later(error)
            except ServerError:
                raise
            except WireError as error:
                # A batch is taken apart only while it is sent. From now on each is looked at before that, so that the
                # damaged one is found when it comes again.
                if self._doubtful:
                    await self._retry_later(NotConnected(str(error)))
                self._doubtful = True
            except Exception as error:
                # With its trace, but without secrets that a library may have put into its message.
                log.error("drain %s: unexpected failure\n%s", self.spec.name, self._mask(traceback.format_exc()))
                await self._retry_later(NotConnected(f"unexpected {type(error).__name__}: {error}"))

    async def _retry_later(self, error: DrainError) -> None:
        first = self.state is not State.RETRYING
        self._failed(State.RETRYING, error)
        delay = self._backoff.delay(self._attempt, self._chance())
        self._attempt += 1
        if first:
            log.warning("drain %s: %s; trying again", self.spec.name, self.last_error)
        await self._sleep(delay)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    def _failed(self, state: State, error: Exception) -> None:
        self.last_error = self._mask(str(error))
        self._move(state)

    def _move(self, state: State) -> None:
        if state is not self.state:
            self.state = after(self.state, state)
            self._changed()

    def _healthy(self) -> None:
        if self.state is State.RETRYING:
            log.warning("drain %s: works again", self.spec.name)
        self._move(State.RUNNING)
        self._attempt = 0

    async def _open_and_deliver(self) -> None:
        place = self._place
        self._flights.clear()
        self._flying = 0
        self._cursor, self._positions, _ = await self._group.state()
        context = Context(
            name=self.spec.name,
            node=place.node,
            partition=place.partition,
            partitions=place.server.partitions,
            cursor=self._cursor,
        )
        async with place.server.dedicated(place.tag) as connection, self._module.open(self._config, context) as drain:
            if self.state is State.STARTING:
                self._healthy()
            intake = self._intake = Intake(
                self._group, connection, self._decoder, self._streams, self._positions, self._tried, self._refuse
            )
            reading = asyncio.create_task(intake.fill(), name=f"read {self.spec.name}")
            feeding = asyncio.create_task(self._feed(drain, intake), name=f"feed {self.spec.name}")
            try:
                await self._deliver(drain, intake, (reading, feeding))
            except DrainError:
                # What arrived before the failure is acknowledged, or it would be sent again.
                with contextlib.suppress(DrainError):
                    await self._settle(drain, leaving=True)
                raise
            finally:
                await self._abandon(reading, feeding)

    async def _deliver(self, drain: Drain, intake: Intake, readers: Sequence[asyncio.Task[None]]) -> None:
        limits, loop = drain.limits, asyncio.get_running_loop()
        sender = Sender(drain, self._dead, self._backoff, self._sleep, self._note_wait, self._chance)
        while not self._stopping.is_set():
            wait = self._settled + SETTLE_EVERY - loop.time() if self._flights else SETTLE_EVERY
            if wait <= 0 or self._since_settled >= SETTLE_FLIGHTS:
                await self._settle(drain)
                wait = SETTLE_EVERY
            for reader in readers:
                if reader.done():
                    reader.result()
            again = self._replay is not None and self._replay.waiting
            load = await self._load(intake, limits, 0 if again else wait, linger=not again)
            if load is not None:
                flight, selections = load
                del load
                if selections:
                    await self._fly(drain, sender, flight, selections)
                    del selections
                else:
                    self._flights.append(flight)  # of these nothing is sent; acknowledged behind what was before them
                    self._since_settled += 1
            # In turns: neither waits for more than one send of the other.
            if self._replay is not None and (portion := self._replay.take()) is not None:
                await self._fly_again(drain, sender, portion)
        await self._landed(drain)
        await self._finish(drain)

    async def _fly(self, drain: Drain, sender: Sender, flight: _Flight, selections: list[Selection]) -> None:
        """Send, at once or beside what is being sent already."""
        limits = drain.limits
        if limits.in_flight == 1 or self.state is State.RETRYING:
            # A destination that was away is tried with one request before it gets several.
            await self._landed(drain)
            flight.outcome = await self._send(sender, flight, selections)
            flight.sends = sender.sends
            self._healthy()
        else:
            while self._flying >= limits.in_flight:
                await self._one_lands()
            flight.task = asyncio.create_task(self._send(sender, flight, selections), name=f"send {self.spec.name}")
            self._flying += 1
        self._flights.append(flight)
        self._since_settled += 1

    async def _send(self, sender: Sender, flight: _Flight, selections: list[Selection]) -> Outcome:
        try:
            return await sender.send(selections)
        except DrainError as error:
            if flight.again is not None:
                flight.again[0].failed(error)
            raise

    # sending again

    async def _feed(self, drain: Drain, intake: Intake) -> None:
        """Read ahead for replays, one after the other, until cancelled."""
        while True:
            replay = self._replay
            if replay is not None and not replay.over:
                replay.rewind()
                await replay.feed(drain.limits, intake.wake)
            self._replay_asked.clear()
            if self._replay is replay:
                await self._replay_asked.wait()

    async def _fly_again(self, drain: Drain, sender: Sender, portion: Portion) -> None:
        assert self._replay is not None
        flight = _Flight(Acknowledgement(), (self._replay, portion))
        flight.done.count("replayed", portion.records)
        if portion.records:
            await self._fly(drain, sender, flight, portion.handed_over())
        else:
            self._flights.append(flight)  # what was looked at is behind the replay once all before it is

    # what is sent at once

    async def _load(
        self, intake: Intake, limits: Limits, wait: float, *, linger: bool
    ) -> tuple[_Flight, list[Selection]] | None:
        """What is there, up to what the destination takes; None when nothing came in ``wait`` seconds.

        Only what passes the drain's filter counts towards the limits, so that many batches of which little passes make
        one send.
        """
        load = _Load()
        await self._add(load, await intake.take(limits.max_bytes, limits.max_records, wait))
        loop = asyncio.get_running_loop()
        until = loop.time() + (limits.linger if linger else 0.0)
        while load.entries:
            if load.size >= limits.max_bytes // 2 or load.records >= limits.max_records // 2 or self._stopping.is_set():
                break
            company = 0.0
            if self._passing is not None and intake.waiting[1] and load.entries < ENTRIES_AT_MOST:
                await asyncio.sleep(0)  # a filter that lets nothing pass must not hold up the other drains
            elif load.records and load.entries < ENTRIES_AT_MOST and (company := until - loop.time()) > 0:
                company = min(company, STOPPING_IS_SEEN)
            else:
                break
            room = max(0, limits.max_bytes - load.size), max(0, limits.max_records - load.records)
            await self._add(load, await intake.take(*room, company))
        return (load.flight, load.selections) if load.entries else None

    async def _add(self, load: _Load, taken: list[Taken]) -> None:
        if self._refused:
            await self._bury_unreadable()
        for one in taken:
            batch, done = one.batch, load.flight.done
            number = entry_number(batch.entry)
            # Never lowered: what is tried again may be far behind what was tried before.
            self._tried[batch.key] = max(number, self._tried.get(batch.key, number))
            done.add(batch)
            done.count("dropped", one.missing)
            load.entries += 1
            try:
                if self._doubtful:
                    _ = batch.lines
                selection = Selection(batch) if self._passing is None else self._passing(batch)
            except WireError as error:
                log.error("drain %s: %s", self.spec.name, error)
                self._dead.bury_entry(batch.key, batch.entry, str(error))
                await self._dead.flush()
                done.count("dead", batch.count)
                continue
            passed = 0 if selection is None else selection.count
            done.count("delivered", passed)
            done.count("resent", passed if one.again else 0)
            done.count("filtered", batch.count - passed)
            if selection is not None:
                load.selections.append(selection)
                load.records += passed
                load.size += batch.last - batch.first if selection.whole else sum(map(len, selection.lines)) + passed

    def _note_wait(self, error: DrainError) -> None:
        """A send is being repeated without leaving the connection."""
        first = self.state is not State.RETRYING
        self._failed(State.RETRYING, error)
        if first:
            log.warning("drain %s: %s; trying again", self.spec.name, self.last_error)

    # acknowledging

    async def _landed(self, drain: Drain) -> None:
        """Wait for every flight that is in the air."""
        while self._flying:
            await self._one_lands()
            await self._settle(drain)

    async def _one_lands(self) -> None:
        tasks = [flight.task for flight in self._flights if flight.task is not None]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self._land([flight for flight in self._flights if flight.task in done])

    def _land(self, flights: list[_Flight]) -> None:
        for flight in flights:
            assert flight.task is not None
            flight.outcome = flight.task.result()
            flight.task = None
            self._flying -= 1
            self._healthy()

    async def _settle(self, drain: Drain, *, leaving: bool = False) -> None:
        """Acknowledge the flights, in order, that the destination has; ``leaving``: whatever failed is known."""
        self._settled = asyncio.get_running_loop().time()
        self._since_settled = 0
        if self._flying:
            landed = [flight for flight in self._flights if flight.task is not None and flight.task.done()]
            self._land([flight for flight in landed if not (leaving and flight.task and flight.task.exception())])
        confirmed = drain.confirmed() if self._flights else None
        done = Acknowledgement()
        again: list[tuple[Replay, Portion, int]] = []
        while self._flights:
            flight = self._flights[0]
            if flight.task is not None or (confirmed is not None and flight.sends > confirmed):
                break
            self._flights.popleft()
            done.merge(flight.done)
            if flight.again is None:
                done.count("delivered", -flight.outcome.dead)
                done.count("dead", flight.outcome.dead)
                done.count("cut", flight.outcome.cut)
            else:
                done.count("replayed", -flight.outcome.dead)
                again.append((*flight.again, flight.outcome.dead))
            if flight.outcome.cursor is not None:
                done.cursor = flight.outcome.cursor
        if done.positions or done.counters or done.cursor is not None:
            self._acks.append(self._group.acknowledge(done))
        for replay, portion, refused in again:
            # Behind the acknowledgement, which has the drain's cursor: a file that is cut back to its cursor must not
            # lose what is noted as sent.
            self._acks.append(replay.behind(portion, refused))
        while self._acks and (self._acks[0].done() or len(self._acks) > ACKS_IN_FLIGHT):
            await self._acks.popleft()

    async def _finish(self, drain: Drain) -> None:
        """Let the destination take what is on its way, then acknowledge that."""
        try:
            async with asyncio.timeout(FINISH_WITHIN):
                await drain.finish()
        except (DrainError, TimeoutError) as error:
            log.warning("drain %s: not everything was confirmed at the end: %s", self.spec.name, self._mask(str(error)))
        await self._settle(drain)
        while self._acks:
            await self._acks.popleft()

    async def _abandon(self, *readers: asyncio.Task[None]) -> None:
        tasks = [*readers, *(flight.task for flight in self._flights if flight.task is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._flights.clear()
        self._flying = 0
        # What was asked before is carried out before anything that is asked later; a lost lease is told there.
        await asyncio.gather(*self._acks, return_exceptions=True)
        self._acks.clear()

    # entries that no version of this program wrote

    def _refuse(self, key: str, entry: str, reason: str) -> None:
        log.error("drain %s: %s", self.spec.name, reason)
        self._refused.append((key, entry))
        self._dead.bury_entry(key, entry, reason)

    async def _bury_unreadable(self) -> None:
        await self._dead.flush()
        done = Acknowledgement()
        for key, entry in self._refused:
            position = self._positions.get(key, Position())
            done.entries.setdefault(key, []).append(entry)
            done.positions[key] = Position(position.total, entry)
            done.count("dead", 1)
        self._refused.clear()
        await self._group.acknowledge(done)
