"""Standard input into a stream, exactly once: what Redis has not confirmed is sent again, what it has is not.

Each batch is stored together with how far the input is read; after a lost connection that state says what arrived.
A batch goes out at once when the last one is a few milliseconds ago, else when they are over or it is full: single
lines that are typed arrive at once, and a large pipe goes in full batches.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field

from logyard.batch import Batch
from logyard.bus.publish import Outbox, Published, StateMismatch
from logyard.errors import ConnectionLost, LogyardError, ServerError, ServerFull
from logyard.server import Server, keys
from logyard_cli.blocks import LineBlocks
from logyard_cli.units import duration, plural

__all__ = ["SendTarget", "Sender"]

_SPACING = 0.005
_IN_FLIGHT = 8
_READ_AT_ONCE = 256 * 1024
_HELD = 1024 * 1024
"""Bytes that are read ahead of what was sent; then the writer of the pipe waits."""
_FORGET_AFTER = 3600
_SLOWEST_RETRY = 2.0


@dataclass(frozen=True, slots=True)
class SendTarget:
    """Where lines go, as `Batch` names it."""

    key: str
    node: str
    app: str | None = None
    instance: str | None = None
    source: str = "stdin"


@dataclass(slots=True)
class _Item:
    batch: Batch
    expected: bytes
    state: bytes
    answer: asyncio.Future[Published] | None = None


@dataclass(slots=True)
class Sender:
    """One run from standard input to its end.

    Args:
        connect: connects to the server; called again whenever the connection was lost.
        target: where to.
        patience: seconds to keep trying while the server is away or full.
        notice: says one line about what is going on.

    Attributes:
        stored: lines confirmed by Redis.
        size: their bytes.
    """

    connect: Callable[[], AbstractAsyncContextManager[Server]]
    target: SendTarget
    patience: float
    notice: Callable[[str], None]
    stored: int = 0
    size: int = 0
    _source: str = field(default_factory=lambda: secrets.token_hex(8))
    _lines: LineBlocks = field(default_factory=LineBlocks)
    _items: deque[_Item] = field(default_factory=deque)
    _state: bytes = b""
    _counted: int = 0
    _published_at: float = 0.0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _room: asyncio.Event = field(default_factory=asyncio.Event)
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Send until the input ends and everything is confirmed.

        Raises:
            ServerError: it gave up; the text says how many lines were stored.
        """
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._read())
            try:
                await self._deliver()
            finally:
                reading.cancel()

    def stop(self, patience: float) -> None:
        """Read no further; what was read is still sent, within ``patience`` seconds."""
        self.patience = patience
        self._stopped.set()
        self._lines.ended = True
        self._wake.set()

    # reading

    async def _read(self) -> None:
        try:
            fd = sys.stdin.fileno()
        except (OSError, ValueError):  # replaced by something in memory
            while data := sys.stdin.buffer.read(_READ_AT_ONCE):
                await self._take(data)
        else:
            while not self._stopped.is_set() and (data := await _chunk(fd)):
                await self._take(data)
        self._lines.ended = True
        self._wake.set()

    async def _take(self, data: bytes) -> None:
        self._lines.feed(data)
        self._wake.set()
        while self._lines.held >= _HELD:
            self._room.clear()
            await self._room.wait()

    # sending

    async def _deliver(self) -> None:
        lost_at: float | None = None
        delay = 0.1
        while True:
            try:
                async with self.connect() as server:
                    outbox = Outbox(server)
                    await self._settle(outbox)
                    if lost_at is not None:
                        self.notice(f"reconnected after {duration(time.monotonic() - lost_at)}, nothing lost")
                        lost_at, delay = None, 0.1
                    await self._publish_all(outbox)
                    tag = keys.tag_of(self.target.key, server.partitions)
                    with suppress(LogyardError):  # only tidies up
                        await server.call(tag, "EXPIRE", keys.source_key(tag, self._source), _FORGET_AFTER)
                    return
            except (ConnectionLost, ServerFull, StateMismatch) as error:
                now = time.monotonic()
                if lost_at is None:
                    lost_at = now
                    if not isinstance(error, StateMismatch):
                        self.notice(f"{error}; trying again")
                if now - lost_at >= self.patience:
                    raise ServerError(self._given_up(error)) from None
            except ServerError as error:
                raise ServerError(self._given_up(error)) from None
            await asyncio.sleep(min(delay, max(0.0, lost_at + self.patience - time.monotonic())))
            delay = min(delay * 1.6, _SLOWEST_RETRY)

    def _given_up(self, error: LogyardError) -> str:
        waiting = sum(item.batch.count for item in self._items)
        rest = f", {plural(waiting, 'line')} not stored" if waiting else ""
        return f"{error}; gave up: {plural(self.stored, 'line')} stored{rest}"

    async def _settle(self, outbox: Outbox) -> None:
        """Find out what of the unconfirmed batches is stored, and put the rest in line again."""
        (current,) = await outbox.states([(self.target.key, self._source)])
        if any(item.state == current for item in self._items):
            while self._confirm().state != current:
                pass
        for item in self._items:
            item.answer = None
        if not self._items or self._items[0].expected == current:
            return
        # The server came back without its newest entries; what was confirmed is no longer held here.
        lost = self._counted_before(self._items[0]) - int(current.partition(b" ")[2] or 0)
        if lost > 0:
            self.notice(f"Redis lost {plural(lost, 'line')} that it had confirmed; they cannot be sent again")
            self.stored -= lost
        self._items[0].expected = current

    def _counted_before(self, item: _Item) -> int:
        return int(item.state.partition(b" ")[2]) - item.batch.count

    def _confirm(self) -> _Item:
        item = self._items.popleft()
        self.stored += item.batch.count
        self.size += item.batch.last - item.batch.first
        return item

    async def _publish_all(self, outbox: Outbox) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                while self._items and (answer := self._items[0].answer) is not None and answer.done():
                    answer.result()
                    self._confirm()
                self._make_items(loop)
                for item in self._items:
                    if item.answer is None:
                        item.answer = outbox.publish(item.batch, self._source, item.expected, item.state)
                        item.answer.add_done_callback(lambda _: self._wake.set())
                if not self._items and self._lines.ended and not self._lines.held:
                    return
                await self._wake.wait()
                self._wake.clear()
        finally:
            for item in self._items:  # nobody asks these any more
                if item.answer is not None and not item.answer.cancel() and not item.answer.cancelled():
                    item.answer.exception()

    def _make_items(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make batches of what was read, as far as it is time and there is room in flight."""
        while len(self._items) < _IN_FLIGHT:
            early = self._published_at + _SPACING - loop.time()
            if early > 0 and not (self._lines.full or self._lines.ended):
                if self._lines.held:
                    loop.call_later(early, self._wake.set)
                return
            block = self._lines.take()
            if block is None:
                return
            self._published_at = loop.time()
            self._counted += block.count
            state = b"%d %d" % (block.last, self._counted)
            target = self.target
            batch = Batch(
                key=target.key,
                node=target.node,
                source=target.source,
                time_ns=time.time_ns(),
                count=block.count,
                origin=f"{self._source}.0",
                first=block.first,
                last=block.last,
                block=block.text,
                app=target.app,
                instance=target.instance,
                cut=block.cut,
                partial=block.partial,
            )
            self._items.append(_Item(batch, self._state, state))
            self._state = state
            if self._lines.held < _HELD:
                self._room.set()


async def _chunk(fd: int) -> bytes:
    """The next bytes of a descriptor, b"" at its end; waits for a pipe or a terminal without stopping the loop."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def readable() -> None:
        if not ready.done():
            ready.set_result(None)

    try:
        loop.add_reader(fd, readable)
    except PermissionError:  # a regular file: always readable
        await asyncio.sleep(0)
        return os.read(fd, _READ_AT_ONCE)
    try:
        await ready
    finally:
        loop.remove_reader(fd)
    try:
        return os.read(fd, _READ_AT_ONCE)
    except BlockingIOError:
        return await _chunk(fd)
