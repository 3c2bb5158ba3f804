"""What is compared: systems that carry lines from a file to a syslog server over TCP, octet-counted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.programs import Program

__all__ = ["Job", "System", "Used"]


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a system.

    Attributes:
        file: what it follows, from its beginning.
        port: of the sink on 127.0.0.1.
        folder: empty, for its configuration and state.
    """

    file: Path
    port: int
    folder: Path


@dataclass(slots=True)
class Used:
    """What a run has cost.

    Attributes:
        cpu: CPU seconds by process.
        peak_rss: the most bytes of memory by process.
        stored: bytes of Redis memory that the lines took; None for systems without Redis.
    """

    cpu: dict[str, float] = field(default_factory=dict)
    peak_rss: dict[str, int] = field(default_factory=dict)
    stored: int | None = None

    @property
    def total_cpu(self) -> float:
        return sum(self.cpu.values())


class Running(Protocol):
    """A system that is ready but does not read the file yet."""

    @property
    def programs(self) -> Sequence[Program]:
        """What runs just now."""

    def start(self) -> float:
        """Start what reads the file; the moment before, in seconds on the monotonic clock."""

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, by process."""

    def finish(self) -> Used:
        """Stop what reads the file, when all lines have arrived, and say what it has cost since `start`."""


class System(Protocol):
    """Attributes:
    name: as the tables call it.
    """

    name: str

    def missing(self) -> str | None:
        """Why it cannot run here, None when it can."""

    def version(self) -> str: ...

    def prepare(self, job: Job) -> AbstractContextManager[Running]:
        """Everything that runs before the file is read; stopped when the context is left."""
