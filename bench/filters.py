"""How many lines a second of CPU a filter looks at, beside ripgrep on the same bytes."""

from __future__ import annotations

import resource
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.lines import blocks, make_batch, make_lines, make_texts, write_lines
from bench.report import Figure, say, table
from logyard.batch import BLOCK_LIMIT
from logyard.filters import Filter, compile_filter

__all__ = ["measure"]

_DISTINCT = 40_000
"""Lines from which the blocks are made; they are looked at again and again, never twice as the same batch."""


@dataclass(frozen=True, slots=True)
class _Question:
    """A filter, and what ripgrep is asked for the same records (None: nothing says that)."""

    what: str
    filter: str
    ripgrep: str | None
    at_least: float | None = None
    text: bool = False
    """Of lines of text, not of JSON."""


def measure(rounds: int, lines: int, folder: Path) -> tuple[dict[str, Any], list[Figure]]:
    """Million lines a second of CPU, on one core, over blocks of 256 KiB that are decompressed already."""
    say(f"filters: {lines:,} lines in blocks of {BLOCK_LIMIT // 1024} KiB, {rounds} rounds, one core")
    distinct = list(make_lines(min(lines, _DISTINCT)))
    made = {False: blocks(distinct), True: blocks(list(make_texts(min(lines, _DISTINCT))))}
    files = {False: folder / "filters.json", True: folder / "filters.log"}
    for text, file in files.items():
        write_lines(file, lines, text=text)
    missing = shutil.which("rg") is None
    if missing:
        say("without ripgrep: there is no rg (Debian: apt-get install ripgrep)")
    found: dict[str, Any] = {}
    figures: list[Figure] = []
    rows: list[Sequence[str]] = []
    for question in _questions(distinct):
        chosen = compile_filter(question.filter)
        ours, passed = zip(*(_ours(chosen, made[question.text], lines) for _ in range(rounds)), strict=True)
        theirs = [] if missing or question.ripgrep is None else [
            _ripgrep(question.ripgrep, files[question.text], lines) for _ in range(rounds)
        ]  # fmt: skip
        rate = median(ours)
        found[question.filter] = {"lines/s": ours, "passed": passed[0], "ripgrep lines/s": theirs}
        beside = f"{median(theirs) / 1e6:.2f}" if theirs else "-"
        rows.append((question.what, question.filter, f"{passed[0]:,}", f"{rate / 1e6:.2f}", beside))
        figures.append(Figure(f"filter: {question.what}", rate / 1e6, "M lines/s", at_least=question.at_least))
    for file in files.values():
        file.unlink()
    table(("", "filter", "pass", "M lines/s", "ripgrep"), rows)
    return found, figures


def _questions(lines: Sequence[bytes]) -> Sequence[_Question]:
    start = lines[len(lines) // 2].index(b'"request_id":"') + 14
    rare = lines[len(lines) // 2][start : start + 8].decode()
    return (
        _Question("a rare word", rare, f"(?i){rare}", 3.0),
        _Question("a word in most lines", "get", "(?i)get"),
        _Question("application and level", "app:web level:>=warn", '"level":"(warn|error|fatal|critical)"', 0.8),
        _Question("level of text", "level:>=warn", r"^\S+ \S+ (WARN|ERROR|FATAL) ", text=True),
        _Question("a regex", r'~"orders/\d+99 answered 5\d\d"', r"orders/\d+99 answered 5\d\d", 2.0),
        _Question("a regex without literals", r'~"\d{5}ms"', r"\d{5}ms"),
        _Question("a regex to choke on", '~"(a+)+$"', "(a+)+$"),
        _Question("every line parsed: numbers", "status>=500 duration_ms>100ms", None, 0.4),
        _Question("every line parsed: a regex", 'path~"^/api/.*99$"', None, 0.4),
    )


def _ours(chosen: Filter, made: Sequence[tuple[bytes, int]], lines: int) -> tuple[float, int]:
    """Lines for a second of CPU, and how many passed."""
    left, passed, spent = lines, 0, 0.0
    while left > 0:
        batches = [make_batch(block, count) for block, count in made]  # new ones: a batch remembers its lines
        began = time.process_time()
        for batch in batches:
            found = chosen.select(batch)
            passed += 0 if found is None else found.count
        spent += time.process_time() - began
        left -= sum(count for _, count in made)
    return (lines - left) / spent, passed


def _ripgrep(pattern: str, file: Path, lines: int) -> float:
    before = _children()
    answer = subprocess.run(
        ["rg", "--threads", "1", "--count", "--", pattern, str(file)], stdout=subprocess.PIPE, check=False
    )
    assert answer.returncode in {0, 1}
    return lines / (_children() - before)


def _children() -> float:
    """Seconds of CPU of all programs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
