"""Sending records to an endpoint that answers; shared by all destinations over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

from logyard.batch import Selection
from logyard.drain import Limits, Receipt
from logyard.errors import DrainError, Permanent, Refused, TooLarge
from logyard_drains.http_answer import Answer
from logyard_drains.http_client import HttpClient
from logyard_drains.http_parts import Outcome, Part

__all__ = ["HttpDrain", "limits"]

REFUSED_IN_A_ROW = 100
"""Single records refused, none taken in between, after which the address is held to be wrong and not the records."""
_REQUESTS_PER_SEND = 100


def limits(client: HttpClient, max_bytes: int, max_records: int, linger: float, in_flight: int | None = None) -> Limits:
    """What a drain takes at once; ``in_flight``: sends at once, None for as many as requests."""
    endpoint = client.endpoint
    # Each request has a timeout of its own; records that need many of them have as much time.
    longest = endpoint.timeout * _REQUESTS_PER_SEND
    return Limits(max_bytes, max_records, linger, longest, endpoint.in_flight if in_flight is None else in_flight)


class HttpDrain:
    """An open endpoint.

    Args:
        client: open.
        encode: the requests' bodies for some selections, with their records in order, and how many of these had
            to be cut.
        limits: see `limits`.
        check: what is wrong with an answer whose code says success; None where the code is enough.
        at_once: how many of one send's requests are made at once; with more than one they overtake each other.
    """

    def __init__(
        self,
        client: HttpClient,
        encode: Callable[[Sequence[Selection]], tuple[list[Part], int]],
        limits: Limits,
        *,
        check: Callable[[Answer], DrainError | None] | None = None,
        at_once: int = 1,
    ) -> None:
        self.limits = limits
        self._client = client
        self._encode = encode
        self._check = check
        self._at_once = at_once
        self._refused = 0

    async def send(self, records: Sequence[Selection]) -> Receipt | None:
        """Make the requests that the records need; returns when the server has answered each with success.

        Raises:
            PartialFailure: some of the requests were answered so, or a record was refused for good.
            DrainError: as `HttpClient.send`; none of the records arrived, as far as the server told.
        """
        parts, cut = self._encode(records)
        outcome = Outcome()
        todo = _with_positions(parts)
        if self._at_once == 1 or len(parts) == 1:
            await self._work(todo, outcome)
        else:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._at_once, len(parts))):
                    group.create_task(self._work(todo, outcome))
        outcome.raise_failure()
        return Receipt(cut=cut) if cut else None

    async def _work(self, todo: Iterator[tuple[Part, range]], outcome: Outcome) -> None:
        """Send parts until there are none left; after a failure those that are left are only noted."""
        for part, positions in todo:
            if outcome.again:
                outcome.again.update(positions)
                continue
            try:
                await self._send(part)
            except DrainError as error:
                alone = part.count == 1 and isinstance(error, TooLarge | Refused)
                outcome.failed(positions, error, for_good=alone)
            else:
                outcome.delivered += part.count

    async def _send(self, part: Part) -> None:
        try:
            answer = await self._client.send(part.pieces)
        except Refused as error:
            if part.count == 1:
                self._refused += 1
            if self._refused > REFUSED_IN_A_ROW:
                raise Permanent(
                    f"{error}; it refused {REFUSED_IN_A_ROW} records one after the other: "
                    "check what the endpoint wants, format= first"
                ) from None
            raise
        if self._check is not None and (wrong := self._check(answer)):
            raise wrong
        self._refused = 0

    def confirmed(self) -> None:
        """Returning from `send` says so."""

    async def finish(self) -> None:
        """Every answer has been waited for."""


def _with_positions(parts: Sequence[Part]) -> Iterator[tuple[Part, range]]:
    at = 0
    for part in parts:
        yield part, range(at, at + part.count)
        at += part.count
