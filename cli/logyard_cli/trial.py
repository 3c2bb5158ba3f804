"""Trying a drain's address from here, before it is stored or because somebody asks."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from dataclasses import dataclass

from logyard.batch import Batch, Selection
from logyard.bus.drains import DrainSpec
from logyard.definition import configured
from logyard.drain import Context
from logyard.errors import NotConnected

__all__ = ["Trial", "try_drain"]

PATIENCE = 10.0
"""Seconds that a destination has to take a connection, and again to take a record."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it.

    Attributes:
        seconds: from the first attempt to connect to the last answer.
        mark: text that is in the record that was sent, and nowhere else; "" when none was sent.
        confirmed: whether the destination said that it has the record; None when its protocol cannot say so.
    """

    seconds: float
    mark: str = ""
    confirmed: bool | None = None


async def try_drain(spec: DrainSpec, node: str, *, send: bool) -> Trial:
    """Connect to the destination, and with ``send`` hand it one marked record.

    Raises:
        UsageError: the address is wrong, or a secret is not to be found on this machine.
        DrainError: what the destination, or the way to it, answered.
    """
    module, config = configured(spec)
    started = time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(PATIENCE):
                drain = await stack.enter_async_context(module.open(config, Context(spec.name, node, testing=True)))
        except TimeoutError:
            raise NotConnected(f"no answer within {PATIENCE:g} s") from None
        if not send:
            return Trial(time.monotonic() - started)
        mark = secrets.token_hex(4)
        try:
            async with asyncio.timeout(PATIENCE):
                await drain.send([Selection(_record(spec.name, node, mark))])
                await drain.finish()
        except TimeoutError:
            raise NotConnected(f"connected, but the record was not taken within {PATIENCE:g} s") from None
        confirmed = drain.confirmed()
        return Trial(time.monotonic() - started, mark, None if confirmed is None else confirmed >= 1)


def _record(name: str, node: str, mark: str) -> Batch:
    text = f"INFO logyard: test of drain {name} from {node}, mark {mark}".encode()
    return Batch(
        key="sys.logyard",
        node=node,
        source="drain-test",
        time_ns=time.time_ns(),
        count=1,
        origin=f"{secrets.token_hex(8)}.0",
        first=0,
        last=len(text) + 1,
        block=text,
    )
