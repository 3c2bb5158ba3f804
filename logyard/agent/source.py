"""A followed path and the open files behind it.

A `Slot` stands for a path. It holds the file that has the path now and those that had it before and may still
get lines, oldest first: the lines of a file are published before those of the file that replaced it. A `Source`
is one open file: its reader, and the chain of states by which its batches follow each other in Redis.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from logyard.agent.position import HEAD, Position, first_generation, source_id
from logyard.agent.reading import Reader, Skipped
from logyard.agent.rotation import Age
from logyard.agent.rules import Labels, Pattern
from logyard.agent.stamp import stamp_ns
from logyard.batch import Batch

__all__ = ["SETTLED", "Remembered", "Slot", "Source"]

SETTLED = 5.0
"""Seconds after which a state that Redis acknowledged is taken to survive a crash of Redis."""

MAX_PAST = 8
"""How many generations back a crash of Redis is made good: one for each time a file was emptied."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the agent itself knows about a file, for a Redis that has forgotten it.

    Attributes:
        key: the stream that its state is stored with.
        path, inode: where it was.
        start: where reading of it began, for a Redis that lost its newest writes.
        settled: what Redis has acknowledged for some seconds, for a Redis that is empty.
        opened_ns: since when it has been followed, by the clock that stamps files, ns since 1970.
    """

    key: str
    path: str
    inode: int
    start: Position
    settled: Position
    opened_ns: int


class Source:
    """One open file.

    Attributes:
        slot: the path that it belongs to.
        device, inode: its identity on this machine; ``id``: the same as 16 hex digits.
        path: what it is called now, for messages.
        reader: how far it is read.
        start: where reading began; None before that was decided.
        stored: the state that Redis acknowledged last; ``expected``: the one after all publishes in flight.
        in_flight: publishes that are not answered yet.
        drained: it has been read to its end and all of that is acknowledged: the next file may be read.
        failed: it cannot be read any more; why.
        answered_at: when a publish was acknowledged last; ``grown_at``: when something new was found in it
            (seconds of the monotonic clock).
        rotated_at: when it lost its path.
        read_ns: when something new was read from it last, by the clock that stamps files, ns since 1970.
        looked_at_ns: its mtime when its size was looked at last.
        opened_ns: since when it has been followed, by the same clock.
        found_at: its size when the agent looked for files for the first time; None if it was not there.
        past: where reading of earlier generations began and how far it came, while this agent has run.
        told: up to where a loss at a truncation has been reported.
    """

    __slots__ = (
        "_first", "_mark", "_marked_at", "_settled", "answered_at", "device", "drained", "expected", "failed",
        "found_at", "grown_at", "id", "in_flight", "inode", "looked_at_ns", "opened_ns", "past", "path", "read_ns",
        "reader", "rotated_at", "slot", "start", "stored", "told",
    )  # fmt: skip

    def __init__(self, slot: Slot, fd: int, info: os.stat_result, path: str, now: float, skipped: Skipped) -> None:
        self.slot = slot
        self.device = info.st_dev
        self.inode = info.st_ino
        self.id = source_id(slot.node, info.st_dev, info.st_ino)
        self.path = path
        self.reader = Reader(fd, skipped)
        self.start: Position | None = None
        self.stored = self.expected = b""
        self.in_flight = 0
        self.drained = False
        self.failed = ""
        self.answered_at = self.grown_at = self.rotated_at = now
        self.read_ns = self.looked_at_ns = 0
        self.opened_ns = stamp_ns()
        self.found_at: int | None = None
        self.past: list[tuple[Position, Position]] = []
        self.told: Position | None = None
        self._first = False
        self._mark = self._settled = b""
        self._marked_at = now

    def __repr__(self) -> str:
        return f"<Source {self.path} {self.id}.{self.reader.generation} at {self.reader.offset}>"

    def go_on(self, at: Position, stored: bytes, start: Position | None = None) -> None:
        """Read on at a position.

        Args:
            at: a position that this file matches.
            stored: the file's state in Redis.
            start: where reading of it began, as far as is known; None: here.
        """
        self.reader.seek(at)
        if self.start is None or self.start.generation != at.generation:
            self.start = start or at
            self._mark = self._settled = at.encode()
        self.stored = self.expected = stored
        self.drained = False
        self._first = at.offset == 0 and at.generation == 0

    def begin(self, stored: bytes, generation: int = 0) -> None:
        """Read from the beginning; 0: nobody has read it, the generation comes from its first line."""
        self.go_on(Position.at(self.reader.fd, 0, generation), stored)

    def start_over(self, stored: bytes, generation: int, reached: Position | None) -> None:
        """Read from the beginning because the file no longer holds what was read up to ``reached``."""
        if self.start is not None and reached is not None and self.start.generation == reached.generation:
            self.past = [*self.past[1 - MAX_PAST :], (self.start, reached)]
        self.begin(stored, generation)

    def next_batch(self, now: float, time_ns: int, *, flush: bool = False) -> Batch | None:
        """What can be published next; see `Reader.read`."""
        reader = self.reader
        end, read_ns = reader.seen, stamp_ns()
        piece = reader.read(flush=flush)
        if reader.seen != end:
            self.grown_at = now
        if piece is None:
            return None
        self.read_ns = read_ns
        if self._first:
            self._first = False
            reader.generation = first_generation(os.pread(reader.fd, HEAD, 0))
            self.start = Position.at(reader.fd, 0, reader.generation)
            self._mark = self._settled = self.start.encode()
        block, labels = piece.block, self.slot.labels
        # bytes.count takes four times as long on blocks of this size.
        count = 1 if piece.cut else len(block) - len(block.replace(b"\n", b"")) + 1
        return Batch(
            key=labels.key,
            node=self.slot.node,
            app=labels.app,
            instance=labels.instance,
            source=labels.source,
            time_ns=time_ns,
            count=count,
            origin=f"{self.id}.{reader.generation}",
            first=piece.first,
            last=reader.offset,
            block=block,
            cut=piece.cut,
            partial=piece.partial,
        )

    def acknowledged(self, state: bytes, now: float) -> None:
        """Redis has stored ``state``."""
        self.stored = state
        self.answered_at = now
        if now - self._marked_at >= SETTLED:
            self._settled, self._mark, self._marked_at = self._mark, state, now

    def remembered(self, now: float) -> Remembered | None:
        """What to go by when Redis has forgotten this file; None before its start is known."""
        if self.start is None:
            return None
        settled = self._settled
        if now - self.answered_at >= SETTLED:
            settled = self.stored or settled
        elif now - self._marked_at >= SETTLED:
            settled = self._mark
        return Remembered(
            key=self.slot.labels.key,
            path=self.slot.path,
            inode=self.inode,
            start=self.start,
            settled=Position.decode(settled) or self.start,
            opened_ns=self.opened_ns,
        )

    def may_have_changed(self) -> bool:
        """Whether it was written to since it was read, as far as size and mtime tell.

        Raises:
            OSError: it cannot be asked.
        """
        info = os.fstat(self.reader.fd)
        before, self.looked_at_ns = self.looked_at_ns, info.st_mtime_ns
        # A file that was emptied and filled again may have its old size.
        return info.st_size != self.reader.seen or info.st_mtime_ns != before

    def size(self) -> int:
        """Bytes of the file now.

        Raises:
            OSError: it cannot be asked.
        """
        return os.fstat(self.reader.fd).st_size

    def age(self) -> Age:
        """Where it stands among the files that had its path.

        Raises:
            OSError: it cannot be asked.
        """
        name = "" if self.path == self.slot.path else self.path.rpartition("/")[2]
        return Age(os.fstat(self.reader.fd).st_mtime_ns, name)


class Slot:
    """A followed path.

    Attributes:
        node: this machine.
        path: as the rule found it.
        directory, name: where the file really is, and its siblings: symbolic links followed.
        pattern: the rule that found it; ``labels``: what it puts on the records.
        files: oldest first.
        current: whether the last one of ``files`` has the path; else the path is gone (for now).
        entry: inode number in the directory's listing when the path was opened; see `Found`.
        frozen: nothing is read until the positions of its files have been asked for.
        changes: how often it has been frozen.
        missing_ns: when its directory was seen without it, ns since 1970, until its first files are placed: what was
            written since and has the name of a rotated file was the path's. None where it was there from the start.
    """

    __slots__ = (
        "changes", "current", "directory", "entry", "files", "frozen", "labels", "missing_ns", "name", "node", "path",
        "pattern",
    )  # fmt: skip

    def __init__(self, node: str, path: str, pattern: Pattern, labels: Labels) -> None:
        self.node = node
        self.path = path
        self.pattern = pattern
        self.labels = labels
        self.directory, _, self.name = os.path.realpath(path).rpartition("/")
        self.files: list[Source] = []
        self.current = False
        self.entry = 0
        self.frozen = True
        self.changes = 0
        self.missing_ns: int | None = None

    def __repr__(self) -> str:
        return f"<Slot {self.path} {self.files}>"

    @property
    def live(self) -> Source | None:
        """The file that has the path."""
        return self.files[-1] if self.current else None

    @property
    def in_flight(self) -> int:
        return sum(source.in_flight for source in self.files)

    def blocker(self, source: Source) -> Source | None:
        """The file that must be read to its end before ``source``."""
        if source is self.files[0]:
            return None
        for before in self.files:
            if before is source:
                return None
            if not before.drained and not before.failed:
                return before
        return None

    def is_over(self, source: Source) -> bool:
        """Whether the file that replaced ``source`` has been written to: a line without an end stays without."""
        behind = self.files[self.files.index(source) + 1 :]
        return any(later.size() > 0 for later in behind)
