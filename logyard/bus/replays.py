"""Asking for records to be sent to a drain again, and what is told about it.

Only a router can do it: it has the drain's secrets and, for a file, the file. So a replay is a request in Redis that
the worker which holds the drain's lease carries out beside the live delivery (`logyard.router.replay`). The request
expires unless whoever asked keeps asking, so that a command that is killed leaves nothing running; how far it is
stands in each partition, so that another router can go on after the death of one.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

import orjson

from logyard.bus.groups import dict_of
from logyard.errors import UsageError
from logyard.server import Server, keys

__all__ = [
    "KEPT_MS", "OVER", "ReplayProgress", "ReplayRequest", "ask_for_replay", "end_replay", "keep_asking",
    "replay_progress", "replay_requests",
]  # fmt: skip

ASKED_MS = 10_000
"""How long a request lives unless it is renewed, ms."""
KEPT_MS = 7 * 24 * 3600 * 1000
"""How long a detached request, and what is told about any, is kept, ms."""
OVER = frozenset({"done", "failed", "cancelled"})
"""States in which nothing more is sent."""
_COUNTS = ("total", "looked", "sent", "refused", "filtered", "gone", "unreadable")


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What is to be sent again.

    Attributes:
        drain: its name.
        kind: ``records`` (what the streams still hold) or ``letters`` (what the destination refused).
        since_ms, until_ms: of records, when they were stored; None for no end.
        keys: globs of the streams to take of those that the drain takes; empty for all of them.
        filter: of records, in the filter language; "" for all.
        letters: names of dead letters; empty for all.
        match: a part of the reason that dead letters must have, in any case; "" for any.
        detached: nobody waits for it.
        id: of this request.
    """

    drain: str
    kind: str
    since_ms: int = 0
    until_ms: int | None = None
    keys: tuple[str, ...] = ()
    filter: str = ""
    letters: tuple[str, ...] = ()
    match: str = ""
    detached: bool = False
    id: str = field(default_factory=lambda: secrets.token_hex(8))


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """How far a replay is, over all partitions.

    Attributes:
        id: of the request.
        state: ``waiting`` (until all partitions have taken it up), ``running``, ``done``, ``cancelled`` or ``failed``.
        total: records, or dead letters, to look at.
        looked: how many of them are behind it, those that vanished included.
        sent: records that the destination has.
        refused: records that it refused; they are dead letters (again).
        filtered: records, or letters, that were not asked for.
        gone: records that were removed from the streams before they could be read.
        unreadable: batches that cannot be read.
        at_ms: everything that was stored up to then, ms since 1970, is behind it; None when nothing is.
        error: why it failed.
    """

    id: str
    state: str
    total: int = 0
    looked: int = 0
    sent: int = 0
    refused: int = 0
    filtered: int = 0
    gone: int = 0
    unreadable: int = 0
    at_ms: int | None = None
    error: str = ""


async def ask_for_replay(server: Server, request: ReplayRequest) -> None:
    """Ask; the request lives `ASKED_MS`, or `KEPT_MS` when it is detached.

    Raises:
        UsageError: another replay of this drain is under way.
        ConnectionLost, ServerError: as `Server.call`.
    """
    key = keys.replay_key(request.drain)
    stored = await server.call(keys.GLOBAL, "GET", key)
    if stored is not None:
        earlier = _request(stored)
        if (await replay_progress(server, request.drain, earlier.id)).state not in OVER:
            raise UsageError(
                f"a replay to drain {request.drain} is under way; wait for it, or end it with"
                f" logyard drain replay {request.drain} --cancel"
            )
        await end_replay(server, earlier)
    lifetime = KEPT_MS if request.detached else ASKED_MS
    if await server.call(keys.GLOBAL, "SET", key, orjson.dumps(asdict(request)), "NX", "PX", lifetime) is None:
        raise UsageError(f"somebody else has just begun a replay to drain {request.drain}; wait for it")


async def keep_asking(server: Server, request: ReplayRequest) -> bool:
    """Renew a request; whether it is still there.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    return bool(await server.call(keys.GLOBAL, "PEXPIRE", keys.replay_key(request.drain), ASKED_MS))


async def end_replay(server: Server, request: ReplayRequest) -> None:
    """Take a request back; what is on its way is finished, then its progress says so."""
    stored = await server.call(keys.GLOBAL, "GET", keys.replay_key(request.drain))
    if stored is not None and _request(stored).id == request.id:
        await server.call(keys.GLOBAL, "DEL", keys.replay_key(request.drain))


async def replay_requests(server: Server, drains: Iterable[str]) -> dict[str, ReplayRequest]:
    """The requests for these drains, by name.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    names = list(drains)
    if not names:
        return {}
    found = await server.call(keys.GLOBAL, "MGET", *map(keys.replay_key, names))
    return {name: _request(text) for name, text in zip(names, found, strict=True) if text is not None}


def _request(text: bytes) -> ReplayRequest:
    told = orjson.loads(text)
    return ReplayRequest(**{**told, "keys": tuple(told["keys"]), "letters": tuple(told["letters"])})


async def replay_progress(server: Server, drain: str, request: str = "") -> ReplayProgress:
    """How far the replay of that id is ("": whichever was the last); its id is "" when there was none.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    stored = await asyncio.gather(*(server.call(tag, "HGETALL", keys.replayed_key(tag, drain)) for tag in server.tags))
    parts = [{name.decode(): value.decode() for name, value in dict_of(flat).items()} for flat in stored]
    known = request or max((part.get("began", ""), part.get("id", "")) for part in parts)[1]
    parts = [part for part in parts if part.get("id") == known]
    if not parts:
        return ReplayProgress(request, "waiting")
    return ReplayProgress(
        id=known,
        state=_state(parts, len(stored)),
        at_ms=_reached(parts),
        error=next((part["error"] for part in parts if part.get("error")), ""),
        **{name: sum(int(part.get(name, 0)) for part in parts) for name in _COUNTS},
    )


def _state(parts: list[dict[str, str]], partitions: int) -> str:
    states = {part["state"] for part in parts}
    if len(parts) < partitions:
        return "running" if "running" in states else "waiting"
    if states <= OVER:
        return next((state for state in ("failed", "cancelled") if state in states), "done")
    return "running"


def _reached(parts: list[Mapping[str, str]] | list[dict[str, str]]) -> int | None:
    reached = [part.get("at", "") for part in parts if part["state"] != "done"]
    if not reached:
        reached = [part.get("at", "") for part in parts if part.get("at")]
    if not reached or not all(reached):
        return None
    return min(int(at.partition("-")[0]) for at in reached)
