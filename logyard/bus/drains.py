"""Drains as live objects in Redis: defined, paused, removed, and what is told about each."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson

from logyard.batch import Batch, Selection
from logyard.bus.catalogue import stream_keys
from logyard.bus.groups import Position, dict_of, join
from logyard.drain import DrainURI, mask_uri, secret_parts
from logyard.errors import UsageError
from logyard.names import key_matches
from logyard.secret import Mask, expand, resolutions
from logyard.server import Server, keys

__all__ = [
    "COUNTERS", "DrainSpec", "DrainStatus", "add_drain", "drain_status", "get_drain", "get_drains", "put_drain",
    "remove_drain", "set_paused",
]  # fmt: skip

COUNTERS = ("delivered", "filtered", "dead", "dead_lost", "dropped", "resent", "cut", "replayed")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class DrainSpec:
    """A drain's definition.

    Attributes:
        name: letters, digits, ``-_.``; unique in the deployment.
        uri: the destination, with its secrets.
        keys: globs of the streams it takes; empty for all.
        filter: which of their records, in the filter language (docs/filters.md); "" for all.
        params: parameters that were given beside the URI.
        start: where it began: ``now``, ``beginning`` or ms since 1970.
        paused: whether an op paused it.
        created: seconds since 1970.
        revision: grows with each change; a resume also counts, so that a failed drain tries again.
    """

    name: str
    uri: str
    keys: tuple[str, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    start: str = "now"
    paused: bool = False
    created: float = 0.0
    revision: int = 1
    filter: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"{self.name!r} cannot be a drain's name: use up to 64 letters, digits and -_.")

    @property
    def parsed(self) -> DrainURI:
        """The URI taken apart, with the parameters. Raises `UsageError`."""
        return DrainURI.parse(self.uri, self.params)

    def resolved(self) -> DrainURI:
        """As `parsed`, with references to secrets replaced by what they mean on this machine.

        Raises:
            UsageError: the address is wrong, or a secret is not to be had here.
        """
        params = {name: expand(text, address=False) for name, text in self.params.items()}
        return DrainURI.parse(expand(self.uri), params)

    @property
    def mask(self) -> Mask:
        """Hides what this machine knows of the drain's secrets in texts of others."""
        found = {secret for text in (self.uri, *self.params.values()) for secret in resolutions(text)}
        with contextlib.suppress(UsageError):
            uri = self.resolved()
            # Whoever keeps the name of a host in a variable wants to read it in messages all the same.
            found -= {uri.host, str(uri.port)}
            found.update(secret_parts(uri))
        return Mask(found)

    def passing(self) -> Callable[[Batch], Selection | None] | None:
        """What tells the records of a batch that pass the drain's filter; None where all do.

        Raises:
            FilterError: the filter is wrong.
        """
        if not self.filter:
            return None
        from logyard.filters import compile_filter

        return compile_filter(self.filter).select

    @property
    def shown(self) -> str:
        """The URI with its parameters, without secrets."""
        return mask_uri(self.uri, self.params)

    def selects(self, key: str) -> bool:
        """Whether the drain takes the stream ``key``."""
        return key_matches(key, self.keys)

    def same_target(self, other: DrainSpec) -> bool:
        """Whether a worker that runs ``other`` can go on unchanged."""
        # Removed and added again between two looks it is another drain, with positions of its own.
        return (self.uri, self.keys, self.filter, dict(self.params), self.paused, self.revision, self.created) == (
            other.uri, other.keys, other.filter, dict(other.params), other.paused, other.revision, other.created,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class DrainStatus:
    """A drain as the whole deployment sees it; numbers are records since it was added.

    Attributes:
        state: ``starting``, ``running``, ``retrying``, ``failed``, ``paused``, or ``unserved`` when no router works
            on it; with several partitions the worst of theirs.
        lag_records: published, not yet acknowledged.
        lag_seconds: age of the oldest of these.
        delivered, filtered, dead, dead_lost, dropped, resent, cut, replayed: see docs/drains.md.
        workers: number of router workers on it now.
    """

    name: str
    uri: str
    state: str
    lag_records: int
    lag_seconds: float
    delivered: int
    filtered: int
    dead: int
    dead_lost: int
    dropped: int
    resent: int
    cut: int
    replayed: int
    last_error: str
    workers: int


async def get_drains(server: Server) -> dict[str, DrainSpec]:
    """All definitions by name, sorted.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    stored = dict_of(await server.call(keys.GLOBAL, "HGETALL", keys.DRAINS))
    return {name.decode(): _spec(text) for name, text in sorted(stored.items())}


async def get_drain(server: Server, name: str) -> DrainSpec:
    """One definition.

    Raises:
        UsageError: there is no such drain; the text names near ones.
    """
    drains = await get_drains(server)
    if name not in drains:
        near = difflib.get_close_matches(name, drains, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there is: {', '.join(drains) or 'none yet'}"
        raise UsageError(f"there is no drain {name!r}; {hint}")
    return drains[name]


def _spec(text: bytes) -> DrainSpec:
    told = orjson.loads(text)
    return DrainSpec(**{**told, "keys": tuple(told["keys"])})


async def put_drain(server: Server, spec: DrainSpec) -> None:
    """Store a definition as it is."""
    await server.link(keys.GLOBAL).call_even_full("HSET", keys.DRAINS, spec.name, orjson.dumps(asdict(spec)))


async def add_drain(server: Server, spec: DrainSpec, *, replace_existing: bool = False) -> DrainSpec:
    """Define a drain and fix where it begins in each stream there is.

    A drain that exists keeps its position and counters when it is replaced.

    Args:
        replace_existing: change a drain of that name instead of refusing.

    Returns:
        The definition as stored.

    Raises:
        UsageError: the name is taken, or the address is wrong.
        ConnectionLost, ServerError: as `Server.call`.
    """
    if "${" not in spec.uri:  # what a reference stands for is known only where the drain runs
        _ = spec.parsed
    existing = (await get_drains(server)).get(spec.name)
    if existing is not None and not replace_existing:
        raise UsageError(
            f"there is a drain {spec.name!r} already ({existing.shown}); remove it first, or add it under another name"
        )
    if existing is not None:
        same = (existing.uri, existing.keys, existing.filter, dict(existing.params)) == (
            spec.uri, spec.keys, spec.filter, dict(spec.params),
        )  # fmt: skip
        if same:
            return existing
        spec = replace(spec, created=existing.created, start=existing.start, revision=existing.revision + 1)
    else:
        spec = replace(spec, created=spec.created or time.time())
    for key in await stream_keys(server):
        if spec.selects(key):
            await join(server, keys.tag_of(key, server.partitions), spec.name, key, spec.start)
    await put_drain(server, spec)
    return spec


async def set_paused(server: Server, name: str, paused: bool) -> DrainSpec:
    """Pause a drain, or resume it; resuming also makes a failed one try again.

    Raises:
        UsageError: there is no such drain.
    """
    spec = await get_drain(server, name)
    spec = replace(spec, paused=paused, revision=spec.revision + 1)
    await put_drain(server, spec)
    return spec


async def remove_drain(server: Server, name: str) -> DrainSpec:
    """Remove a drain with its groups, counters and dead letters. What it had not delivered is not delivered.

    Raises:
        UsageError: there is no such drain.
    """
    spec = await get_drain(server, name)
    await server.call(keys.GLOBAL, "HDEL", keys.DRAINS, name)
    await server.call(keys.GLOBAL, "DEL", keys.replay_key(name))
    for key in await stream_keys(server):
        tag = keys.tag_of(key, server.partitions)
        await server.call(tag, "XGROUP", "DESTROY", keys.stream_key(tag, key), keys.group_name(name))
    for tag in server.tags:
        await server.call(
            tag,
            "DEL",
            keys.lease_key(tag, name),
            keys.drain_key(tag, name),
            keys.status_key(tag, name),
            keys.dead_key(tag, name),
            keys.replayed_key(tag, name),
        )
    return spec


async def drain_status(server: Server, names: Sequence[str] = ()) -> list[DrainStatus]:
    """The state of the drains (all without ``names``).

    Raises:
        UsageError: there is no such drain.
        ConnectionLost, ServerError: as `Server.call`.
    """
    drains = await get_drains(server)
    for name in names:
        if name not in drains:
            await get_drain(server, name)
    streams = await stream_keys(server)
    return list(await asyncio.gather(*(_status(server, drains[name], streams) for name in names or drains)))


_STATES = ("running", "paused", "starting", "unserved", "retrying", "failed")


async def _status(server: Server, spec: DrainSpec, streams: Iterable[str]) -> DrainStatus:
    counters = dict.fromkeys(COUNTERS, 0)
    positions: dict[str, Position] = {}
    told: list[dict[str, Any]] = []
    for tag in server.tags:
        stored, status = await asyncio.gather(
            server.call(tag, "HGETALL", keys.drain_key(tag, spec.name)),
            server.call(tag, "GET", keys.status_key(tag, spec.name)),
        )
        for name, value in dict_of(stored).items():
            if name.startswith(b"at:"):
                positions[name[3:].decode()] = Position.parse(value)
            elif name.decode() in counters:
                counters[name.decode()] += int(value)
        told.append(orjson.loads(status) if status else {"state": "unserved", "workers": 0})
    lags = await asyncio.gather(
        *(_lag(server, key, positions.get(key, Position())) for key in streams if spec.selects(key))
    )
    oldest = min((first for _, first in lags if first), default=0)
    state = "paused" if spec.paused else max((part["state"] for part in told), key=_STATES.index)
    return DrainStatus(
        name=spec.name,
        uri=spec.shown,
        state=state,
        lag_records=sum(records for records, _ in lags),
        lag_seconds=round(max(0.0, time.time() - oldest / 1000), 3) if oldest else 0.0,
        last_error=next((part["last_error"] for part in told if part.get("last_error")), ""),
        workers=sum(part.get("workers", 1) for part in told),
        **counters,
    )


async def _lag(server: Server, key: str, position: Position) -> tuple[int, int]:
    """Records behind, and when the oldest of them was published (ms since 1970, 0 for none)."""
    tag = keys.tag_of(key, server.partitions)
    records = int(await server.call(tag, "HGET", keys.meta_key(tag, key), "records") or 0)
    if records <= position.total:
        return 0, 0
    entries = await server.call(tag, "XRANGE", keys.stream_key(tag, key), f"({position.entry}", "+", "COUNT", 1)
    return records - position.total, int(entries[0][0].split(b"-")[0]) if entries else 0
