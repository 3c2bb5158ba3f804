"""Reading and publishing in turn.

Files that may have something new wait in a queue and give a batch each, one after the other; a file with more to
give goes to the end of the queue. Several batches are in flight, and the next is read when an answer arrives, so
that the server works on one while the next is read.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from functools import partial

from logyard.agent.openfiles import OpenFiles
from logyard.agent.reading import Truncated
from logyard.agent.report import Counters
from logyard.agent.source import Slot, Source
from logyard.batch import Batch
from logyard.bus.publish import Outbox, Published, StateMismatch
from logyard.errors import ConnectionLost, LogyardError, ServerFull

__all__ = ["Sender", "backoff"]

log = logging.getLogger(__name__)

MAX_BYTES = 1024 * 1024
MAX_BATCHES = 64
"""What may be in flight: enough to keep the server busy, not so much that much is sent again after a break."""


def backoff(attempt: int, chance: float, longest: float = 5.0) -> float:
    """Seconds to wait after failure number ``attempt`` (from 0); ``chance`` is random in [0, 1)."""
    whole = min(longest, 0.1 * 2.0 ** min(attempt, 10))
    return whole / 2 + whole / 2 * chance


class Sender:
    """See the module. All of it runs on one event loop, nothing in it waits.

    Attributes:
        files: whose; set once, before anything else.
        held: nothing is read before the first checkpoint says which files were there.
        full: Redis refuses batches for want of memory; nothing is read for a while.
        holding: files that end in a line without an end.
        last_answer: when Redis acknowledged a batch last (the loop's clock).

    Args:
        counters: what is published is counted there.
    """

    files: OpenFiles

    def __init__(self, counters: Counters) -> None:
        self.held = True
        self.full = False
        self.holding: set[Source] = set()
        self.last_answer = 0.0
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self._outbox: Outbox | None = None
        self._session = 0
        self._failed: asyncio.Future[None] | None = None
        self._queue: deque[Source] = deque()
        self._queued: set[Source] = set()
        self._flush: set[Source] = set()
        self._bytes = self._batches = 0
        self._refusals = 0
        self._lost: dict[Source, set[bytes]] = {}  # states whose answers never came
        self._warned: set[str] = set()
        self._limits: dict[Source, int] | None = None
        self._progress = asyncio.Event()
        self._pumping = False
        self._retry: asyncio.TimerHandle | None = None

    # what may be read

    def add(self, source: Source) -> None:
        """There may be something to read."""
        if source not in self._queued:
            self._queued.add(source)
            self._queue.append(source)
            self._progress.set()

    def flush(self, source: Source) -> None:
        """Send its last line without waiting for the line's end."""
        self._flush.add(source)
        self.add(source)

    def drop(self, source: Source) -> None:
        """It is closed."""
        self.holding.discard(source)
        self._flush.discard(source)
        self._lost.pop(source, None)

    # publishing

    @property
    def attached(self) -> bool:
        """Whether there is a connection to publish through."""
        return self._outbox is not None

    def attach(self, outbox: Outbox) -> asyncio.Future[None]:
        """Publish through ``outbox`` from now on; the future fails when that can go on no longer."""
        self._session += 1
        self._outbox = outbox
        self._bytes = self._batches = 0
        self._failed = self._loop.create_future()
        return self._failed

    def fail(self, error: BaseException) -> None:
        """The connection is of no use any more."""
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)

    def detach(self) -> None:
        """Publish nothing. Answers that are still to come are not waited for: where to go on is asked anew."""
        self._session += 1
        self._outbox = None
        self._failed = None
        self._bytes = self._batches = 0
        for source in self.files.register.sources.values():
            source.in_flight = 0
        self._progress.set()

    def pump(self) -> None:
        """Read and publish until nothing is left or enough is in flight."""
        if self._outbox is None or self.held or self.full or self._pumping:
            return
        self._pumping = True
        now, time_ns = self._loop.time(), time.time_ns()
        queue = self._queue
        try:
            while queue and self._bytes < MAX_BYTES and self._batches < MAX_BATCHES:
                source = queue.popleft()
                self._queued.discard(source)
                self._serve(source, now, time_ns)
        finally:
            self._pumping = False

    def _serve(self, source: Source, now: float, time_ns: int) -> None:
        """Publish one batch of a file, if it may be read and has one."""
        slot, reader = source.slot, source.reader
        if not self._may_read(source):
            return
        blocker = slot.blocker(source)
        if blocker is not None:
            if not blocker.in_flight:
                self.add(blocker)
            return  # it comes back when the blocker has been read to its end
        try:
            batch = self._next_batch(source, now, time_ns)
        except Truncated:
            self.files.freeze(slot)
            return
        except OSError as error:
            self.files.fail(source, error)
            return
        if self._flush:
            self._flush.discard(source)
        if batch is not None:
            self._publish(source, batch)
        if reader.more:
            self.add(source)
        else:
            self._at_end(source, sent=batch is not None)

    def _next_batch(self, source: Source, now: float, time_ns: int) -> Batch | None:
        """As `Source.next_batch`; an emptied file gives nothing before what it held in between has been looked for."""
        reader, read_ns = source.reader, source.read_ns
        batch = source.next_batch(now, time_ns, flush=source in self._flush)
        if batch is None and reader.held and not reader.more and source.slot.is_over(source):
            batch = source.next_batch(now, time_ns, flush=True)
        if batch is not None and self.files.was_overtaken(source):
            source.read_ns = read_ns
            return None
        return batch

    def _may_read(self, source: Source) -> bool:
        if source.slot.frozen or source.failed or source not in source.slot.files:
            return False
        return self._limits is None or source.reader.offset < self._limits.get(source, 0)

    def _at_end(self, source: Source, *, sent: bool) -> None:
        """A file has been read to its end, but for a line without an end."""
        if source.reader.held:
            self.holding.add(source)
            return
        self.holding.discard(source)
        files = source.slot.files
        if not sent and not source.in_flight and not source.drained and source is not files[-1]:
            source.drained = True
            for later in files[files.index(source) + 1 :]:
                self.add(later)

    def _publish(self, source: Source, batch: Batch) -> None:
        assert self._outbox is not None
        state = source.reader.position.encode()
        expected, source.expected = source.expected, state
        size = len(batch.block)
        source.in_flight += 1
        self._bytes += size
        self._batches += 1
        future = self._outbox.publish(batch, source.id, expected, state)
        future.add_done_callback(partial(self._answered, self._session, source, state, size, batch))

    def _answered(
        self, session: int, source: Source, state: bytes, size: int, batch: Batch, future: asyncio.Future[Published]
    ) -> None:
        error = ConnectionLost("cancelled") if future.cancelled() else future.exception()
        if isinstance(error, ConnectionLost):
            self._lost.setdefault(source, set()).add(state)
        if session != self._session:
            return
        self._bytes -= size
        self._batches -= 1
        source.in_flight -= 1
        slot = source.slot
        self._progress.set()
        if error is None:
            self._acknowledged(source, state, size, batch)
        elif isinstance(error, StateMismatch):
            self._mismatch(source, error.current)
        elif isinstance(error, ServerFull):
            self._hold(slot, error)
        else:
            self.fail(error)
        if slot.frozen and not slot.in_flight:
            self.files.noticed.set()
        self.pump()

    def _acknowledged(self, source: Source, state: bytes, size: int, batch: Batch) -> None:
        now = self.last_answer = self._loop.time()
        source.acknowledged(state, now)
        if self._lost:
            self._lost.pop(source, None)
        counters = self._counters
        counters.records += batch.count
        counters.bytes += size
        counters.batches += 1
        counters.cut += batch.cut > 0
        counters.partial += batch.partial
        if self._refusals:
            self._refusals = 0
            log.info("Redis takes batches again")
        if source is not source.slot.files[-1] and not source.in_flight:
            self.add(source)  # once more, to see that it has been read to its end

    # what goes wrong

    def _mismatch(self, source: Source, current: bytes) -> None:
        self.files.freeze(source.slot)
        if current in {b"", source.stored} or current in self._lost.get(source, ()) or source.id in self._warned:
            return  # a batch before this one was refused, or its answer was lost
        self._warned.add(source.id)
        log.warning(
            "another agent that calls itself %s reads %s as well: give each machine a name of its own",
            source.slot.node, source.path,
        )  # fmt: skip

    def _hold(self, slot: Slot, error: LogyardError) -> None:
        self.files.freeze(slot)
        if self.full:
            return
        self.full = True
        if not self._refusals:
            log.warning("%s; nothing is read until it takes batches again", error)
        delay = backoff(self._refusals, random.random())  # noqa: S311  # not a secret
        self._refusals += 1
        self._retry = self._loop.call_later(delay, self._try_again)

    def _try_again(self) -> None:
        self.full = False
        self._retry = None
        self.pump()

    # the end

    async def finish(self) -> None:
        """Publish what is in the files now, as far as lines are complete, and wait for the answers."""
        files = self.files
        self._limits = {}
        for source in files.register.sources.values():
            try:
                self._limits[source] = source.size()
            except OSError:
                continue
            self.add(source)
        while self._outbox is not None:
            self._progress.clear()
            self.pump()
            if not self._queue and not self._batches and not files.unsettled:
                return
            await self._progress.wait()

    def close(self) -> None:
        """Stop all timers."""
        self.detach()
        if self._retry is not None:
            self._retry.cancel()
