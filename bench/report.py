"""What is printed: tables, and measured figures beside their targets."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.system import System

__all__ = ["Figure", "by_process", "machine", "say", "table", "verdicts"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure, mostly with a target."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool:
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    @property
    def target(self) -> str:
        if self.at_least is None and self.at_most is None:
            return ""
        return f"at least {self.at_least:.3g}" if self.at_least is not None else f"at most {self.at_most:.3g}"


def say(text: str = "") -> None:
    """One line, at once also into a pipe."""
    print(text, flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns, the first one aligned left."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        say("  ".join(cells).rstrip())
    say()


def by_process(values: Mapping[str, float], form: str) -> str:
    """A table's cell with a value for each process."""
    return " ".join(f"{name} {value:{form}}" for name, value in values.items())


def verdicts(figures: Sequence[Figure]) -> None:
    """Each figure beside its target."""
    table(
        ("figure", "measured", "target", ""),
        [
            (
                figure.name,
                f"{figure.value:.3g} {figure.unit}",
                figure.target,
                ("met" if figure.met else "MISSED") if figure.target else "",
            )
            for figure in figures
        ],
    )


def machine(systems: Sequence[System]) -> dict[str, Any]:
    """Facts about where this runs; no names or paths of the machine."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "kernel": platform.release(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "systems": {system.name: system.version() for system in systems},
    }
