"""Sending again, in one partition: what the streams still hold, or dead letters, in portions beside the live delivery.

A replay goes through the drain that is open for the live delivery, in turns with it. So there is one connection, one
file that is written to, one order of what is sent: a drain's cursor covers what was sent again like everything else,
and a portion is behind the replay only once the destination has it, whichever way the drain comes to know that.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from logyard.batch import Batch, Selection, decode
from logyard.bus.dead import Letter, page_letters, parse_name
from logyard.bus.groups import Group, dict_of
from logyard.bus.read import read_on
from logyard.bus.replays import KEPT_MS, OVER, ReplayRequest
from logyard.drain import Limits
from logyard.errors import DrainError, UsageError, WireError
from logyard.names import key_matches
from logyard.router.dead import DeadLetters
from logyard.server import Server, keys
from logyard.server.scripts import REPLAYED

__all__ = ["Portion", "Replay"]

log = logging.getLogger("logyard.router")

READY = 2
"""Portions read ahead."""
PORTION_BYTES = 512 * 1024
"""Bytes of text in a portion, at most, so that live records never wait long for their turn."""
ENTRIES = 16
"""Entries asked for at once, over all streams."""
LETTERS = 64
GIVE_UP_AFTER = 5
"""Failures in a row with nothing delivered between them: what is sent again may be what breaks the connection."""
Selected = Callable[[Batch], Selection | None]


@dataclass(slots=True)
class Portion:
    """What is sent at once.

    Attributes:
        selections: the records; none when nothing of what was looked at is to be sent.
        letters: the dead letters that they are from.
        at: everything up to here is behind the replay once this portion is.
        counts: what to add to its progress.
        state: the replay's state once this portion is behind it.
        records, size: how many records there are, and bytes of text of their batches.
    """

    selections: list[Selection] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    at: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    state: str = "running"
    records: int = 0
    size: int = 0

    def add(self, selection: Selection) -> None:
        self.selections.append(selection)
        self.records += selection.count
        self.size += selection.batch.last - selection.batch.first

    def handed_over(self) -> list[Selection]:
        """The records, which are not kept while the destination confirms them."""
        handed, self.selections = self.selections, []
        return handed

    def count(self, name: str, amount: int) -> None:
        if amount:
            self.counts[name] = self.counts.get(name, 0) + amount


class Replay:
    """One request, as the worker of one partition carries it out.

    Args:
        request: what is to be sent again.
        server, tag, owner: where the worker runs, and under which name.
        group: the drain's.
        dead: where what is refused goes.
        streams: the keys that the drain takes now.
        select: the records of a batch that are to be sent, None for none of them.
        mask: takes secrets out of messages.
    """

    def __init__(
        self,
        request: ReplayRequest,
        server: Server,
        tag: str,
        owner: str,
        group: Group,
        dead: DeadLetters,
        streams: Callable[[], list[str]],
        select: Selected,
        mask: Callable[[str], str],
    ) -> None:
        self.request = request
        self.state = "waiting"
        self._server = server
        self._tag = tag
        self._owner = owner
        self._group = group
        self._dead = dead
        self._streams = streams
        self._select = select
        self._mask = mask
        self._asked: Selected | None = None
        self._key = keys.replayed_key(tag, request.drain)
        self._at = ""
        self._read_to = ""
        self._bounds: dict[str, str] = {}
        self._ready: deque[Portion] = deque()
        self._room = asyncio.Event()
        self._cancelled = asyncio.Event()
        self._failures = 0  # in a row, one for each opening of the drain
        self._failed = False  # in this opening
        self._error = ""

    @property
    def over(self) -> bool:
        return self.state in OVER

    def cancel(self) -> None:
        """Nobody wants it any more: what is on its way is finished."""
        self._cancelled.set()
        self._room.set()

    def take(self) -> Portion | None:
        """The next portion, None while there is none."""
        if not self._ready:
            return None
        self._room.set()
        return self._ready.popleft()

    @property
    def waiting(self) -> bool:
        """Whether there is a portion to take."""
        return bool(self._ready)

    def failed(self, error: DrainError) -> None:
        """A portion was not delivered; the drain is being left."""
        if not self._failed:
            self._failed = True
            self._failures += 1
        if self._failures >= GIVE_UP_AFTER:
            self._error = f"given up after {self._failures} attempts: {self._mask(str(error))}"

    def rewind(self) -> None:
        """The drain is open again: what was taken and is not behind the replay has to be taken again."""
        self._failed = False
        self._ready.clear()
        self._dead.forget_all()

    # reading

    async def feed(self, limits: Limits, wake: Callable[[], None]) -> None:
        """Read ahead until everything has been read or somebody cancels; `take` gets what was read.

        Raises:
            ConnectionLost, ServerError: as `Server.call`.
        """
        await self._begin()
        if self.over:
            return
        last = Portion(at=self._read_to)
        if self._error:
            last.state = "failed"
        elif not self._cancelled.is_set():
            try:
                self._asked = _asked(self.request)
                async for portion in self._portions(limits):
                    if not await self._put(portion, wake):
                        break
                    last = Portion(at=portion.at)
                last.state = "cancelled" if self._cancelled.is_set() else "done"
            except UsageError as error:
                self._error, last.state = str(error), "failed"
        else:
            last.state = "cancelled"
        await self._put(last, wake)

    async def _put(self, portion: Portion, wake: Callable[[], None]) -> bool:
        """Whether it was put where `take` finds it: not when somebody cancels, unless it is the last one."""
        while len(self._ready) >= READY and not self._cancelled.is_set():
            self._room.clear()
            await self._room.wait()
        if self._cancelled.is_set() and portion.state == "running":
            return False
        self._ready.append(portion)
        wake()
        return True

    async def _begin(self) -> None:
        """Take the request up, or go on where another worker was."""
        call = self._server.call
        told = dict_of(await call(self._tag, "HGETALL", self._key))
        stored = {name.decode(): value.decode() for name, value in told.items()}
        if stored.get("id") == self.request.id:
            self.state = stored["state"]
            self._at = self._read_to = stored.get("at", "")
            self._bounds = orjson.loads(stored["bounds"])
            return
        self._bounds, total = await (self._letter_bounds() if self._of_letters else self._record_bounds())
        fields: dict[str, str | int | bytes] = {
            "id": self.request.id, "kind": self.request.kind, "state": "running", "total": total,
            "began": time.time_ns(), "bounds": orjson.dumps(self._bounds),
        }  # fmt: skip
        link = self._server.link(self._tag)
        await link.call("DEL", self._key)
        await link.call_even_full("HSET", self._key, *(part for item in fields.items() for part in item))
        await link.call("PEXPIRE", self._key, 2 * KEPT_MS)
        self.state = "running"
        log.info("drain %s: sending %s again", self.request.drain, self.request.kind)

    @property
    def _of_letters(self) -> bool:
        return self.request.kind == "letters"

    def _portions(self, limits: Limits) -> AsyncIterator[Portion]:
        size = max(1, min(limits.max_bytes, PORTION_BYTES))
        return self._letters(size, limits.max_records) if self._of_letters else self._records(size, limits.max_records)

    # what the streams hold

    async def _record_bounds(self) -> tuple[dict[str, str], int]:
        """The last entry to send of each stream, and how many records that is: what the drain has not yet had comes
        to it by itself."""
        request = self.request
        _, positions, _ = await self._group.state()
        bounds: dict[str, str] = {}
        total = 0
        for key in self._streams():
            if not key_matches(key, request.keys) or key not in positions:
                continue
            end = positions[key].entry
            if request.until_ms is not None:
                end = min(end, f"{request.until_ms}-{(1 << 64) - 1}", key=_number)
            stream = keys.stream_key(self._tag, key)
            first, last = await asyncio.gather(
                self._server.call(self._tag, "XRANGE", stream, str(request.since_ms), end, "COUNT", 1),
                self._server.call(self._tag, "XREVRANGE", stream, end, str(request.since_ms), "COUNT", 1),
            )
            if first and last:
                bounds[key] = end
                total += _total(last[0][1]) - _total(first[0][1], before=True)
        return bounds, max(0, total)

    async def _records(self, most_bytes: int, most_records: int) -> AsyncIterator[Portion]:
        """All streams merged by when their batches were stored, so that one moment says how far the replay is."""
        reads = {key: _Stream(key, end) for key, end in self._bounds.items()}
        reached, _, reached_key = self._read_to.partition(" ")
        per_stream = max(1, ENTRIES // max(1, len(reads)))
        heads: list[tuple[tuple[int, int], str]] = []
        for key, stream in reads.items():
            if reached:
                stream.after = reached if key <= reached_key else _before(reached)
            if await self._head(stream, per_stream):
                heapq.heappush(heads, (_number(stream.pending[0].entry), key))
        portion = Portion(at=self._read_to)
        while heads:
            _, key = heapq.heappop(heads)
            stream = reads[key]
            batch = stream.pending.popleft()
            self._add(portion, batch, stream)
            if await self._head(stream, per_stream):
                heapq.heappush(heads, (_number(stream.pending[0].entry), key))
            portion.count("unreadable", stream.told())
            if portion.size >= most_bytes or portion.records >= most_records or portion.counts["looked"] >= 100_000:
                yield portion
                portion = Portion(at=portion.at)
        portion.count("unreadable", sum(stream.told() for stream in reads.values()))
        if portion.counts:
            yield portion

    async def _head(self, stream: _Stream, count: int) -> bool:
        """Whether the stream has a next batch; reads on when what was read is used up."""
        while not stream.pending and not stream.ended:
            page = await read_on(
                self._server, stream.key, after=stream.after, start_ms=self.request.since_ms, until=stream.end,
                count=count,
            )  # fmt: skip
            stream.after = page.edge or stream.after
            stream.ended = page.ended
            stream.unreadable += len(page.unreadable)
            stream.pending.extend(page.batches)
        return bool(stream.pending)

    def _add(self, portion: Portion, batch: Batch, stream: _Stream) -> None:
        missing = 0 if stream.total is None else max(0, batch.total - batch.count - stream.total)
        stream.total = batch.total
        portion.at = f"{batch.entry} {batch.key}"
        portion.count("gone", missing)
        portion.count("looked", batch.count + missing)
        try:
            selection = self._select(batch)
            if selection is not None and self._asked is not None:
                selection = _both(selection, self._asked(batch))
        except WireError as error:
            log.error("drain %s: %s", self.request.drain, error)
            portion.count("unreadable", 1)
            return
        portion.count("filtered", batch.count - (0 if selection is None else selection.count))
        if selection is not None:
            portion.add(selection)

    # dead letters

    async def _letter_bounds(self) -> tuple[dict[str, str], int]:
        """The newest letter: what is refused again comes behind it, and is not sent a third time."""
        stream = keys.dead_key(self._tag, self.request.drain)
        last = await self._server.call(self._tag, "XREVRANGE", stream, "+", "-", "COUNT", 1)
        if not last:
            return {}, 0
        return {"letters": last[0][0].decode()}, await self._server.call(self._tag, "XLEN", stream)

    async def _letters(self, most_bytes: int, most_records: int) -> AsyncIterator[Portion]:
        until = self._bounds.get("letters")
        wanted = {entry for name in self.request.letters for tags, entry in [parse_name(self._server, name)]
                  if self._tag in tags}  # fmt: skip
        match = self.request.match.casefold()
        portion = Portion(at=self._read_to)
        page: list[Letter] = []
        while until is not None:
            page = await page_letters(
                self._server, self._tag, self.request.drain, after=portion.at, until=until, count=LETTERS
            )
            for letter in page:
                portion.at = letter.id
                portion.count("looked", 1)
                if (self.request.letters and letter.id not in wanted) or match not in letter.reason.casefold():
                    portion.count("filtered", 1)
                    continue
                batch = letter.batch or await self._entry(letter)
                if batch is None:
                    portion.count("unreadable", 1)
                    continue
                if letter.batch is not None:
                    self._dead.expect(letter)
                portion.add(Selection(batch))
                portion.letters.append(letter)
                if portion.size >= most_bytes or portion.records >= most_records:
                    yield portion
                    portion = Portion(at=portion.at)
            if len(page) < LETTERS:
                break
            if portion.counts.get("looked", 0) >= 20_000:
                yield portion
                portion = Portion(at=portion.at)
        if portion.counts:
            yield portion

    async def _entry(self, letter: Letter) -> Batch | None:
        """The batch that could not be read when the letter was written: a newer version may read it."""
        stream = keys.stream_key(self._tag, letter.key)
        found = await self._server.call(self._tag, "XRANGE", stream, letter.entry, letter.entry)
        try:
            batch = decode(letter.key, found[0][0], found[0][1]) if found else None
            if batch is not None:
                _ = batch.lines
        except WireError:
            return None
        return batch

    # writing down

    def behind(self, portion: Portion, refused: int) -> asyncio.Future[Any]:
        """The destination, or the dead letters, have a portion, and that is acknowledged: note it.

        Args:
            refused: how many of its records are dead letters now.
        """
        self._failures = 0
        self._at = portion.at or self._at
        self.state = portion.state
        for letter in portion.letters:
            self._dead.forget(letter)
        portion.count("sent", portion.records - refused)
        if refused and not self._of_letters:
            portion.count("refused", refused)  # of letters that come back each is counted as it is stored
        fields: Mapping[str, str] = {
            "state": portion.state, "at": self._at, **({"error": self._error} if self._error else {}),
        }  # fmt: skip
        counts = portion.counts
        return self._server.link(self._tag).call(
            b"EVALSHA", REPLAYED.sha, 3, keys.lease_key(self._tag, self.request.drain), self._key,
            keys.dead_key(self._tag, self.request.drain), self._owner, self.request.id,
            len(fields), *(part for item in fields.items() for part in item),
            len(counts), *(part for item in counts.items() for part in item),
            *(letter.id for letter in portion.letters),
        )  # fmt: skip


@dataclass(slots=True)
class _Stream:
    """Reading one stream up to its last entry that is wanted."""

    key: str
    end: str
    after: str = ""
    ended: bool = False
    total: int | None = None
    unreadable: int = 0
    pending: deque[Batch] = field(default_factory=deque)

    def told(self) -> int:
        """How many unreadable entries there were since this was last asked."""
        found, self.unreadable = self.unreadable, 0
        return found


def _asked(request: ReplayRequest) -> Selected | None:
    """What tells the records that the request's filter means; None for all. Raises `FilterError`."""
    if not request.filter:
        return None
    from logyard.filters import compile_filter

    return compile_filter(request.filter).select


def _both(first: Selection, second: Selection | None) -> Selection | None:
    """The records that are in both selections of a batch."""
    if second is None or second.positions is None:
        return None if second is None else first
    if first.positions is None:
        return second
    allowed = set(first.positions)
    positions = [position for position in second.positions if position in allowed]
    return Selection(first.batch, positions) if positions else None


def _total(flat: Any, *, before: bool = False) -> int:
    fields = dict_of(flat)
    total = int(fields.get(b"total", 0))
    return total - int(fields.get(b"count", 0)) if before else total


def _number(entry: str) -> tuple[int, int]:
    ms, _, serial = entry.partition("-")
    return int(ms), int(serial or 0)


def _before(entry: str) -> str:
    """The id just before ``entry``."""
    ms, serial = _number(entry)
    return f"{ms}-{serial - 1}" if serial else f"{max(0, ms - 1)}-{(1 << 64) - 1}"
