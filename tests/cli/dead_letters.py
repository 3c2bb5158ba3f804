"""Dead letters as a router leaves them."""

from __future__ import annotations

from collections.abc import Sequence

from logyard.batch import Batch, Selection
from logyard.router.dead import DeadLetters
from logyard.server import Server

__all__ = ["bury"]


async def bury(server: Server, drain: str, *letters: tuple[bytes, str], instance: str | None = "2") -> None:
    """A dead letter for each text and reason, at offsets 0, 1000, 2000, ... of one source."""
    dead = DeadLetters(server, "p00", drain)
    for number, (text, reason) in enumerate(letters):
        batch = Batch(
            key="app.web", node="node-1", source="stdout", time_ns=1_790_000_000_123_000_000, count=1,
            origin="00000000000000aa.0", first=number * 1000, last=number * 1000 + len(text) + 1, block=text,
            separator=b"\0", app="web", instance=instance, entry="1790000000000-0",
        )  # fmt: skip
        records: Sequence[Selection] = [Selection(batch)]
        await dead.bury(records, {0: reason})
