"""The newest batches over several streams, for a look at what a filter would do."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from logyard.bus.read import read_back

if TYPE_CHECKING:
    from logyard.batch import Batch
    from logyard.server import Server

__all__ = ["newest_first"]

_PAGE = 8


async def newest_first(server: Server, streams: Sequence[str]) -> AsyncIterator[Batch]:
    """The batches of the streams, the last stored first; those that cannot be read are passed over.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    pages: dict[str, deque[Batch]] = {key: deque() for key in streams}
    edges = dict.fromkeys(streams, "")
    heads: list[tuple[tuple[int, int], str]] = []

    async def put(key: str) -> None:
        while not pages[key]:
            page = await read_back(server, key, before=edges[key], count=_PAGE)
            edges[key] = page.edge
            pages[key].extend(page.batches)
            if page.ended and not page.batches:
                return
            if not page.edge:
                return
        ms, _, serial = pages[key][0].entry.partition("-")
        heapq.heappush(heads, ((-int(ms), -int(serial)), key))

    for key in streams:
        await put(key)
    while heads:
        _, key = heapq.heappop(heads)
        yield pages[key].popleft()
        await put(key)
