"""One batch to one destination: timeout, repetition, halving, dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from logyard.batch import Selection
from logyard.drain import Drain, Receipt
from logyard.errors import DrainError, NotConnected, PartialFailure, Refused, RetryLater, TooLarge
from logyard.router.backoff import Backoff
from logyard.router.dead import DeadLetters

__all__ = ["Outcome", "Sender", "select", "split"]


@dataclass(slots=True)
class Outcome:
    """What became of a batch: records refused for good, records shortened, the drain's own state."""

    dead: int = 0
    cut: int = 0
    cursor: str | None = None

    def add(self, receipt: Receipt | None) -> None:
        if receipt is not None:
            self.cut += receipt.cut
            self.cursor = receipt.cursor if receipt.cursor is not None else self.cursor


class Sender:
    """Sends through one open drain.

    Args:
        drain: open.
        dead: where refused records go.
        backoff: how long to wait between attempts.
        sleep: waits, and returns early when the worker stops.
        waiting: told why, each time an attempt is to be repeated.
        chance: random numbers in [0, 1).

    Attributes:
        sends: how many calls of `Drain.send` have succeeded.
    """

    def __init__(
        self,
        drain: Drain,
        dead: DeadLetters,
        backoff: Backoff,
        sleep: Callable[[float], Awaitable[None]],
        waiting: Callable[[DrainError], None],
        chance: Callable[[], float],
    ) -> None:
        self.sends = 0
        self._drain = drain
        self._dead = dead
        self._backoff = backoff
        self._sleep = sleep
        self._waiting = waiting
        self._chance = chance
        self._timeout = drain.limits.timeout
        # A destination that says "not now" is asked again by one of the sends in the air; the others wait for it.
        self._asking: int | None = None
        self._answered = asyncio.Event()

    async def send(self, records: Sequence[Selection]) -> Outcome:
        """Send until the destination, or the dead-letter stream, has every record.

        Raises:
            NotConnected, Permanent: the drain has to be left; what arrived is not known.
            ConnectionLost, ServerError: a dead letter could not be stored.
        """
        outcome = Outcome()
        try:
            await self._send(records, outcome)
        finally:
            self._let_go(outcome)
        return outcome

    async def _send(self, records: Sequence[Selection], outcome: Outcome) -> None:
        parts: list[Sequence[Selection]] = [records]
        attempt = 0
        while parts:
            part = parts[0]
            try:
                outcome.add(await self._once(part))
            except (TooLarge, Refused) as error:
                if sum(selection.count for selection in part) == 1:
                    outcome.dead += await self._dead.bury(part, {0: str(error)})
                    parts.pop(0)
                else:
                    parts[:1] = split(part)
                continue
            except PartialFailure as error:
                self.sends += 1
                outcome.dead += await self._dead.bury(part, error.refused)
                if not error.again:
                    parts.pop(0)
                    attempt = 0
                    self._let_go(outcome)
                    continue
                parts[0] = select(part, sorted(error.again))
                attempt += await self._pause(outcome, error, None, attempt)
                continue
            except RetryLater as error:
                attempt += await self._pause(outcome, error, error.delay, attempt)
                continue
            self.sends += 1
            parts.pop(0)
            attempt = 0
            self._let_go(outcome)

    async def _once(self, records: Sequence[Selection]) -> Receipt | None:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._drain.send(records)
        except TimeoutError:
            raise NotConnected(f"the destination took nothing for {self._timeout:g} s") from None

    async def _pause(self, who: Outcome, error: DrainError, delay: float | None, attempt: int) -> int:
        """Wait before the next attempt; 0 if another send made it and this one has only waited for that."""
        self._waiting(error)
        if self._asking not in {None, id(who)}:
            await self._answered.wait()
            return 0
        self._asking = id(who)
        self._answered.clear()
        before = asyncio.get_running_loop().time()
        wait = self._backoff.delay(attempt, self._chance()) if delay is None else delay
        await self._sleep(wait)
        if asyncio.get_running_loop().time() - before < wait * 0.9:
            raise NotConnected(f"stopped while waiting: {error}")
        return 1

    def _let_go(self, who: Outcome) -> None:
        if self._asking == id(who):
            self._asking = None
            self._answered.set()


def split(records: Sequence[Selection]) -> list[list[Selection]]:
    """The records in two halves, in order; at least two records are needed."""
    total = sum(selection.count for selection in records)
    return [_range(records, 0, total // 2), _range(records, total // 2, total)]


def _range(records: Sequence[Selection], start: int, stop: int) -> list[Selection]:
    part, at = [], 0
    for selection in records:
        low, high = max(start - at, 0), min(stop - at, selection.count)
        if low < high:
            part.append(selection if high - low == selection.count else selection.part(low, high))
        at += selection.count
    return part


def select(records: Sequence[Selection], positions: Sequence[int]) -> list[Selection]:
    """The records at ``positions`` (ascending, counted over all selections)."""
    part: list[Selection] = []
    at = taken = 0
    for selection in records:
        mine = []
        while taken < len(positions) and positions[taken] < at + selection.count:
            mine.append(positions[taken] - at)
            taken += 1
        if mine:
            of = selection.positions
            part.append(Selection(selection.batch, mine if of is None else [of[position] for position in mine]))
        at += selection.count
    return part
