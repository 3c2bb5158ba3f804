"""Whatever happens to files, agent and Redis, in whatever order: every line arrives exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from logyard.agent.service import AgentOptions, FileRule, run_agent
from tests.agent.conftest import FakeOutbox, FakeRedis
from tests.servers.processes import eventually

TOKEN = re.compile(rb"<\d+>")

steps = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 40)),
    st.tuples(st.just("append"), st.integers(1, 3)),
    st.tuples(st.just("append"), st.sampled_from([2000, 30000])),
    st.tuples(st.just("part"), st.integers(1, 2)),
    st.tuples(st.just("rename"), st.just(0)),
    st.tuples(st.just("late"), st.integers(1, 3)),
    st.tuples(st.just("copytruncate"), st.just(0)),
    st.tuples(st.just("stop"), st.just(0)),
    st.tuples(st.just("kill"), st.just(0)),
    st.tuples(st.just("start"), st.just(0)),
    st.tuples(st.just("lose"), st.integers(1, 6)),
    st.tuples(st.just("break"), st.integers(1, 3)),
    st.tuples(st.just("away"), st.just(0)),
    st.tuples(st.just("back"), st.just(0)),
    st.tuples(st.just("full"), st.just(0)),
    st.tuples(st.just("wait"), st.integers(0, 20)),
    st.tuples(st.just("all"), st.just(0)),
)


class World:
    """A file with its rotated ones, a Redis, and an agent that may run."""

    def __init__(self, directory: Path, pattern: str, *, polling: bool) -> None:
        self.rule = FileRule(str(directory / pattern))
        self.polling = polling
        self.log = directory / "app.log"
        self.data = directory / "data"
        self.redis = FakeRedis()
        self.written = 0
        self.inside = False
        self._agent: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    def _token(self) -> bytes:
        self.written += 1
        return b"<%d>" % self.written

    def _write(self, path: Path, data: bytes) -> None:
        with path.open("ab", buffering=0) as file:
            file.write(data)

    async def append(self, count: int) -> None:
        self._write(self.log, b"".join(self._token() + b" filler" * (i % 5) + b"\n" for i in range(count)))
        self.inside = False

    async def part(self, count: int) -> None:
        self._write(self.log, b"".join(self._token() for _ in range(count)))
        self.inside = True

    def _shift(self) -> Path:
        """Make room for a new ``app.log.1``."""
        numbers = sorted(
            (int(path.name.rpartition(".")[2]) for path in self.log.parent.glob("app.log.*")), reverse=True
        )
        for number in numbers:
            self.log.with_name(f"app.log.{number}").rename(self.log.with_name(f"app.log.{number + 1}"))
        return self.log.with_name("app.log.1")

    async def rename(self, _: int) -> None:
        if self.log.exists():
            self.log.rename(self._shift())
            self.log.touch()
            self.inside = False

    async def late(self, count: int) -> None:
        rotated = self.log.with_name("app.log.1")
        if rotated.exists() and self.renamed:
            self._write(rotated, b"".join(self._token() + b"\n" for _ in range(count)))

    async def copytruncate(self, _: int) -> None:
        if not self.log.exists():
            return
        if self._agent is not None and self.redis.up:
            await self.all(0)
        if self.inside:
            await self.append(1)
            if self._agent is not None and self.redis.up:
                await self.all(0)
        shutil.copyfile(self.log, self._shift())
        with self.log.open("r+b") as file:
            file.truncate(0)

    async def stop(self, _: int) -> None:
        if self._agent is not None:
            self._stop.set()
            await self._agent
            self._agent = None

    async def kill(self, _: int) -> None:
        if self._agent is not None:
            self._agent.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._agent
            self._agent = None

    async def start(self, _: int) -> None:
        if self._agent is not None:
            return
        self._stop = asyncio.Event()
        options = AgentOptions(
            node="node1", rules=(self.rule,), start="beginning", data_dir=self.data, polling=self.polling, poll=0.005,
            rescan=0.2, partial_timeout=0.04, spacing=0.001, checkpoint_every=0.02, stop_within=2,
        )  # fmt: skip
        connect: Any = self.redis.connect
        outbox: Any = FakeOutbox
        self._agent = asyncio.get_running_loop().create_task(
            run_agent(connect, options, self._stop, make_outbox=outbox)
        )

    async def lose(self, count: int) -> None:
        self.redis.lose_newest(count)

    async def break_(self, count: int) -> None:
        self.redis.break_after(count, answered=False)

    async def away(self, _: int) -> None:
        self.redis.up = False
        self.redis.break_connections()

    async def back(self, _: int) -> None:
        self.redis.up = True

    async def full(self, _: int) -> None:
        self.redis.full = True
        asyncio.get_running_loop().call_later(0.02, setattr, self.redis, "full", False)

    async def wait(self, milliseconds: int) -> None:
        await asyncio.sleep(milliseconds / 1000)

    def alive(self) -> bool:
        assert self._agent is not None
        if self._agent.done():
            self._agent.result()
        return True

    def tokens(self) -> Counter[bytes]:
        return Counter(token for line in self.redis.lines() for token in TOKEN.findall(line))

    async def all(self, _: int) -> None:
        """Wait until everything has arrived."""
        if self._agent is None or not self.redis.up:
            return
        wanted = {b"<%d>" % number for number in range(1, self.written + 1)}

        def complete() -> bool:
            return self.alive() and self.tokens().keys() >= wanted

        try:
            await eventually(complete, "every line")
        except AssertionError:
            missing = sorted(wanted - self.tokens().keys())
            raise AssertionError(f"missing {missing} of {len(wanted)}; {self._agent}") from None

    @property
    def renamed(self) -> bool:
        """Whether the newest rotated file is a renamed one with whole lines: a writer may still have it open."""
        rotated = self.log.with_name("app.log.1")
        return self.last_rotation == "rename" and rotated.read_bytes().endswith(b"\n")

    last_rotation = ""


async def _play(play: list[tuple[str, int]], world: World) -> None:
    world.log.touch()
    await world.start(0)
    # What happens to a path before an agent has ever seen it is not the agent's business.
    await eventually(lambda: world.alive() and any(world.data.glob("*.json")), "the first checkpoint")
    for name, number in play:
        step: Callable[[int], Awaitable[None]] = getattr(world, {"break": "break_"}.get(name, name))
        await step(number)
        if name in {"rename", "copytruncate"}:
            world.last_rotation = name
    await world.start(0)
    await world.back(0)
    await world.append(1)
    await world.all(0)
    await world.stop(0)
    twice = {token: times for token, times in world.tokens().items() if times > 1}
    assert not twice, f"arrived more than once: {twice}"
    lines = world.redis.lines()
    assert len({batch.identity(offset) for batch in world.redis.stored for offset in batch.offsets()}) == len(lines)


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(play=st.lists(steps, max_size=14), pattern=st.sampled_from(["app.log", "app.log*"]), polling=st.booleans())
def test_every_line_arrives_exactly_once(play: list[tuple[str, int]], pattern: str, polling: bool) -> None:
    log = logging.getLogger("logyard.agent")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(_play(play, World(Path(directory), pattern, polling=polling)))
    finally:
        log.setLevel(before)
