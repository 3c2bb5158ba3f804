"""Programs that a test starts: found dead or alive, stopped by process id, their output shown when the test fails."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

__all__ = ["Process", "Processes", "eventually", "free_port", "running", "wait_for"]

T = TypeVar("T")

_running: list[Process] = []

_FIRST_PORT = 10_000
_BLOCKS = 200
_BLOCK = 100
"""Ports that one process takes at a time, so that no other test, of this run or another, uses those it has had."""
_held: list[int] = []
_ports: list[int] = []


class Process:
    """A started program; its output goes to the file ``log``."""

    def __init__(
        self, name: str, command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None, cwd: Path | None
    ) -> None:
        self.name = name
        self.log = log
        self.command = [str(part) for part in command]
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                # Nothing may outlive the tests, not even when they are killed.
                [*(("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if env is None else {**os.environ, **env},
                cwd=cwd,
            )
        _running.append(self)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Of a process that has ended, negative for a signal; None while it runs."""
        return self._popen.poll()

    def send_signal(self, number: int) -> None:
        self._popen.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._popen.kill()
        self._popen.wait()

    def wait(self, timeout: float = 30.0) -> int:
        """Its exit code, once it has ended by itself."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {timeout:g} s\n{self.output()}") from None

    def stop(self, timeout: float = 20.0) -> int:
        """SIGTERM; its exit code. A process that does not end by then is killed and fails the test."""
        self._popen.terminate()
        try:
            return self.wait(timeout)
        except AssertionError:
            self.kill()
            raise

    def end(self) -> None:
        """Stop it whatever state it is in; for the end of a test."""
        if self.alive:
            self._popen.send_signal(signal.SIGCONT)
            self._popen.terminate()
            try:
                self._popen.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
        if self in _running:
            _running.remove(self)

    def output(self, last: int = 8000) -> str:
        """The end of what it has written; a test may have removed the folder of its log."""
        try:
            return self.log.read_bytes()[-last:].decode(errors="replace")
        except FileNotFoundError:
            return f"({self.log} is gone)"


class Processes:
    """Starts programs and stops all of them at the end, the last one first."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._started: list[Process] = []

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Process:
        """Start a program.

        Args:
            name: what to call it; its log is ``<name>.log``, one for all processes of that name.
            command: program and arguments.
            env: added to the environment.
            cwd: where it runs.
        """
        process = Process(name, command, self._directory / f"{name}.log", env, cwd)
        self._started.append(process)
        return process

    def end(self) -> None:
        for process in reversed(self._started):
            process.end()


def running() -> list[Process]:
    """All programs that tests of this process have started and not yet ended."""
    return list(_running)


def wait_for(
    condition: Callable[[], T], what: str, timeout: float = 60.0, shown: Callable[[], object] | None = None
) -> T:
    """The first true value of ``condition``.

    The test fails when there is none for ``timeout`` seconds; the message tells what ``shown`` answers then.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s for {what}; it is {shown() if shown else value!r}")
        time.sleep(0.005)


async def eventually(condition: Callable[[], T], what: str, timeout: float = 60.0) -> T:
    """`wait_for` for a test that shares its event loop with what it waits for."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s for {what}; it is {value!r}")
        await asyncio.sleep(0.005)


def free_port() -> int:
    """A TCP and UDP port of 127.0.0.1 that nobody uses, below those that outgoing connections take."""
    while True:
        if not _ports:
            _take_block()
        number = _ports.pop(0)
        try:
            with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
                tcp.bind(("127.0.0.1", number))
                udp.bind(("127.0.0.1", number))
        except OSError:
            continue
        return number


def _take_block() -> None:
    """Ports that are this process's own until it ends, also while nobody listens on them."""
    folder = Path(tempfile.gettempdir()) / f"logyard-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    first = os.getpid() * 7 % _BLOCKS
    for number in range(first, first + _BLOCKS):
        block = number % _BLOCKS
        lock = os.open(folder / str(block), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        _held.append(lock)
        _ports.extend(range(_FIRST_PORT + block * _BLOCK, _FIRST_PORT + (block + 1) * _BLOCK))
        return
    raise AssertionError(f"all ports from {_FIRST_PORT} on belong to other tests; see {folder}")
