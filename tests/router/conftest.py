"""A destination that does what a test tells it, and streams to send from."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from logyard.batch import Batch, Selection
from logyard.bus.drains import DrainSpec, DrainStatus, add_drain, drain_status
from logyard.bus.publish import Outbox
from logyard.drain import Context, DrainURI, Limits, Receipt
from logyard.router.service import RouterOptions, run_router
from logyard.server import Server, connect
from tests.servers.redis import RedisServer


@dataclass
class Destination:
    """A drain's module, and what has arrived.

    Attributes:
        arrived: texts, in order.
        behave: called with the texts of each send before they arrive; may raise, or wait.
        limits: what it takes.
        confirming: when not None, how many sends count as confirmed.
        contexts: what each opening was told.
    """

    arrived: list[bytes] = field(default_factory=list)
    behave: Callable[[list[bytes]], Awaitable[None]] | None = None
    at_open: Callable[[], None] | None = None
    limits: Limits = field(default_factory=Limits)
    confirming: int | None = None
    contexts: list[Context] = field(default_factory=list)
    finished: int = 0
    is_open: bool = False
    sends: int = 0

    def configure(self, uri: DrainURI) -> Destination:
        return self

    @contextlib.asynccontextmanager
    async def open(self, config: object, context: Context) -> AsyncIterator[Destination]:
        self.contexts.append(context)
        if self.at_open is not None:
            self.at_open()
        self.is_open = True
        try:
            yield self
        finally:
            self.is_open = False

    async def send(self, records: Sequence[Selection]) -> Receipt | None:
        lines = [line for selection in records for line in selection.lines]
        if self.behave is not None:
            await self.behave(lines)
        self.arrived += lines
        self.sends += 1
        return Receipt(cursor=str(len(self.arrived)))

    def confirmed(self) -> int | None:
        return self.confirming

    async def finish(self) -> None:
        self.finished += 1


@pytest.fixture
def destination() -> Destination:
    return Destination()


@pytest.fixture
async def server(valkey: RedisServer) -> AsyncIterator[Server]:
    async with connect(valkey.url) as connected:
        yield connected


class Writer:
    """Publishes lines as an agent would, in small batches."""

    def __init__(self, server: Server) -> None:
        self._outbox = Outbox(server)
        self._states: dict[str, int] = {}

    async def write(self, key: str, lines: Sequence[bytes], per_batch: int = 10) -> None:
        futures = []
        for at in range(0, len(lines), per_batch):
            part = lines[at : at + per_batch]
            block = b"\n".join(part)
            first = self._states.get(key, 0)
            last = first + len(block) + 1
            batch = Batch(
                key=key, node="n1", source="stdout", time_ns=1_700_000_000_000_000_000, count=len(part),
                origin=f"{key}.0", first=first, last=last, block=block,
            )  # fmt: skip
            expected = b"" if key not in self._states else b"%d" % first
            futures.append(self._outbox.publish(batch, key, expected, b"%d" % last))
            self._states[key] = last
        await asyncio.gather(*futures)


@pytest.fixture
def writer(server: Server) -> Writer:
    return Writer(server)


class Router:
    """A router in this process whose drains are all served by destinations of the test, by name of the host."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.stop = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.stop = asyncio.Event()
        options = RouterOptions(node="r1", longest_backoff=0.05, retry_broken=0.05)
        self.task = asyncio.create_task(run_router(lambda: connect(self.url), options, self.stop))

    async def end(self) -> None:
        self.stop.set()
        if self.task is not None:
            await self.task


@pytest.fixture
def destinations(monkeypatch: pytest.MonkeyPatch) -> dict[str, Destination]:
    found: dict[str, Destination] = {}
    monkeypatch.setattr("logyard.router.service.configure", lambda uri: (found[uri.host], found[uri.host]))
    return found


@pytest.fixture
async def router(valkey: RedisServer) -> AsyncIterator[Router]:
    made = Router(valkey.url)
    yield made
    await made.end()


async def add(server: Server, name: str, **options: object) -> DrainSpec:
    return await add_drain(server, DrainSpec(name=name, uri=f"test://{name}", start="beginning", **options))  # type: ignore[arg-type]


async def settled(server: Server, name: str, delivered: int) -> None:
    """Wait until Redis knows that so many records were delivered."""
    status: DrainStatus | None = None
    try:
        async with asyncio.timeout(60):
            while True:
                (status,) = await drain_status(server, [name])
                if status.delivered + status.dead == delivered:
                    return
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"{status} instead of {delivered} delivered") from None


async def state_is(server: Server, name: str, state: str) -> DrainStatus:
    async with asyncio.timeout(20):
        while True:
            (status,) = await drain_status(server, [name])
            if status.state == state:
                return status
            await asyncio.sleep(0.005)


async def until(condition: Callable[[], bool], what: str = "the condition") -> None:
    """Wait for a condition; a test that waits longer than 60 s has failed."""
    try:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"{what} did not come true") from None
