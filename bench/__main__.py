"""Measures logyard beside its peers: python -m bench [WHAT] [--rounds N] [--json FILE]; --help names what there is."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.ours import Logyard
from bench.peers import Rsyslog, SyslogNg
from bench.programs import BenchError
from bench.report import Figure, machine, say, verdicts
from bench.system import System

PEERS: dict[str, type[Rsyslog | SyslogNg]] = {"rsyslog": Rsyslog, "syslog-ng": SyslogNg}


_WHAT = ("throughput", "http", "latency", "quiet", "filters", "formats")


def main() -> int:
    options = _options()
    peers: list[System] = []
    for name in options.peers:
        peer = PEERS[name]()
        if reason := peer.missing():
            say(f"without {name}: {reason}")
        else:
            peers.append(peer)
    facts = machine([*peers, Logyard("logyard")])
    say(", ".join(f"{name} {value}" for name, value in facts.items() if name != "systems"))
    say(", ".join(f"{name} {version}" for name, version in facts["systems"].items()))
    say()
    found: dict[str, Any] = {"machine": facts}
    figures: list[Figure] = []
    chosen = _WHAT if options.what == "all" else (options.what,)
    try:
        with tempfile.TemporaryDirectory(prefix="logyard-bench-", dir=options.dir) as folder:
            for what in chosen:
                found[what], new = _measure(what, peers, options, Path(folder))
                figures += new
    except BenchError as error:
        say(f"stopped: {error}")
        return 1
    verdicts(figures)
    if options.json is not None:
        found["figures"] = [
            {"name": one.name, "value": one.value, "unit": one.unit, "target": one.target, "met": one.met}
            for one in figures
        ]
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def _measure(what: str, peers: list[System], options: argparse.Namespace, folder: Path) -> tuple[Any, list[Figure]]:
    from bench import filters, formats, latency, over_http, quiet, throughput

    if what == "throughput":
        return throughput.measure(peers, options.rounds, options.lines, folder, text=options.text)
    if what == "http":
        return over_http.measure(options.rounds, options.lines, folder)
    if what == "latency":
        return latency.measure(peers, options.rounds, options.seconds, folder)
    if what == "filters":
        return filters.measure(options.rounds, options.lines, folder)
    if what == "formats":
        return formats.measure(options.rounds)
    return quiet.measure(options.files, options.seconds, folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition(":")[0])
    parser.add_argument("what", nargs="?", default="all", choices=(*_WHAT, "all"))
    parser.add_argument("--rounds", type=int, default=5, help="of each system, in turn (5)")
    parser.add_argument(
        "--lines", type=int, default=1_000_000, help="in a round of throughput, and of filters (1,000,000)"
    )
    parser.add_argument("--text", action="store_true", help="in throughput: lines of text instead of JSON")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a round of latency, and of quiet (10)")
    parser.add_argument("--files", type=int, default=1000, help="that are followed and quiet (1,000)")
    parser.add_argument(
        "--peers", type=lambda text: text.split(",") if text else [], default=["rsyslog"],
        help=f"to compare with, of {', '.join(PEERS)} (rsyslog); '' for none",
    )  # fmt: skip
    parser.add_argument("--dir", type=Path, help="for scratch files, on the disk to be measured")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    options = parser.parse_args()
    for name in options.peers:
        if name not in PEERS:
            parser.error(f"there is no peer {name!r}; choose from {', '.join(PEERS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
