"""What the agent tells about itself: counters, rates, and the sources it follows."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import logyard
from logyard.agent.reading import Skipped
from logyard.agent.source import Slot
from logyard.bus.nodes import NodeReport, SourceReport

__all__ = ["Counters", "Rates", "make_report"]

MAX_SOURCES = 1000


@dataclass(slots=True)
class Counters:
    """Totals since the start of the process; only what Redis has acknowledged counts as read.

    Attributes:
        records, bytes, batches: published; bytes of text without line ends.
        cut: records that were shortened to `logyard.batch.RECORD_LIMIT`.
        partial: records whose line had no end.
        gaps: truncations at which lines may have been lost.
        errors: files that could not be opened or read.
        skipped: bytes passed over.
    """

    records: int = 0
    bytes: int = 0
    batches: int = 0
    cut: int = 0
    partial: int = 0
    gaps: int = 0
    errors: int = 0
    skipped: Skipped = field(default_factory=Skipped)

    def told(self) -> dict[str, int]:
        """As they appear in a node's report."""
        return {
            "records": self.records,
            "bytes": self.bytes,
            "batches": self.batches,
            "cut": self.cut,
            "cut_bytes": self.skipped.cut,
            "partial": self.partial,
            "gaps": self.gaps,
            "nul_bytes": self.skipped.nul,
            "errors": self.errors,
        }


class Rates:
    """Records and bytes per second since the last time they were asked for."""

    def __init__(self, now: float) -> None:
        self._at = now
        self._records = self._bytes = 0

    def since_last(self, counters: Counters, now: float) -> dict[str, float]:
        seconds = max(now - self._at, 1e-3)
        records, size = counters.records - self._records, counters.bytes - self._bytes
        self._at, self._records, self._bytes = now, counters.records, counters.bytes
        return {"records": round(records / seconds, 3), "bytes": round(size / seconds, 3)}


def make_report(
    node: str,
    slots: Iterable[Slot],
    counters: Counters,
    rates: dict[str, float],
    *,
    state: str,
    started: float,
    time: float,
) -> NodeReport:
    """The heartbeat; ``started`` and ``time`` are seconds since 1970."""
    sources: list[SourceReport] = []
    count = 0
    for slot in slots:
        for source in slot.files:
            count += 1
            if len(sources) < MAX_SOURCES:
                labels, reader = slot.labels, source.reader
                sources.append(
                    SourceReport(
                        path=os.fsencode(source.path).decode("utf-8", "replace"),
                        key=labels.key,
                        offset=reader.offset,
                        size=max(reader.seen, reader.offset),
                        app=labels.app,
                        instance=labels.instance,
                        error=source.failed,
                    )
                )
    return NodeReport(
        node=node,
        version=logyard.__version__,
        pid=os.getpid(),
        started=started,
        time=time,
        state=state,
        counters=counters.told(),
        rates=rates,
        sources=tuple(sources),
        source_count=count,
    )
