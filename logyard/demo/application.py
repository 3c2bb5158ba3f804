"""The demo's application: some instances in one process, each with a log file of its own that rotates.

Instances join over time, as an autoscaler would add them, and the platform's health manager logs that it does so.
``python -m logyard.demo.application`` takes a `Plan` as JSON on standard input, runs until it is over or SIGTERM
comes, and leaves what it wrote in ``counts.json``.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import orjson

from logyard.demo.lines import health_line, request_lines, start_line, stop_line

__all__ = ["COUNTS", "HEALTH", "NAME", "Application", "LogFile", "Plan"]

NAME = "web"
HEALTH = "health_manager"
COUNTS = "counts.json"
TICK = 0.02
HEALTH_EVERY = 1.0
KEPT = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to happen.

    Attributes:
        folder: where the logs go.
        instances: how many there will be.
        rate: requests a second, over all instances.
        duration: seconds; None until somebody ends it.
        join_every: seconds between two instances.
        rotate_every: seconds after which an instance's file is rotated.
        seed: of chance.
    """

    folder: str
    instances: int
    rate: float
    duration: float | None
    join_every: float
    rotate_every: float
    seed: int = 1


class LogFile:
    """A log that is rotated by renaming, as logrotate does it: ``web.0.log``, ``web.0.log.1``, ``web.0.log.2``, ..."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab")
        self.lines = 0

    def write(self, lines: list[bytes]) -> None:
        """Append lines at once."""
        self._file.write(b"".join(line + b"\n" for line in lines))
        self._file.flush()
        self.lines += len(lines)

    def rotate(self) -> None:
        """Begin a new file; the `KEPT` newest old ones stay."""
        self._file.close()
        for number in range(KEPT - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                self._numbered(number).rename(self._numbered(number + 1))
        self._path.rename(self._numbered(1))
        self._file = self._path.open("ab")

    def close(self) -> None:
        self._file.close()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class Application:
    """The instances. Time, in seconds since the beginning and in ns since 1970, is an argument."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._chance = Random(plan.seed)  # noqa: S311 - it is a demo
        self._folder = Path(plan.folder)
        self._health = LogFile(self._folder / f"{HEALTH}.log")
        self._instances: list[LogFile] = []
        self._requests = 0
        self._last_health = 0.0
        self._rotated: list[float] = []

    @property
    def counts(self) -> dict[str, int]:
        """Lines written, by file without ``.log``."""
        instances = {f"{NAME}.{number}": file.lines for number, file in enumerate(self._instances)}
        return {**instances, HEALTH: self._health.lines}

    def step(self, at: float, now_ns: int) -> None:
        """Write what is due ``at`` seconds after the beginning."""
        plan = self._plan
        while len(self._instances) < plan.instances and at >= len(self._instances) * plan.join_every:
            self._join(at, now_ns)
        load = 1 - 0.6 * len(self._instances) / plan.instances
        # What is due in one step at most: a process that was suspended does not catch up with everything at once.
        due = min(int(plan.rate * at) - self._requests, int(plan.rate) + 1)
        self._requests = int(plan.rate * at)
        lines: dict[int, list[bytes]] = {}
        for _ in range(due):
            instance = self._chance.randrange(len(self._instances))
            lines.setdefault(instance, []).extend(request_lines(self._chance, now_ns, instance, load))
        for instance, written in lines.items():
            self._instances[instance].write(written)
        if at - self._last_health >= HEALTH_EVERY:
            self._last_health = at
            self._tell(now_ns, "WARN" if load > 0.7 else "INFO", f"Current load: {100 * load:.1f}%")
        for instance, file in enumerate(self._instances):
            if at - self._rotated[instance] >= plan.rotate_every:
                file.rotate()
                self._rotated[instance] = at

    def finish(self, now_ns: int) -> None:
        """Write the last lines and close the files."""
        for number, file in enumerate(self._instances):
            file.write([stop_line(now_ns, number)])
            file.close()
        self._tell(now_ns, "INFO", f"Application {NAME} stopped")
        self._health.close()

    def _join(self, at: float, now_ns: int) -> None:
        number = len(self._instances)
        if number:
            self._tell(
                now_ns, "INFO", f'Requesting the start of missing instances: {{"app":"{NAME}","indices":[{number}]}}'
            )
        file = LogFile(self._folder / f"{NAME}.{number}.log")
        file.write([start_line(now_ns, number)])
        self._instances.append(file)
        self._rotated.append(at)

    def _tell(self, now_ns: int, level: str, text: str) -> None:
        self._health.write([health_line(now_ns, level, text)])


async def run(plan: Plan, stop: asyncio.Event) -> dict[str, int]:
    """Run the application until the plan is over or ``stop`` is set; what it wrote."""
    application = Application(plan)
    begun = time.monotonic()
    while not stop.is_set():
        at = time.monotonic() - begun
        if plan.duration is not None and at >= plan.duration:
            break
        application.step(at, time.time_ns())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK):
                await stop.wait()
    application.finish(time.time_ns())
    return application.counts


async def _main() -> None:
    plan = Plan(**orjson.loads(sys.stdin.buffer.read()))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    counts = await run(plan, stop)
    written = Path(plan.folder) / f"{COUNTS}.new"
    await asyncio.to_thread(written.write_bytes, orjson.dumps(counts))
    written.rename(Path(plan.folder) / COUNTS)


if __name__ == "__main__":
    asyncio.run(_main())
