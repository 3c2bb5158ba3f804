"""A whole pipeline of real processes: agent, server and router, started as users start them and killed as they die."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from logyard.batch import decode
from tests.servers.processes import Process, Processes, wait_for
from tests.servers.redis import RedisServer

__all__ = ["LINE_BYTES", "STREAM", "Pipeline", "Tally", "make_lines", "numbers_in"]

T = TypeVar("T")

STREAM = "app.web"
LINE_BYTES = 277
_FIRST = 1_000_000_000
"""Added to a line's number so that all lines are of one length and each is valid JSON."""
_NUMBER = re.compile(rb'"seq":(\d{10})')
_HEAD = b'{"seq":%d,"time":"2026-03-14T09:26:53.589Z","level":"info","request_id":"%032x","msg":"'
_MIX = 0x9E3779B97F4A7C15F39CC0605CEDC835
_LINE = _HEAD + b"GET /api/orders answered 200".ljust(LINE_BYTES - len(_HEAD % (_FIRST, 0)) - 3, b".") + b'"}\n'


def make_lines(first: int, last: int) -> bytes:
    """The lines with the numbers from ``first`` up to ``last``, without it."""
    return b"".join([_LINE % (_FIRST + number, number * _MIX % (1 << 128)) for number in range(first, last)])


def numbers_in(block: bytes) -> list[int]:
    """The numbers of the lines in ``block``, in order."""
    return [int(number) - _FIRST for number in _NUMBER.findall(block)]


class Tally:
    """How often each line has come, and in which order.

    Attributes:
        order: the lines' numbers as they came.
        highest: the greatest of them, -1 before the first.
    """

    def __init__(self) -> None:
        self.order = array("i")
        self.highest = -1

    def add(self, numbers: Sequence[int]) -> None:
        self.order.extend(numbers)
        self.highest = max(self.highest, max(numbers, default=-1))

    def add_frames(self, frames: list[bytes]) -> None:
        """Lines that arrived as syslog frames."""
        numbers = numbers_in(b"\n".join(frames))
        assert len(numbers) == len(frames), "a frame does not hold exactly one line"
        self.add(numbers)

    def counts(self, lines: int) -> bytearray:
        seen = bytearray(lines)
        for number in self.order:
            seen[number] = min(seen[number] + 1, 255)
        return seen

    def missing(self, lines: int) -> list[int]:
        """The numbers below ``lines`` that never came."""
        return [number for number, times in enumerate(self.counts(lines)) if times == 0]

    def repeated(self, lines: int) -> list[range]:
        """The numbers that came more than once, as ranges."""
        found: list[range] = []
        for number, times in enumerate(self.counts(lines)):
            if times > 1:
                if found and found[-1].stop == number:
                    found[-1] = range(found[-1].start, number + 1)
                else:
                    found.append(range(number, number + 1))
        return found


class Pipeline:
    """Args:
    server: where everything meets; may be killed and started again.
    processes: starts agent and router and ends them with the test.
    folder: for data directories and settings.

    Attributes:
        url: of Redis, for what is started from now on.
    """

    def __init__(self, server: RedisServer, processes: Processes, folder: Path) -> None:
        self.server = server
        self.url = server.url
        self._processes = processes
        self._folder = folder
        self._program = Path(sys.executable).with_name("logyard")
        self.agent: Process | None = None
        self.router: Process | None = None

    def start_agent(self, *files: str) -> Process:
        """Follow ``files`` (KEY=PATH), from the beginning; again those of the last start when none are given."""
        if files:
            self._files = files
        self.agent = self._start("agent", "agent", *self._files, "--start", "beginning", "--node", "n1")
        return self.agent

    def start_router(self) -> Process:
        self.router = self._start("router", "router", "--node", "n1")
        return self.router

    def logyard(self, *args: str | Path) -> str:
        """Run a command to its end; its output."""
        done = subprocess.run(
            [self._program, *args, *self._place()], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"logyard {args} ended with {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def add_drain(self, name: str, uri: str, *options: str) -> None:
        self.logyard("drain", "add", name, uri, "--no-test", "--from", "beginning", *options)

    def status(self, name: str) -> dict[str, Any]:
        """What ``drain status`` tells of a drain."""
        (status,) = json.loads(self.logyard("drain", "status", name, "--json"))
        assert isinstance(status, dict)
        return status

    def published(self) -> int:
        """Records in the stream so far; 0 while there is none."""
        return int(self.server.call("HGET", f"logyard:{{p00}}:meta:{STREAM}", "records") or 0)

    def wait(self, condition: Callable[[], T], what: str, shown: Callable[[], object] | None = None) -> T:
        """As `wait_for`; fails at once when agent or router has ended by itself."""

        def holds() -> T:
            for process in (self.agent, self.router):
                # A test that ends one of them starts it again before it waits, or has asked for a code below zero.
                if process is not None and not process.alive and (process.exit_code or 0) > 0:
                    raise AssertionError(f"{process.name} ended with {process.exit_code}")
            return condition()

        return wait_for(holds, what, 120.0, shown)

    def wait_published(self, lines: int) -> None:
        """Returns when the stream holds ``lines`` records or more."""
        self.wait(lambda: self.published() >= lines, f"{lines} lines in the stream", self.published)

    def in_stream(self, stream: str = STREAM) -> Tally:
        """All lines that the stream holds."""
        tally = Tally()
        after = "-"
        while entries := self._entries(stream, after):
            for entry, fields in entries:
                batch = decode(stream, entry, fields)
                numbers = numbers_in(batch.block)
                assert len(numbers) == batch.count
                tally.add(numbers)
            after = f"({entries[-1][0].decode()}"
        return tally

    def _entries(self, stream: str, after: str) -> list[tuple[bytes, list[bytes]]]:
        key = f"logyard:{{p00}}:stream:{stream}"
        found = self.server.call("XRANGE", key, after, "+", "COUNT", 64)
        return [(entry, [part for pair in fields.items() for part in pair]) for entry, fields in found]

    def _start(self, name: str, *args: str) -> Process:
        return self._processes.start(name, [self._program, *args, *self._place()])

    def _place(self) -> tuple[str, ...]:
        return "--redis", self.url, "--data-dir", str(self._folder / "data")
