"""A terminal that cannot keep up is shown the present; what it was not shown is counted, to the record."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from logyard.batch import Batch
from logyard.bus.read import Positions
from logyard.server import Server, connect
from logyard_cli.output import Output
from logyard_cli.tail import TailOptions, TailSummary, run_tail
from tests.servers.processes import eventually
from tests.servers.publishing import Publisher
from tests.servers.redis import RedisServer

LINES = 1000
"""Records of a batch."""


class SlowTerminal:
    """A tail on a terminal that shows nothing until it is told to."""

    def __init__(self, url: str, options: TailOptions) -> None:
        self._url = url
        self._options = options
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.stop = asyncio.Event()
        self.notices: list[str] = []
        self.screen = b""
        self.task: asyncio.Task[TailSummary] | None = None

    async def start(self) -> None:
        self.task = asyncio.create_task(
            run_tail(
                lambda: connect(self._url), self._options, self.stop,
                output=Output(self._slave), notice=self.notices.append,
            )
        )  # fmt: skip
        await eventually(lambda: self.notices, "it to look")

    async def show(self, *until: bytes) -> None:
        """Show what comes until all of these have come."""
        os.set_blocking(self._master, False)
        loop = asyncio.get_running_loop()
        missing = set(until)
        while missing:
            readable = loop.create_future()
            loop.add_reader(self._master, readable.set_result, None)
            try:
                await asyncio.wait_for(readable, 30)
            finally:
                loop.remove_reader(self._master)
            self.screen += os.read(self._master, 65536)
            missing -= {text for text in missing if text in self.screen}

    async def end(self) -> TailSummary:
        assert self.task is not None
        self.stop.set()
        return await asyncio.wait_for(self.task, 30)

    def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
        for end in (self._master, self._slave):
            os.close(end)


@asynccontextmanager
async def slow_terminal(url: str, options: TailOptions) -> AsyncIterator[SlowTerminal]:
    terminal = SlowTerminal(url, options)
    await terminal.start()
    try:
        yield terminal
    finally:
        with suppress(OSError):
            terminal.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logyard_cli.tail.PATIENCE", 0.0)
    monkeypatch.setattr("logyard_cli.tail.BEHIND", 5 * LINES)


@pytest.fixture
def advanced(monkeypatch: pytest.MonkeyPatch) -> list[Batch]:
    """The batches that were taken out of what was read."""
    seen: list[Batch] = []
    advance = Positions.advance

    def noting(self: Positions, batch: Batch) -> object:
        seen.append(batch)
        return advance(self, batch)

    monkeypatch.setattr(Positions, "advance", noting)
    return seen


async def flood(publisher: Publisher, batches: int) -> None:
    for number in range(batches):
        await publisher.publish(f"app.s{number % 2}", *[os.urandom(30).hex().encode()] * LINES)


@pytest.mark.parametrize("output", ["raw", "pretty"])
async def test_it_skips_to_the_present_and_says_how_many(
    valkey: RedisServer, publisher: Publisher, server: Server, advanced: list[Batch], output: str
) -> None:
    async with slow_terminal(valkey.url, TailOptions(last=0, output=output)) as terminal:
        await publisher.publish("app.s0", b"first")
        await publisher.publish("app.s1", b"first")
        await eventually(lambda: len(advanced) == 2, "the beginning")
        await flood(publisher, 100)
        assert len(advanced) < 80  # nobody holds what the terminal does not take
        await publisher.publish("app.s0", b"the end of s0")
        await publisher.publish("app.s1", b"the end of s1")
        await terminal.show(b"the end of s0\n", b"the end of s1\n")
        summary = await terminal.end()
    shown = terminal.screen.count(b"\n")
    told = [
        int(found[1].replace(",", "")) for said in terminal.notices if (found := re.match(r"skipped ([\d,]+)", said))
    ]
    assert told and sum(told) == summary.dropped > 0
    assert shown == summary.lines
    assert shown + summary.dropped == 100 * LINES + 4
    assert f"{summary.dropped:,} dropped" in summary.text()


async def test_what_a_terminal_can_catch_up_with_is_shown(valkey: RedisServer, publisher: Publisher) -> None:
    async with slow_terminal(valkey.url, TailOptions(last=0, output="raw")) as terminal:
        await flood(publisher, 4)
        await publisher.publish("app.s0", b"the end of s0")
        await publisher.publish("app.s1", b"the end of s1")
        await terminal.show(b"the end of s0\n", b"the end of s1\n")
        summary = await terminal.end()
    assert (summary.lines, summary.dropped) == (4 * LINES + 2, 0)
    assert terminal.notices == ["no streams yet; waiting for the first records"]
