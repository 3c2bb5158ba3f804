"""Putting batches into streams, exactly once: the source's state moves in the same step as its data."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from logyard.batch import Batch, encode
from logyard.errors import LogyardError, ServerFull
from logyard.server import Server, keys
from logyard.server.scripts import PUBLISH

__all__ = ["Outbox", "Published", "ServerFull", "StateMismatch"]

KEEP_STATE = 90 * 86400
"""Seconds that a source's state is kept after its last publish or `Outbox.keep`."""


class StateMismatch(LogyardError):
    """The stored state of a source is not the expected one.

    Attributes:
        current: what is stored, b"" for nothing.
    """

    def __init__(self, current: bytes) -> None:
        super().__init__(f"the stored state is {current!r}")
        self.current = current


@dataclass(frozen=True, slots=True)
class Published:
    """Where a batch went.

    Attributes:
        entry: id of its stream entry; "" when an earlier attempt had already stored it.
        total: records in the stream up to and including it; 0 as above.
    """

    entry: str
    total: int


class Outbox:
    """Publishes through one connected server. Not safe to use after that server is lost.

    Args:
        server: where to.
        compress: whether blocks are compressed (zstd, level 1) where that pays.
    """

    def __init__(self, server: Server, *, compress: bool = True) -> None:
        self._server = server
        self._compress = compress

    async def states(self, sources: Sequence[tuple[str, str]]) -> list[bytes]:
        """The stored state of each ``(key, source)``, b"" where none is stored.

        Raises:
            ConnectionLost, ServerError: as `Server.call`.
        """
        return [answer or b"" for answer in await self._each("GET", sources)]

    async def keep(self, sources: Sequence[tuple[str, str]]) -> None:
        """Keep the states of sources that are followed but quiet from expiring."""
        await self._each("EXPIRE", sources, KEEP_STATE)

    async def _each(self, command: str, sources: Sequence[tuple[str, str]], *args: int) -> list[Any]:
        answers: list[Any] = []
        for start in range(0, len(sources), 500):
            futures = []
            for key, source in sources[start : start + 500]:
                tag = keys.tag_of(key, self._server.partitions)
                futures.append(self._server.link(tag).call(command, keys.source_key(tag, source), *args))
            answers += await asyncio.gather(*futures)
        return answers

    def publish(self, batch: Batch, source: str, expected: bytes, state: bytes) -> asyncio.Future[Published]:
        """Append ``batch`` and store ``state`` in one step, if the stored state equals ``expected``.

        Several publishes may be in flight; those of one stream are carried out in the order of the calls, so the
        next batch of a source is sent with this one's ``state`` as its ``expected``.

        Args:
            batch: at least one record.
            source: name of the state, e.g. the source's identity without its generation.
            expected: b"" when no state is stored yet.
            state: not b"" and not equal to ``expected``.

        Returns:
            A future that resolves to `Published`, also when this very state was already stored (its answer had
            been lost: nothing is appended again), or fails with `StateMismatch`, `ServerFull`, `ConnectionLost`
            (whether it was stored is unknown: connect again and ask `states`) or `ServerError`.
        """
        key = batch.key
        tag = keys.tag_of(key, self._server.partitions)
        answer = self._server.link(tag).call(
            b"EVALSHA", PUBLISH.sha, b"4",
            keys.stream_key(tag, key), keys.source_key(tag, source), keys.meta_key(tag, key), keys.streams_key(tag),
            expected, state, KEEP_STATE, batch.count, len(batch.block), key, *encode(batch, compress=self._compress),
        )  # fmt: skip
        published: asyncio.Future[Published] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda done: _resolve(done, published))
        return published


def _resolve(answer: asyncio.Future[Any], published: asyncio.Future[Published]) -> None:
    if published.done():
        return
    if answer.cancelled():
        published.cancel()
        return
    error = answer.exception()
    if error is not None:
        published.set_exception(error)
        return
    verdict, text, total = answer.result()
    if verdict < 0:
        published.set_exception(StateMismatch(text))
    else:
        published.set_result(Published(text.decode(), total))
