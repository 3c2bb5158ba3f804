"""Trying a drain's address from here, before it is stored or because somebody asks."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from dataclasses import dataclass, replace

from logyard.batch import Batch, Selection
from logyard.bus.drains import DrainSpec
from logyard.drain import Context
from logyard.errors import NotConnected
from logyard.registry import configure
from logyard.secret import expand, placeheld, unresolved

__all__ = ["Trial", "check_address", "try_drain"]

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


def check_address(spec: DrainSpec) -> list[str]:
    """Check everything about a drain that can be checked without connecting.

    Returns:
        The secrets that only other machines have: why each of them cannot be found here.

    Raises:
        UsageError: the address or a parameter is wrong.
    """
    _ = spec.parsed
    missing = [problem for text in (spec.uri, *spec.params.values()) for problem in unresolved(text)]
    uri = placeheld(spec.uri)
    if uri is not None:
        params = {name: placeheld(text) or "x" for name, text in spec.params.items()}
        configure(replace(spec, uri=uri, params=params).parsed)
    return missing


async def try_drain(spec: DrainSpec, node: str, *, send: bool) -> Trial:
    """Connect to the destination, and with ``send`` hand it one marked record.

    Raises:
        UsageError: the address is wrong, or a secret is not to be found on this machine.
        DrainError: what the destination, or the way to it, answered.
    """
    params = {name: expand(text) for name, text in spec.params.items()}
    module, config = configure(replace(spec, uri=expand(spec.uri), params=params).parsed)
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
