"""How fast lines get from a file to an HTTP endpoint and to Elasticsearch, into a sink that only counts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from bench.lines import write_lines
from bench.ours import Logyard
from bench.peers import Rsyslog, RsyslogElasticsearch
from bench.programs import build
from bench.report import Figure, say, table
from bench.system import System
from bench.throughput import HEAD, Round, row, run

__all__ = ["measure"]

_LINES, _BULK, _OCTET = "lines", "bulk", "octet"
_OURS: tuple[tuple[str, str, Logyard], ...] = (
    (_LINES, "http, raw", Logyard("http, raw lines", "/?format=raw", "http")),
    (_LINES, "http, raw, gzip", Logyard("http, raw lines, gzip", "/?format=raw&compression=gzip", "http")),
    (_LINES, "http", Logyard("http, nested", "/?format=nested", "http")),
    (_LINES, "http, gzip", Logyard("http, nested, gzip", "/?format=nested&compression=gzip", "http")),
    (_BULK, "elasticsearch", Logyard("elasticsearch", "", "elasticsearch")),
    (_BULK, "elasticsearch, gzip", Logyard("elasticsearch, gzip", "?compression=gzip", "elasticsearch")),
)
_FLUENT_BIT = {"http": 1.03e6, "http, gzip": 0.22e6, "elasticsearch": 0.33e6, "elasticsearch, gzip": 0.17e6}
"""Lines a second of Fluent Bit 5, measured once on two cores; it is in no distribution, and not run here."""
_YARDSTICK = 0.35e6
"""Lines a second of rsyslog over TCP on that machine, in the configuration that runs here too: what tells how much of a
difference is the machine's."""
_LEAST = {"http": 1.3, "http, gzip": 4.0, "elasticsearch": 2.0, "elasticsearch, gzip": 4.0}


def measure(rounds: int, lines: int, folder: Path) -> tuple[dict[str, Any], list[Figure]]:
    """All systems in turn, ``rounds`` times; the raw figures, and those that have a target."""
    peer, yardstick = RsyslogElasticsearch(), Rsyslog()
    systems: list[tuple[str, str, System]] = []
    candidates: list[tuple[str, str, System]] = [*_OURS, (_BULK, peer.name, peer), (_OCTET, yardstick.name, yardstick)]
    for framing, label, system in candidates:
        if reason := system.missing():
            say(f"without {system.name}: {reason}")
        else:
            systems.append((framing, label, system))
    file = folder / "web.log"
    size = write_lines(file, lines)
    file.read_bytes()  # it comes from memory in every round
    http_sink, syslog_sink = build("http_sink", folder, "z"), build("sink", folder)
    say(f"http: {lines:,} lines of {size / lines:.0f} bytes, {rounds} rounds")
    results: dict[str, list[Round]] = {label: [] for _, label, _ in systems}
    for number in range(rounds):
        turn = number % len(systems)
        for framing, label, system in (*systems[turn:], *systems[:turn]):
            found = run(system, file, lines, syslog_sink if framing == _OCTET else http_sink, folder, framing)
            results[label].append(found)
            say(f"  {number + 1}/{rounds} {system.name}: {lines / found.seconds / 1e6:.2f}M lines/s, "
                f"{found.total_cpu * 1e6 / lines:.2f} CPU s/M")  # fmt: skip
            time.sleep(0.5)  # for the kernel to write back and close what the last one left
    file.unlink()
    say()
    table(HEAD, [row(system.name, results[label], lines) for _, label, system in systems])
    return {
        "lines": lines,
        "bytes_per_line": size / lines,
        "systems": {label: [asdict(one) for one in found] for label, found in results.items()},
    }, _figures(results, lines, peer.name, yardstick.name)


def _figures(results: dict[str, list[Round]], lines: int, peer: str, yardstick: str) -> list[Figure]:
    figures = []
    pace = lines / _seconds(results[yardstick]) / _YARDSTICK if yardstick in results else None
    if pace is not None:
        figures.append(Figure("rsyslog over TCP: lines/s against where Fluent Bit was measured", pace, "x"))
    for label, found in results.items():
        rate = lines / median(one.seconds for one in found)
        if label in _FLUENT_BIT:
            ratio = rate / _FLUENT_BIT[label]
            least = _LEAST[label]
            figures.append(Figure(f"{label}: lines/s against Fluent Bit's figure", ratio, "x", at_least=least))
            if pace is not None:
                scaled = Figure(f"{label}: the same at the pace of this machine", ratio / pace, "x", at_least=least)
                figures.append(scaled)
        if label.startswith("elasticsearch") and peer in results:
            figures.append(Figure(f"{label}: lines/s against {peer}", rate * _seconds(results[peer]) / lines, "x"))
    return figures


def _seconds(rounds: Sequence[Round]) -> float:
    return median(one.seconds for one in rounds)
