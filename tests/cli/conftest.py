from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from logyard.server import Server, connect
from tests.servers.publishing import Publisher
from tests.servers.redis import RedisServer

COMMAND = (sys.executable, "-c", "from logyard_cli.entry import main; main()")
PATIENT = (sys.executable, "-c", "import logyard_cli.complete as c; c._PATIENCE = 60; " + COMMAND[-1])
"""The same; completion waits for its answer, however slow the machine is."""


_COLOURS = {"NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"}


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Neither the settings, the terminal nor the time zone of whoever runs the tests decide anything."""
    for name in list(os.environ):
        if name in _COLOURS or (name.startswith("LOGYARD_") and not name.startswith("LOGYARD_TEST")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
async def server(valkey: RedisServer) -> AsyncIterator[Server]:
    async with connect(valkey.url) as connected:
        yield connected


@pytest.fixture
def publisher(server: Server) -> Publisher:
    return Publisher(server)


@dataclass(frozen=True)
class Finished:
    """What a run of ``logyard`` gave."""

    code: int
    out: str
    err: str


Run = Callable[..., Finished]


@pytest.fixture
def logyard(valkey: RedisServer) -> Run:
    """Runs ``logyard`` as a process of its own against the test's Valkey until it ends."""

    def run(*args: str, stdin: bytes = b"", url: str | None = valkey.url, timeout: float = 60) -> Finished:
        done = subprocess.run(
            [*COMMAND, *args],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            env={**os.environ, **({"LOGYARD_REDIS_URL": url} if url else {})},
            check=False,
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def start_logyard(valkey: RedisServer) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts ``logyard`` as a process of its own; takes ``Popen``'s arguments; killed when the test ends."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*args: str, url: str = valkey.url, **options: object) -> subprocess.Popen[bytes]:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [*COMMAND, *args], env={**os.environ, "LOGYARD_REDIS_URL": url}, **pipes
        )  # type: ignore[call-overload]
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
