"""How fast lines get from a file to a syslog server, and what that costs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.lines import write_lines
from bench.ours import Logyard
from bench.programs import Sink, build
from bench.report import Figure, by_process, say, table
from bench.system import Job, System

__all__ = ["HEAD", "Round", "measure", "row", "run"]

GIVE_UP = 300.0
MIB = 1 << 20
HEAD = (
    "system", "lines/s", "least-most", "first line s", "CPU s/M", "CPU by process", "peak MiB", "Redis B/line",
    "repeated",
)  # fmt: skip
EACH = "severity and time of each record"


@dataclass(frozen=True, slots=True)
class Round:
    """One run.

    Attributes:
        seconds: from the start of the process that reads the file to the last line at the sink.
        streaming: from the first byte at the sink to the last line.
        cpu: CPU seconds by process.
        peak_rss: bytes by process.
        stored: bytes of Redis memory for all lines, or None.
        repeated: lines that came more than once.
    """

    seconds: float
    streaming: float
    cpu: dict[str, float]
    peak_rss: dict[str, int]
    stored: int | None
    repeated: int

    @property
    def total_cpu(self) -> float:
        return sum(self.cpu.values())


def run(system: System, file: Path, lines: int, sink_program: Path, folder: Path, framing: str = "octet") -> Round:
    """One run of one system."""
    with (
        tempfile.TemporaryDirectory(prefix="run-", dir=folder) as scratch,
        Sink(sink_program, lines, framing=framing) as sink,
        system.prepare(Job(file, sink.port, Path(scratch))) as running,
    ):
        started = running.start()
        arrival = sink.wait(GIVE_UP, running.programs)
        used = running.finish()
        repeated = sink.end()
        return Round(
            seconds=arrival.last - started,
            streaming=arrival.last - arrival.first,
            cpu=used.cpu,
            peak_rss=used.peak_rss,
            stored=used.stored,
            repeated=repeated,
        )


def measure(
    peers: Sequence[System], rounds: int, lines: int, folder: Path, *, text: bool = False
) -> tuple[dict[str, Any], list[Figure]]:
    """All systems in turn, ``rounds`` times; the raw figures, and those that have a target."""
    # rsyslog's messages have one severity, the time of reading and no structured data.
    same_work = Logyard("logyard", "?severity=info&time=observed&sd=no")
    each_record = Logyard(f"logyard, {EACH}")
    systems: list[System] = [*peers, same_work, each_record]
    file = folder / "web.log"
    size = write_lines(file, lines, text=text)
    file.read_bytes()  # it comes from memory in every round
    sink_program = build("sink", folder)
    kind = "text" if text else "JSON"
    say(f"throughput: {lines:,} lines of {kind} of {size / lines:.0f} bytes, {rounds} rounds")
    results: dict[str, list[Round]] = {system.name: [] for system in systems}
    for number in range(rounds):
        # Whoever runs first meets a cooler machine: it is not always the same one.
        turn = number % len(systems)
        for system in (*systems[turn:], *systems[:turn]):
            found = run(system, file, lines, sink_program, folder)
            results[system.name].append(found)
            say(f"  {number + 1}/{rounds} {system.name}: {lines / found.seconds / 1e6:.2f}M lines/s, "
                f"{found.total_cpu * 1e6 / lines:.2f} CPU s/M")  # fmt: skip
            time.sleep(0.5)  # for the kernel to write back and close what the last one left
    file.unlink()
    say()
    table(
        HEAD,
        [row(name, found, lines) for name, found in results.items()],
    )
    figures = _figures(peers, same_work.name, each_record.name, results, lines)
    return {
        "lines": lines,
        "bytes_per_line": size / lines,
        "systems": {name: [asdict(one) for one in found] for name, found in results.items()},
    }, figures


def row(name: str, rounds: Sequence[Round], lines: int) -> tuple[str, ...]:
    """A system's line in the table."""
    rates = [lines / one.seconds / 1e6 for one in rounds]
    parts = {part: median(one.cpu[part] for one in rounds) * 1e6 / lines for part in rounds[0].cpu}
    peaks = {part: max(one.peak_rss[part] for one in rounds) / MIB for part in rounds[0].peak_rss}
    stored = [one.stored / lines for one in rounds if one.stored is not None]
    return (
        name,
        f"{median(rates):.2f}M",
        f"{min(rates):.2f}-{max(rates):.2f}M",
        f"{median(one.seconds - one.streaming for one in rounds):.2f}",
        f"{median(one.total_cpu for one in rounds) * 1e6 / lines:.2f}",
        by_process(parts, ".2f"),
        by_process(peaks, ".0f"),
        f"{median(stored):.0f}" if stored else "",
        str(max(one.repeated for one in rounds)),
    )


def _figures(
    peers: Sequence[System], same: str, each: str, results: dict[str, list[Round]], lines: int
) -> list[Figure]:
    ours, records = results[same], results[each]
    figures = []
    for peer in peers:
        theirs = results[peer.name]
        seconds, cpu = median(one.seconds for one in theirs), median(one.total_cpu for one in theirs)
        # The targets are ratios to rsyslog, the fastest of the peers.
        least, least_each, most = (3.5, 2.0, 1 / 3) if peer.name == "rsyslog" else (None, None, None)
        faster = seconds / median(one.seconds for one in ours)
        faster_each = seconds / median(one.seconds for one in records)
        cheaper = median(one.total_cpu for one in ours) / cpu
        figures += [
            Figure(f"lines/s against {peer.name}", faster, "x", at_least=least),
            Figure(f"lines/s against {peer.name}, {EACH}", faster_each, "x", at_least=least_each),
            Figure(f"CPU seconds against {peer.name}", cheaper, "x", at_most=most),
        ]
    stored = median(one.stored or 0 for one in ours) / lines
    figures.append(Figure("Redis memory", stored, "bytes/line", at_most=65))
    for part in ("agent", "router"):
        peak = max(one.peak_rss[part] for one in (*ours, *records)) / MIB
        figures.append(Figure(f"peak memory of the {part}", peak, "MiB", at_most=100))
    return figures
