"""Streams with known records, put there as an agent would."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from logyard.batch import Batch, join_records
from logyard.bus.publish import Outbox, Published
from logyard.server import Server

__all__ = ["SECOND", "START", "Publisher", "make_batch"]

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
"""When the records of tests were observed, unless they say otherwise."""


def make_batch(
    key: str,
    records: Sequence[bytes],
    *,
    time_ns: int = START,
    first: int = 0,
    app: str | None = None,
    instance: str | None = None,
    node: str = "node-1",
    origin: str = "00000000000000aa.0",
    total: int = 0,
    entry: str = "",
) -> Batch:
    block, separator = join_records(records)
    return Batch(
        key=key,
        node=node,
        source="stdout",
        time_ns=time_ns,
        count=len(records),
        origin=origin,
        first=first,
        last=first + len(block) + 1,
        block=block,
        separator=separator,
        app=app,
        instance=instance,
        total=total,
        entry=entry,
    )


class Publisher:
    """Appends records to streams; one source a stream and instance."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._offsets: dict[tuple[str, str | None], int] = defaultdict(int)

    async def publish(
        self,
        key: str,
        *records: bytes,
        at: int = START,
        instance: str | None = None,
        node: str = "node-1",
    ) -> Published:
        """One batch; ``at`` is when it was observed."""
        name = (key, instance)
        source = f"{key}/{instance}"
        first = self._offsets[name]
        batch = make_batch(
            key,
            records,
            time_ns=at,
            first=first,
            app=key.removeprefix("app.") if key.startswith("app.") else None,
            instance=instance,
            node=node,
            origin=f"{source}.0",
        )
        expected = b"%d" % first if first else b""
        self._offsets[name] = batch.last
        return await Outbox(self._server).publish(batch, source, expected, b"%d" % batch.last)
