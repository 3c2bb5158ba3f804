"""Programs that are measured: started, watched for what they use, stopped by process id."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["BenchError", "Program", "Sink", "build", "free_port", "wait_until"]

_TICKS = os.sysconf("SC_CLK_TCK")
_SOURCES = Path(__file__).parent


class BenchError(Exception):
    """A measurement could not be made; the text says why."""


_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As an installed program runs: its modules are compiled once, not at each start."""


class Program:
    """A running program.

    Args:
        name: what messages call it.
        command: program and arguments.
        log: gets its output.
        cwd: where it runs.
        env: added to the environment.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._log = log
        self._usage: float | None = None
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**_ENVIRONMENT, **(env or {})},
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def cpu(self) -> float:
        """CPU seconds so far, its ended children's too; in steps of the kernel's clock, mostly 10 ms."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(field) for field in fields[11:15]) / _TICKS

    def peak_rss(self) -> int:
        """The most memory it ever had, in bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise BenchError(f"the kernel does not tell the memory of {self.name}")

    def check(self) -> None:
        """Raises BenchError with the end of its output when it has ended."""
        if self._usage is None and self._popen.poll() is not None:
            self._usage = 0.0  # it was waited for, and nobody asks any more
            output = self._log.read_text(errors="replace")[-2000:]
            raise BenchError(f"{self.name} ended with {self._popen.returncode}:\n{output}")

    def stop(self) -> float:
        """SIGTERM; all CPU seconds it has used in its life."""
        if self._usage is None:
            self._popen.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 20
            while True:
                pid, status, used = os.wait4(self.pid, os.WNOHANG)
                if pid:
                    break
                if time.monotonic() > deadline:
                    self._popen.kill()
                time.sleep(0.01)
            self._popen.returncode = os.waitstatus_to_exitcode(status)
            self._usage = used.ru_utime + used.ru_stime
        return self._usage

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._popen.poll() is None:
            self.stop()


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the sink saw.

    Attributes:
        first, last: when the first byte and the last expected line came, seconds on the monotonic clock.
        bytes: up to then.
        latency: p50, p90, p99 and greatest, in seconds, where it was asked for.
    """

    first: float
    last: float
    bytes: int
    latency: tuple[float, float, float, float] | None = None


class Sink:
    """The destination, sink.c or http_sink.c, listening.

    Args:
        program: as compiled by `build`.
        lines: how many are expected.
        framing: its first argument: how lines are told apart.
        skip: measure the latency of those behind this many; None measures none.
    """

    def __init__(self, program: Path, lines: int, *, framing: str = "octet", skip: int | None = None) -> None:
        self.port = free_port()
        self._lines = lines
        self._skip = skip
        arguments = [framing, str(self.port), str(lines), *(() if skip is None else (str(skip),))]
        self._popen = subprocess.Popen(
            [str(program), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._text = b""
        if self._line(10, []) != ["listening"]:
            raise BenchError("the sink cannot listen")

    def wait(self, timeout: float, watched: Sequence[Program]) -> Arrival:
        """Returns when the last line has arrived.

        Raises:
            BenchError: it has not within ``timeout`` seconds, or one of the ``watched`` programs ended.
        """
        done = self._line(timeout, watched)
        first, last, _, size = (int(field) for field in done[1:5])
        latency = None
        if self._skip is not None:
            _, p50, p90, p99, most = (int(field) / 1e9 for field in self._line(10, watched)[1:6])
            latency = (p50, p90, p99, most)
        return Arrival(first / 1e9, last / 1e9, size, latency)

    def end(self) -> int:
        """Stop it; how many lines came beyond those that were expected."""
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        total = self._line(10, [])
        self._popen.wait()
        return int(total[1]) - self._lines

    def _line(self, timeout: float, watched: Sequence[Program]) -> list[str]:
        assert self._popen.stdout is not None
        deadline = time.monotonic() + timeout
        while b"\n" not in self._text:
            if select.select([self._popen.stdout], [], [], 0.1)[0]:
                part = self._popen.stdout.read(4096)
                if not part:
                    raise BenchError("the sink ended")
                self._text += part
                continue
            for program in watched:
                program.check()
            if time.monotonic() > deadline:
                raise BenchError(f"not all lines arrived within {timeout:.0f} s")
        line, _, self._text = self._text.partition(b"\n")
        return line.decode().split()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()


def build(name: str, folder: Path, *libraries: str) -> Path:
    """Compile one of the C programs of this folder.

    Args:
        libraries: what it is linked with: ``z``.

    Raises:
        BenchError: there is no compiler, or it fails.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise BenchError(
            "no C compiler: the sink is a C program so that it is never the bottleneck (apt-get install gcc)"
        )
    program = folder / name
    done = subprocess.run(
        [compiler, "-O2", "-o", program, _SOURCES / f"{name}.c", *(f"-l{library}" for library in libraries)],
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode:
        raise BenchError(f"{name}.c does not compile:\n{done.stderr}")
    return program


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], what: str, watched: Sequence[Program] = (), timeout: float = 30) -> None:
    """Returns when ``condition`` holds.

    Raises:
        BenchError: it does not within ``timeout`` seconds, or one of the ``watched`` programs ended.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        for program in watched:
            program.check()
        if time.monotonic() > deadline:
            raise BenchError(f"waited {timeout:.0f} s for {what}")
        time.sleep(0.01)
