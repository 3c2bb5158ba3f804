"""What following many files costs in which nothing happens."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from bench.lines import make_lines
from bench.ours import Logyard
from bench.programs import Sink, build, wait_until
from bench.report import Figure, say
from bench.system import Job

__all__ = ["measure"]

SETTLE = 3.0


def measure(files: int, seconds: float, folder: Path) -> tuple[dict[str, Any], list[Figure]]:
    """CPU of an agent that follows ``files`` quiet files for ``seconds``."""
    say(f"quiet: {files:,} files, {seconds:g} s")
    logs = folder / "quiet"
    logs.mkdir()
    for number, line in enumerate(make_lines(files)):
        (logs / f"{number:05d}.log").write_bytes(line)
    with (
        tempfile.TemporaryDirectory(prefix="run-", dir=folder) as scratch,
        Sink(build("sink", folder), files) as sink,
        Logyard("logyard").prepare(Job(logs / "*.log", sink.port, Path(scratch))) as running,
    ):
        running.start()
        arrival = sink.wait(60, running.programs)
        wait_until(lambda: running.records() == files, "every file to be read", running.programs)
        time.sleep(SETTLE)
        began, before = time.monotonic(), running.cpu()
        time.sleep(seconds)
        passed = time.monotonic() - began
        cpu = {name: (spent - before[name]) / passed for name, spent in running.cpu().items()}
        peak = running.agent.peak_rss()
    parts = ", ".join(f"{name} {cores * 100:.2f}%" for name, cores in cpu.items())
    say(f"  of a core: {parts}; the agent has {peak >> 20} MiB")
    say()
    return (
        {"files": files, "seconds": passed, "cores": cpu, "agent_peak_rss": peak,
         "bytes": arrival.bytes},
        [Figure(f"CPU of the agent with {files:,} quiet files", cpu["agent"] * 100, "% of a core", at_most=2.0)],
    )  # fmt: skip
