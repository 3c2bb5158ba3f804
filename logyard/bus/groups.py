"""Reading streams as a drain's consumer group, and acknowledging what its destination has.

A group exists on every stream that the drain selects. Its position is kept twice: by Redis (what has been read, what
is pending), and as ``at:<key>`` in the drain's hash: how many records of the stream, counted from its first ever, the
destination has, and the entry they end with. The second gives lag and loss in records, which Redis cannot tell.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from logyard.batch import Batch, decode
from logyard.errors import ServerError, WireError
from logyard.server import Connection, Server, keys
from logyard.server.scripts import ACKNOWLEDGE, JOIN

__all__ = ["Acknowledgement", "Decoder", "Group", "Position", "dict_of", "join"]


@dataclass(frozen=True, slots=True)
class Position:
    """How far a drain is in a stream: records counted from the stream's first, and the entry they end with."""

    total: int = 0
    entry: str = "0-0"

    @classmethod
    def parse(cls, text: bytes | None) -> Position:
        total, _, entry = (text or b"0 0-0").decode().partition(" ")
        return cls(int(total), entry)

    def __str__(self) -> str:
        return f"{self.total} {self.entry}"


async def join(server: Server, tag: str, drain: str, key: str, start: str) -> bool:
    """Create the drain's group on a stream, unless it is there.

    Args:
        start: ``beginning``, ``now`` (behind what is stored), or ms since 1970 as text.

    Returns:
        Whether it was created.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    link = server.link(tag)
    stream = keys.stream_key(tag, key)
    if start == "now":
        last = await link.call("XREVRANGE", stream, "+", "-", "COUNT", 1)
        position = Position(_number(dict_of(last[0][1]), b"total"), last[0][0].decode()) if last else Position()
    else:
        # Entries from here on are delivered; the records before them count as behind the drain.
        after = "-" if start == "beginning" else f"{int(start)}-0"
        first = await link.call("XRANGE", stream, after, "+", "COUNT", 1)
        if first:
            fields = dict_of(first[0][1])
            position = Position(
                max(0, _number(fields, b"total") - _number(fields, b"count")), _before(first[0][0].decode())
            )
        else:
            records = await link.call("HGET", keys.meta_key(tag, key), "records")
            position = Position(int(records or 0), "0-0" if start == "beginning" else _before(f"{int(start)}-0"))
    try:
        await link.call("EVALSHA", JOIN.sha, 1, stream, keys.group_name(drain), position.entry)
    except ServerError as error:
        if "BUSYGROUP" in str(error):
            return False
        raise
    await link.call_even_full("HSET", keys.drain_key(tag, drain), f"at:{key}", str(position))
    return True


def dict_of(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """A flat list of names and values as a dict."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _number(fields: Mapping[bytes, bytes], name: bytes) -> int:
    """0 in an entry that no version of this program wrote."""
    text = fields.get(name, b"")
    return int(text) if text.isdigit() else 0


def _before(entry: str) -> str:
    """The greatest id below ``entry``."""
    ms, _, serial = entry.partition("-")
    if int(serial):
        return f"{ms}-{int(serial) - 1}"
    return f"{int(ms) - 1}-18446744073709551615" if int(ms) else "0-0"


@dataclass(slots=True)
class Acknowledgement:
    """What one acknowledgement tells Redis.

    Attributes:
        entries: key to the ids to acknowledge, in order.
        positions: key to the new position.
        counters: name to amount to add: ``delivered``, ``filtered``, ``dead``, ``dropped``, ``resent``, ``cut``.
        cursor: the drain's own state, None for unchanged.
    """

    entries: dict[str, list[str]] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    cursor: str | None = None

    def add(self, batch: Batch) -> None:
        """Add an entry; entries of one stream are added in their order."""
        self.entries.setdefault(batch.key, []).append(batch.entry)
        self.positions[batch.key] = Position(batch.total, batch.entry)

    def merge(self, later: Acknowledgement) -> None:
        """Add what ``later`` acknowledges."""
        for key, entries in later.entries.items():
            self.entries.setdefault(key, []).extend(entries)
        self.positions.update(later.positions)
        for counter, amount in later.counters.items():
            self.count(counter, amount)
        if later.cursor is not None:
            self.cursor = later.cursor

    def count(self, counter: str, amount: int) -> None:
        if amount:
            self.counters[counter] = self.counters.get(counter, 0) + amount


class Group:
    """One drain's consumer group in one partition, as the worker that holds its lease sees it.

    Args:
        server: a connected server.
        tag: the partition's hash tag.
        drain: the drain's name.
        owner: the holder of the lease; acknowledgements are refused once somebody else holds it.
    """

    def __init__(self, server: Server, tag: str, drain: str, owner: str) -> None:
        self._link = server.link(tag)
        self._tag = tag
        self._drain = drain
        self._owner = owner
        self._name = keys.group_name(drain)
        self._hash = keys.drain_key(tag, drain)
        self._lease = keys.lease_key(tag, drain)

    async def state(self) -> tuple[str | None, dict[str, Position], dict[str, int]]:
        """The stored cursor, the positions by key, and the counters.

        Raises:
            ConnectionLost, ServerError: as `Server.call`.
        """
        stored = dict_of(await self._link.call("HGETALL", self._hash))
        cursor = stored.pop(b"cursor", None)
        positions, counters = {}, {}
        for name, value in stored.items():
            if name.startswith(b"at:"):
                positions[name[3:].decode()] = Position.parse(value)
            else:
                counters[name.decode()] = int(value)
        return (None if cursor is None else cursor.decode()), positions, counters

    async def claim(self, key: str, after: str, count: int) -> tuple[list[Any], str]:
        """Entries that were read but not acknowledged, by whomever, in order.

        Args:
            after: "0-0" to begin, then what the last call returned.
            count: how many at most.

        Returns:
            The entries (id and fields) for `Decoder.batches`, and where to go on ("0-0": that was all). Ids whose
            entries are gone are acknowledged by Redis itself; the gap shows in the totals.

        Raises:
            ConnectionLost, ServerError: as `Server.call`.
        """
        answer = await self._link.call(
            "XAUTOCLAIM", keys.stream_key(self._tag, key), self._name, self._owner, 0, after, "COUNT", count
        )
        return answer[1], answer[0].decode()

    async def forget_others(self, key: str) -> None:
        """Remove consumers of earlier workers that have nothing pending any more."""
        stream = keys.stream_key(self._tag, key)
        for consumer in await self._link.call("XINFO", "CONSUMERS", stream, self._name):
            told = dict_of(consumer)
            if told[b"pending"] == 0 and told[b"name"].decode() != self._owner:  # type: ignore[comparison-overlap]
                await self._link.call("XGROUP", "DELCONSUMER", stream, self._name, told[b"name"])

    def read(
        self, connection: Connection, streams: Sequence[str], *, count: int, block_ms: int | None
    ) -> asyncio.Future[Any]:
        """Ask for new entries; the answer is a list of [stream, entries], or None.

        Args:
            connection: a dedicated one, since the command may block.
            streams: keys.
            count: entries of each stream at most.
            block_ms: how long to wait for some; None does not wait.
        """
        block: tuple[bytes | int, ...] = () if block_ms is None else (b"BLOCK", block_ms)
        names = [keys.stream_key(self._tag, key) for key in streams]
        return connection.call(
            b"XREADGROUP", b"GROUP", self._name, self._owner, b"COUNT", count, *block, b"STREAMS",
            *names, *([b">"] * len(names)),
        )  # fmt: skip

    def acknowledge(self, done: Acknowledgement) -> asyncio.Future[Any]:
        """Acknowledge; in one step with the counters, the positions and the cursor.

        The future fails with `ServerError` when the lease is lost.
        """
        counters = [part for item in done.counters.items() for part in item]
        streams: list[bytes | str | int] = []
        for key, position in done.positions.items():
            ids = done.entries.get(key, [])
            streams += (key, str(position), len(ids), *ids)
        names = [keys.stream_key(self._tag, key) for key in done.positions]
        return self._link.call(
            b"EVALSHA", ACKNOWLEDGE.sha, 2 + len(names), self._lease, self._hash, *names,
            self._owner, self._name, done.cursor or b"", len(done.counters), *counters, *streams,
        )  # fmt: skip


class Decoder:
    """Decodes entries once for all drains of a process that read the same partition.

    Args:
        keep_bytes: bytes of text of recently decoded batches to keep; 0 keeps none (one drain needs none).
    """

    def __init__(self, keep_bytes: int = 0) -> None:
        self.keep_bytes = keep_bytes
        self._kept: OrderedDict[tuple[str, bytes], Batch] = OrderedDict()
        self._bytes = 0

    def batches(self, key: str, entries: Sequence[Any]) -> tuple[list[Batch], list[tuple[str, str]]]:
        """The batches in a stream's part of an answer.

        Args:
            entries: pairs of id and flat fields; the fields are None where the entry was trimmed meanwhile.

        Returns:
            The batches, and for each entry that cannot be read its id and the reason.
        """
        found: list[Batch] = []
        unreadable: list[tuple[str, str]] = []
        for entry, fields in entries:
            if fields is None:
                continue
            batch = self._kept.get((key, entry))
            if batch is None:
                try:
                    batch = decode(key, entry, fields)
                except WireError as error:
                    unreadable.append((entry.decode(), str(error)))
                    continue
                if self.keep_bytes:
                    self._keep(batch, entry)
            found.append(batch)
        return found, unreadable

    def _keep(self, batch: Batch, entry: bytes) -> None:
        self._kept[batch.key, entry] = batch
        self._bytes += batch.last - batch.first
        while self._bytes > self.keep_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.last - oldest.first
