"""What agents tell about their nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from logyard.server import Server, keys

__all__ = ["STALE_AFTER", "NodeReport", "SourceReport", "list_nodes", "report_node"]

STALE_AFTER = 10.0
"""Seconds without a report after which a node counts as away."""
FORGET_AFTER = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class SourceReport:
    """A followed source: where, into which stream, how far (bytes) and how large it is."""

    path: str
    key: str
    offset: int
    size: int
    app: str | None = None
    instance: str | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class NodeReport:
    """A node's heartbeat.

    Attributes:
        node, version, pid: who reports.
        started, time: seconds since 1970 (UTC).
        state: ``running``, ``waiting`` (Redis is away or full) or ``stopped``.
        counters: exact totals since the start, e.g. ``records``, ``bytes``, ``cut``, ``partial``, ``gaps``.
        rates: per second over the last report interval, ``records`` and ``bytes``.
        sources: the followed sources (at most 1,000 are told).
        source_count: how many there are.
    """

    node: str
    version: str
    pid: int
    started: float
    time: float
    state: str = "running"
    counters: Mapping[str, int] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    sources: tuple[SourceReport, ...] = ()
    source_count: int = 0

    def alive(self, now: float) -> bool:
        """Whether the node still reports."""
        return self.state != "stopped" and now - self.time < STALE_AFTER


async def report_node(server: Server, report: NodeReport) -> None:
    """Store the heartbeat in place of the node's last one.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    await server.link(keys.GLOBAL).call_even_full("HSET", keys.NODES, report.node, orjson.dumps(asdict(report)))


async def list_nodes(server: Server, now: float) -> list[NodeReport]:
    """The last report of each node, sorted by name; nodes silent for 30 days are forgotten.

    Args:
        now: seconds since 1970.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    answer = await server.call(keys.GLOBAL, "HGETALL", keys.NODES)
    reports = [_report(orjson.loads(text)) for text in answer[1::2]]
    for report in [one for one in reports if now - one.time > FORGET_AFTER]:
        await server.call(keys.GLOBAL, "HDEL", keys.NODES, report.node)
        reports.remove(report)
    return sorted(reports, key=lambda report: report.node)


def _report(told: dict[str, Any]) -> NodeReport:
    told["sources"] = tuple(SourceReport(**source) for source in told.get("sources", ()))
    return NodeReport(**told)
