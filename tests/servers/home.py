"""``logyard`` as a user runs it, in a home of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.processes import Process, Processes, wait_for


@dataclass(frozen=True)
class Finished:
    """What a command gave: exit code, standard output and standard error."""

    code: int
    out: str
    err: str


def children_of(pid: int) -> list[int]:
    """The process ids of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be looked at does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the latter when it ends while being read
        return False


def command_line(pid: int) -> str:
    """What a process was started as; nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class User:
    """Somebody with an empty home directory.

    Attributes:
        home: the directory; commands run in it.
        data: where ``logyard up`` keeps its data.
    """

    def __init__(self, home: Path, runtime: Path, processes: Processes) -> None:
        self.home = home
        self.data = home / "state/logyard"
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LOGYARD_")},
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_RUNTIME_DIR": str(runtime),
        }
        self._processes = processes
        self._ups = 0
        self._program = Path(sys.executable).with_name("logyard")

    def run(self, *args: str | Path) -> Finished:
        """Run ``logyard`` to its end."""
        done = subprocess.run(
            [self._program, *args], cwd=self.home, env=self.environ, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=120, check=False,
        )  # fmt: skip
        return Finished(done.returncode, done.stdout, done.stderr)

    def start(self, *args: str | Path, name: str = "logyard") -> Process:
        """Start ``logyard``."""
        command = ["env", "-i", *(f"{key}={value}" for key, value in self.environ.items()), self._program, *args]
        return self._processes.start(name, command, cwd=self.home)

    def up(self, *args: str | Path) -> Process:
        """Start ``logyard up`` and wait until it says what runs."""
        self._ups += 1
        process = self.start("up", *args, name=f"up-{self._ups}")
        wait_for(lambda: "Ctrl-C ends it" in process.output() or not process.alive, "what runs")
        assert process.alive, process.output()
        return process

    def lines(self, *streams: str) -> list[str]:
        """The texts that streams hold."""
        done = self.run("tail", *streams, "-n", "all", "--no-follow", "-o", "raw")
        return done.out.splitlines()


@pytest.fixture
def user(tmp_path: Path, processes: Processes) -> Iterator[User]:
    home = tmp_path / "home"
    home.mkdir()
    runtime = Path(tempfile.mkdtemp(prefix="ly-"))
    yield User(home, runtime, processes)
    processes.end()
    shutil.rmtree(runtime)
