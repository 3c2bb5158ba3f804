"""How long a line takes from the application's write to the syslog server, and what following it costs."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.lines import write_lines
from bench.ours import Logyard
from bench.programs import BenchError, Sink, build, wait_until
from bench.report import Figure, by_process, say, table
from bench.system import Job, System

__all__ = ["measure"]

RATES = (100, 20_000)
WARM_UP = 2.0
"""Seconds whose lines do not count."""


@dataclass(frozen=True, slots=True)
class Round:
    """One run.

    Attributes:
        p50, p90, p99, most: seconds from a line's write to its arrival.
        cpu: CPU seconds a second, by process.
        late: seconds by which the writer was behind its plan, at worst.
    """

    p50: float
    p90: float
    p99: float
    most: float
    cpu: dict[str, float]
    late: float

    @property
    def cores(self) -> float:
        return sum(self.cpu.values())


def run(system: System, rate: int, seconds: float, programs: tuple[Path, Path], sample: Path, folder: Path) -> Round:
    """One run of one system."""
    sink_program, writer = programs
    first, counted = round(rate * WARM_UP), round(rate * seconds)
    with tempfile.TemporaryDirectory(prefix="run-", dir=folder) as scratch:
        file = Path(scratch) / "live.log"
        file.touch()
        with (
            Sink(sink_program, first + counted, skip=first) as sink,
            system.prepare(Job(file, sink.port, Path(scratch))) as running,
        ):
            running.start()
            written = subprocess.Popen(
                [writer, sample, file, str(rate), str(first + counted)], stdout=subprocess.PIPE, text=True
            )
            time.sleep(WARM_UP)
            wait_until(lambda: file.stat().st_size > 0, "the first lines", running.programs)
            began, cpu = time.monotonic(), running.cpu()
            output, _ = written.communicate(timeout=seconds + 60)
            if written.returncode:
                raise BenchError("the writer failed")
            arrival = sink.wait(60, running.programs)
            passed = time.monotonic() - began
            spent = {name: (seconds_ - cpu.get(name, 0.0)) / passed for name, seconds_ in running.cpu().items()}
            running.finish()
            assert arrival.latency is not None
            return Round(*arrival.latency, cpu=spent, late=int(output.split()[1]) / 1e9)


def measure(peers: Sequence[System], rounds: int, seconds: float, folder: Path) -> tuple[dict[str, Any], list[Figure]]:
    """All systems in turn at each rate, ``rounds`` times; the raw figures, and those that have a target."""
    ours = Logyard("logyard")
    systems: list[System] = [*peers, ours]
    programs = build("sink", folder), build("writer", folder)
    sample = folder / "sample.log"
    write_lines(sample, 10_000)
    found: dict[int, dict[str, list[Round]]] = {}
    for rate in RATES:
        say(f"latency: {rate:,} lines/s for {seconds:g} s, {rounds} rounds")
        found[rate] = {system.name: [] for system in systems}
        for number in range(rounds):
            for system in systems if number % 2 == 0 else reversed(systems):
                one = run(system, rate, seconds, programs, sample, folder)
                found[rate][system.name].append(one)
                say(f"  {number + 1}/{rounds} {system.name}: p50 {one.p50 * 1e3:.2f} ms, p99 {one.p99 * 1e3:.2f} ms, "
                    f"{one.cores:.3f} cores")  # fmt: skip
        say()
    table(
        ("system", "lines/s", "p50 ms", "p90 ms", "p99 ms", "worst ms", "cores", "cores by process"),
        [_row(name, rate, of_one) for rate, by_system in found.items() for name, of_one in by_system.items()],
    )
    slow, fast = found[RATES[0]][ours.name], found[RATES[1]][ours.name]
    figures = [
        Figure(f"latency at {RATES[0]:,} lines/s, p50", _middle(slow, "p50") * 1e3, "ms", at_most=1.5),
        Figure(f"latency at {RATES[0]:,} lines/s, p99", _middle(slow, "p99") * 1e3, "ms", at_most=4.0),
        Figure(f"latency at {RATES[1]:,} lines/s, p99", _middle(fast, "p99") * 1e3, "ms", at_most=8.0),
        Figure(f"CPU at {RATES[1]:,} lines/s", _middle(fast, "cores"), "cores", at_most=0.25),
    ]
    return {
        str(rate): {name: [asdict(one) for one in rounds_] for name, rounds_ in by_system.items()}
        for rate, by_system in found.items()
    }, figures


def _row(name: str, rate: int, rounds: Sequence[Round]) -> tuple[str, ...]:
    parts = {part: median(one.cpu[part] for one in rounds) for part in rounds[0].cpu}
    return (
        name,
        f"{rate:,}",
        *(f"{_middle(rounds, part) * 1e3:.2f}" for part in ("p50", "p90", "p99", "most")),
        f"{_middle(rounds, 'cores'):.3f}",
        by_process(parts, ".3f"),
    )


def _middle(rounds: Sequence[Round], part: str) -> float:
    return float(median(getattr(one, part) for one in rounds))
