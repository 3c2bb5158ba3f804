"""A Redis made of dictionaries for the agent's tests, and an agent that runs beside the test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from logyard.agent.service import AgentOptions, FileRule, run_agent
from logyard.batch import Batch, decode, encode
from logyard.bus.publish import Published, StateMismatch
from logyard.errors import ConnectionLost, ServerError, ServerFull
from tests.servers.processes import eventually

__all__ = ["FakeRedis", "Running", "StartAgent"]


class FakeRedis:
    """What `logyard.bus.publish` does with Redis, without Redis.

    Attributes:
        stored: the batches, decoded from their entries, in the order in which they were appended.
        states: by stream key and source.
        reports: the nodes' reports, as sent.
        full: batches are refused.
        up: it can be reached.
        silent: publishes are neither carried out nor answered until `speak`.
        refusal: what a connection fails with, None to accept it.
    """

    def __init__(self) -> None:
        self.stored: list[Batch] = []
        self.states: dict[tuple[str, str], bytes] = {}
        self.reports: list[Any] = []
        self.full = False
        self.up = True
        self.silent = False
        self.refusal: Exception | None = None
        self.asked: list[tuple[str, str]] = []
        self.connections: list[FakeConnection] = []
        self._undo: list[tuple[tuple[str, str], bytes]] = []
        self._carried_out = 0
        self._break_after: tuple[int, bool] | None = None

    @property
    def last_report(self) -> bytes:
        """The last report of a node, b"" before there is one."""
        report: bytes = self.reports[-1] if self.reports else b""
        return report

    # what the tests do to it

    def lines(self, key: str | None = None) -> list[bytes]:
        """The records of a stream, or of all."""
        return [line for batch in self.stored if key in {None, batch.key} for line in batch.lines]

    def lose_newest(self, count: int) -> None:
        """Crash, and come back without the newest ``count`` batches."""
        for _ in range(min(count, len(self.stored))):
            self.stored.pop()
            where, before = self._undo.pop()
            if before:
                self.states[where] = before
            else:
                del self.states[where]
        self.break_connections()

    def empty(self) -> None:
        """Forget everything, as another Redis would."""
        self.stored.clear()
        self.states.clear()
        self._undo.clear()
        self.break_connections()

    def break_connections(self) -> None:
        """Every connection breaks; what it had not carried out yet is gone."""
        for connection in self.connections:
            connection.lose()
        self.connections.clear()

    def speak(self) -> None:
        """Carry out what came while it was silent."""
        self.silent = False
        for connection in self.connections:
            held, connection.held = connection.held, []
            for publish in held:
                publish()

    def break_after(self, batches: int, *, answered: bool) -> None:
        """Break the connections at the ``batches``-th publish from now, after it was stored."""
        self._break_after = (self._carried_out + batches, answered)

    # what the agent sees

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[Any]:
        if self.refusal is not None:
            raise self.refusal
        if not self.up:
            raise ConnectionLost("cannot reach the fake")
        connection = FakeConnection(self)
        self.connections.append(connection)
        try:
            yield connection
        finally:
            connection.lose()

    def append(self, batch: Batch, source: str, expected: bytes, state: bytes) -> Published:
        where = batch.key, source
        current = self.states.get(where, b"")
        if current == state:
            return Published("", 0)
        if self.full:
            raise ServerFull("the fake is full")
        if current != expected:
            raise StateMismatch(current)
        assert state and state != expected and batch.count > 0
        entry = f"{len(self.stored) + 1}-0"
        self.stored.append(decode(batch.key, entry, encode(batch)))
        self._undo.append((where, current))
        self.states[where] = state
        self._carried_out += 1
        return Published(entry, sum(one.count for one in self.stored))

    def breaks_now(self, *, answered: bool) -> bool:
        if self._break_after is None or self._carried_out < self._break_after[0]:
            return False
        if self._break_after[1] is not answered:
            return False
        self._break_after = None
        self.break_connections()
        return True


class FakeConnection:
    """One connection; its `FakeOutbox` carries out publishes one turn of the event loop later, in order."""

    partitions = 1

    def __init__(self, redis: FakeRedis) -> None:
        self.redis = redis
        self.lost = False
        self.waiting: list[asyncio.Future[Any]] = []
        self.held: list[Callable[[], None]] = []

    def lose(self) -> None:
        self.lost = True
        for future in self.waiting:
            if not future.done():
                future.set_exception(ConnectionLost("the fake broke the connection"))
                future.exception()
        self.waiting.clear()

    def link(self, tag: str) -> FakeConnection:
        return self

    async def call(self, *args: Any) -> Any:
        if self.lost:
            raise ConnectionLost("the fake broke the connection")
        self.redis.reports.append(args[-1])
        return 1

    call_even_full = call


class FakeOutbox:
    """`logyard.bus.publish.Outbox` over a `FakeRedis`."""

    def __init__(self, connection: FakeConnection) -> None:
        self._connection = connection
        self._redis = connection.redis

    async def states(self, sources: Sequence[tuple[str, str]]) -> list[bytes]:
        await asyncio.sleep(0)
        if self._connection.lost:
            raise ConnectionLost("the fake broke the connection")
        self._redis.asked += sources
        return [self._redis.states.get(source, b"") for source in sources]

    async def keep(self, sources: Sequence[tuple[str, str]]) -> None:
        await asyncio.sleep(0)

    def publish(self, batch: Batch, source: str, expected: bytes, state: bytes) -> asyncio.Future[Published]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Published] = loop.create_future()
        if self._connection.lost:
            future.set_exception(ConnectionLost("the fake broke the connection"))
            future.exception()
            return future
        self._connection.waiting.append(future)
        carry_out = partial(self._carry_out, future, batch, source, expected, state)
        if self._redis.silent:
            self._connection.held.append(carry_out)
        else:
            loop.call_soon(carry_out)
        return future

    def _carry_out(
        self, future: asyncio.Future[Published], batch: Batch, source: str, expected: bytes, state: bytes
    ) -> None:
        if self._connection.lost:
            return
        try:
            published = self._redis.append(batch, source, expected, state)
        except (StateMismatch, ServerError) as error:
            self._connection.waiting.remove(future)
            if not future.done():
                future.set_exception(error)
            return
        if self._redis.breaks_now(answered=False):
            return
        self._connection.waiting.remove(future)
        if not future.done():
            future.set_result(published)
        self._redis.breaks_now(answered=True)


class Running:
    """An agent that runs."""

    def __init__(self, task: asyncio.Task[None], stop: asyncio.Event) -> None:
        self.task = task
        self._stop = stop

    async def stop(self) -> None:
        """End it in good order; raises what it ended with."""
        self._stop.set()
        await self.task

    async def kill(self) -> None:
        """End it as SIGKILL would, as far as that can be had within a process: nothing more is sent or written."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


StartAgent = Callable[..., Running]


@pytest.fixture
def redis_fake() -> FakeRedis:
    return FakeRedis()


@pytest.fixture
async def start_agent(redis_fake: FakeRedis, tmp_path: Path) -> AsyncIterator[StartAgent]:
    """Starts agents that publish to the fake; takes patterns or rules, and `AgentOptions`."""
    started: list[Running] = []

    def start(*rules: str | Path | FileRule, **options: Any) -> Running:
        options = {"node": "node1", "start": "beginning", "data_dir": tmp_path / "agent-data", **options}
        made = tuple(rule if isinstance(rule, FileRule) else FileRule(str(rule)) for rule in rules)
        stop = asyncio.Event()
        task = asyncio.get_running_loop().create_task(
            run_agent(redis_fake.connect, AgentOptions(rules=made, **options), stop, make_outbox=FakeOutbox)  # type: ignore[arg-type]
        )
        started.append(Running(task, stop))
        return started[-1]

    yield start
    for running in started:
        if not running.task.done():
            await running.kill()


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A directory for log files."""
    directory = tmp_path / "logs"
    directory.mkdir()
    return directory


def write(path: Path, *lines: str | bytes) -> None:
    """Append lines, each with its newline, in one write."""
    with path.open("ab", buffering=0) as file:
        file.write(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))


async def arrived(redis: FakeRedis, *lines: str, key: str | None = None) -> None:
    """Wait until exactly these lines are stored, in this order."""
    wanted = [line.encode() for line in lines]

    def enough() -> bool:
        return len(redis.lines(key)) >= len(wanted)

    with contextlib.suppress(AssertionError):
        await eventually(enough, "the lines", timeout=15)
    assert redis.lines(key) == wanted
