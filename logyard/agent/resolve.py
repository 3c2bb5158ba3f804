"""Where to go on: what Redis has stored about the followed files is compared with what they hold.

Redis's answer wins, also when it is behind (it lost its newest writes: they are read again) or ahead (an answer was
lost). A file that does not hold what was read up to there starts over, and what was behind that place is looked for
in the copy that a rotation made. The agent's own memory only serves for files that Redis does not know.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from logyard.agent.checkpoint import Checkpoint
from logyard.agent.follow import Follower
from logyard.agent.position import HEAD, Position, first_generation, source_id
from logyard.agent.report import Counters
from logyard.agent.rotation import Candidate, Listing, Order, Sibling, plan
from logyard.agent.source import Remembered, Slot, Source
from logyard.bus.publish import Outbox

__all__ = ["Resolver"]

log = logging.getLogger(__name__)

GRAIN_NS = 10_000_000
"""File systems stamp files by a clock that ticks every few ms."""

Asked = tuple[str, str]
"""A stream's key and the id of a source: what a stored state is found by."""


class _Lost(NamedTuple):
    """A file that no longer holds what was read from it.

    Attributes:
        source: the file.
        offset: up to where Redis has what was in it.
        mark: a position by which a copy of it is recognised.
    """

    source: Source
    offset: int
    mark: Position


@dataclass(slots=True)
class _View:
    """A slot at the moment when its states are asked for.

    Attributes:
        slot: the slot; ``files``: those it had then; ``changes``: how often it had been frozen by then.
        siblings: other files that may belong to it.
        lost: files that start over.
        known: positions of files that hold what was read of them.
        emptied: positions in siblings that no longer hold what was read from them.
        unread: files that nobody has read.
        opened: handles of siblings, closed again unless they are followed.
    """

    slot: Slot
    files: tuple[Source, ...]
    changes: int
    siblings: Sequence[Sibling]
    lost: list[_Lost] = field(default_factory=list)
    known: list[Position] = field(default_factory=list)
    emptied: list[Position] = field(default_factory=list)
    unread: list[Source] = field(default_factory=list)
    opened: dict[Sibling, int] = field(default_factory=dict)

    def has_copy(self, lost: _Lost) -> bool:
        """Whether a file that is followed already holds what the emptied one had."""
        others = [source for source in self.slot.files if source is not lost.source and not source.failed]
        return any(lost.mark.matches(other.reader.fd) for other in others)

    @property
    def untouched(self) -> list[Source]:
        """Files that were known before but nothing has come of them: they may have been emptied meanwhile."""
        changed = [*self.unread, *(lost.source for lost in self.lost)]
        return [source for source in self.files if not source.reader.offset and source not in changed]


class Resolver:
    """Settles slots whose files changed.

    Args:
        follower: whose slots.
        checkpoint: what an earlier agent of this node left, None if there was none.
        start: ``beginning`` or ``end``; a rule's own goes before it.
        counters: gaps are counted there.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        follower: Follower,
        checkpoint: Checkpoint | None,
        start: str,
        counters: Counters,
        clock: Callable[[], float],
    ) -> None:
        self._follower = follower
        self._checkpoint = checkpoint
        self._start = start
        self._counters = counters
        self._clock = clock
        self._inodes: dict[int, list[tuple[str, Remembered]]] = {}
        for name, one in () if checkpoint is None else checkpoint.sources.items():
            self._inodes.setdefault(one.inode, []).append((name, one))
        self._been_here: bool | None = None if checkpoint is None else True
        self._stored: Mapping[Asked, bytes] = {}
        self._emptied = False

    async def settle(self, outbox: Outbox, slots: Iterable[Slot], *, everything: bool = False) -> bool:
        """Ask for the states of slots that have nothing in flight, and place their files.

        Args:
            outbox: whom to ask.
            slots: frozen slots.
            everything: these are all slots there are.

        Returns:
            False if Redis has forgotten a file that it knew: nothing was placed, ask again for all slots.

        Raises:
            ConnectionLost, ServerError: as `Outbox.states`.
        """
        listings: dict[str, Listing] = {}
        views = [self._view(slot, listings) for slot in slots]
        asked = list(dict.fromkeys(question for view in views for question in self._questions(view)))
        answers = dict(zip(asked, await outbox.states(asked), strict=True))
        if not everything and any(
            source.stored and not answers[source.slot.labels.key, source.id] for view in views for source in view.files
        ):
            return False
        self._stored = answers
        if self._been_here is None:
            self._been_here = any(answers.values())
        self._emptied = everything and not any(answers.values()) and self._had_published(views)
        if self._emptied:
            log.warning("Redis knows none of the files that were read: going on by the agent's own memory")
        for view in views:
            if view.slot.changes == view.changes:  # else something happened meanwhile, and it is asked for again
                self._place(view)
        return True

    # what to ask

    def _view(self, slot: Slot, listings: dict[str, Listing]) -> _View:
        listing = listings.get(slot.directory)
        if listing is None:
            listing = listings[slot.directory] = Listing(slot.directory)
        siblings = []
        for sibling in listing.siblings(slot.name):
            source = self._follower.sources.get((sibling.device, sibling.inode))
            if source is None:
                if f"{slot.directory}/{sibling.name}" not in self._follower.slots:
                    siblings.append(sibling)
            elif source.slot is slot and source is not slot.live:
                self._follower.rename(source, f"{slot.directory}/{sibling.name}")
        return _View(slot, tuple(slot.files), slot.changes, siblings)

    def _questions(self, view: _View) -> Iterator[Asked]:
        key = view.slot.labels.key
        for source in view.files:
            yield key, source.id
            for name, one in self._elsewhere(source):
                yield one.key, name
        for sibling in view.siblings:
            yield key, source_id(view.slot.node, sibling.device, sibling.inode)

    def _elsewhere(self, source: Source) -> list[tuple[str, Remembered]]:
        """Other places where the state of a file may be: its device had another number, its stream another name."""
        mine = source.slot.labels.key, source.id
        if source.start is not None:
            return []
        return [(name, one) for name, one in self._inodes.get(source.inode, ()) if (one.key, name) != mine]

    def _had_published(self, views: Sequence[_View]) -> bool:
        memory = [self._remembered(source) for view in views for source in view.files]
        return any(one.settled != one.start for one in memory if one is not None)

    # where to go on

    def _place(self, view: _View) -> None:
        slot, follower = view.slot, self._follower
        now = self._clock()
        try:
            for source in view.files:
                if source.failed:
                    continue
                try:
                    self._place_source(view, source)
                except OSError as error:
                    follower.fail(source, error)
                source.answered_at = now
            self._place_siblings(view, now)
        finally:
            for fd in view.opened.values():
                os.close(fd)
        follower.thaw(slot)

    def _place_source(self, view: _View, source: Source) -> None:
        answer = self._stored[view.slot.labels.key, source.id]
        memory = self._remembered(source)
        try:
            places = self._places(source, answer, memory)
        except ValueError as error:
            log.error("%s is not followed: its state %r was stored by another version (%s)", source.path, answer, error)
            source.failed = "its stored state is of another version"
            return
        fd = source.reader.fd
        mark = next((at for at in places if at.offset), None) or self._reached(source, memory)
        stored = Position.decode(answer)
        if not self._emptied:
            # What Redis has never heard of (any more), of earlier generations.
            view.lost += [
                _Lost(source, start.offset, reached)
                for start, reached in source.past
                if stored is None or start.generation > stored.generation
            ]
        for at in places:
            # Every file matches its beginning: then what was reached decides whether it is still the same one.
            if at.matches(fd) and (at.offset or mark is None or mark.matches(fd)):
                known = Position.at(fd, 0, at.generation) if answer else at
                start = memory.start if memory is not None and memory.start.generation == at.generation else known
                source.go_on(at, answer, start)
                if at.offset:
                    view.known.append(at)
                return
        if places:
            reached = source.reader.generation if source.start is not None else 0
            source.start_over(answer, max(places[0].generation + 1, reached), mark)
            if mark is not None:
                view.lost.append(_Lost(source, places[0].offset, mark))
        else:
            source.begin(answer)
            view.unread.append(source)

    def _reached(self, source: Source, memory: Remembered | None) -> Position | None:
        """How far a file had been read, whether or not Redis has kept that."""
        if source.start is not None:
            return source.reader.position if source.reader.offset else None
        return memory.settled if memory is not None and memory.settled.offset else None

    def _places(self, source: Source, answer: bytes, memory: Remembered | None) -> list[Position]:
        """Where a file may go on, best first."""
        states = [answer] if answer else [self._stored[one.key, name] for name, one in self._elsewhere(source)]
        places = [at for at in map(Position.decode, states) if at is not None]
        if not answer and memory is not None:
            places.append(memory.settled if self._emptied else memory.start)
        return places

    def _remembered(self, source: Source) -> Remembered | None:
        memory = source.remembered(self._clock())
        if memory is not None or self._checkpoint is None:
            return memory
        found = self._checkpoint.sources.get(source.id)
        return found or next((one for _, one in self._elsewhere(source)), None)

    def _place_siblings(self, view: _View, now: float) -> None:
        slot = view.slot
        for source in view.files:
            if not self._stored[slot.labels.key, source.id] and not source.failed:
                self._place_copy(view, source)
        live = slot.live
        changed = live is None or live in view.unread or bool(view.untouched)
        look = changed or bool(view.lost)
        opened = [self._candidate(view, sibling, look=look) for sibling in view.siblings]
        candidates = [one for one in opened if one is not None]
        view.known += [one.known for one in candidates if one.known is not None and one.known.offset]
        candidates = _one_copy([self._compare(view, one) for one in candidates])
        # An emptied file whose copy is not found says nothing about the age of the other copies.
        rotated = changed or any(one.copied for one in candidates) or any(map(view.has_copy, view.lost))
        newest = self._newest(view)
        chosen = plan(candidates, newest, rotated=rotated)
        self._tell_gaps(view, candidates)
        for candidate, at in chosen:
            self._adopt(view, candidate, at, now)
        slot.files.sort(key=lambda source: (source is live, source.order()))
        if not view.known and not view.lost and newest is None:
            for source in view.unread:
                self._start_at_end(source)

    def _place_copy(self, view: _View, source: Source) -> None:
        """A copy that is followed holds what Redis has lost of the emptied file, too."""
        fd = source.reader.fd
        for lost in view.lost:
            if source is not lost.source and lost.mark.matches(fd):
                source.go_on(Position.at(fd, lost.offset, source.reader.generation), b"")

    def _adopt(self, view: _View, candidate: Candidate, at: Position | None, now: float) -> None:
        sibling, slot = candidate.sibling, view.slot
        fd = view.opened.pop(sibling)
        source = self._follower.adopt(slot, fd, sibling.name, now)
        answer = self._stored[slot.labels.key, source.id]
        stored = Position.decode(answer)
        if at is None:
            source.begin(answer, 0 if stored is None else stored.generation + 1)
        elif candidate.known is not None:
            source.go_on(at, answer)
        else:
            generation = first_generation(os.pread(fd, HEAD, 0)) if stored is None else stored.generation + 1
            source.go_on(replace(at, generation=generation), answer)
        log.info("reading the rest of %s from byte %d", source.path, source.reader.offset)

    def _candidate(self, view: _View, sibling: Sibling, *, look: bool) -> Candidate | None:
        """What is known about a sibling; None if it cannot be opened, or is unknown and need not be looked at."""
        slot = view.slot
        name = source_id(slot.node, sibling.device, sibling.inode)
        answer = self._stored[slot.labels.key, name]
        memory = self._checkpoint.sources.get(name) if self._checkpoint is not None and not answer else None
        if not answer and memory is None and not look:
            return None
        try:
            at = Position.decode(answer)
            if memory is not None:
                at = memory.settled if self._emptied else memory.start
            fd = os.open(f"{slot.directory}/{sibling.name}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
            view.opened[sibling] = fd
            info = os.fstat(fd)
            if (info.st_dev, info.st_ino) != (sibling.device, sibling.inode):
                return None  # renamed just now; its directory is looked at again
            if at is None or at.matches(fd):
                return Candidate(sibling, at, stored=bool(answer))
        except (OSError, ValueError) as error:
            log.warning("%s/%s cannot be read: %s", slot.directory, sibling.name, error)
            return None
        view.emptied.append(at)
        return Candidate(sibling)

    def _compare(self, view: _View, one: Candidate) -> Candidate:
        """Whether an unknown sibling is a copy of another file."""
        if one.stored:
            return one
        fd = view.opened[one.sibling]
        for lost in view.lost:
            if lost.mark.matches(fd):
                return replace(one, known=None, copied=Position.at(fd, lost.offset))
        for at in view.emptied:
            if at.offset and at.matches(fd):
                return replace(one, known=None, copied=at)
        if one.known is not None:
            return one
        whole = Position.at(fd, one.sibling.size)
        same = any(whole.matches(source.reader.fd) for source in view.untouched)
        return replace(one, double=same or any(at.matches(fd) for at in view.known))

    def _newest(self, view: _View) -> Order | None:
        """How new the newest file is that was read for this path, other than the one that has it now."""
        live, checkpoint, untouched = view.slot.live, self._checkpoint, view.untouched
        orders = [
            source.order()
            for source in view.slot.files
            if source is not live and source not in view.unread and source not in untouched
        ]
        if orders:
            return max(orders)
        if self._is_successor(view) and checkpoint is not None:
            return checkpoint.time_ns - GRAIN_NS, 0
        if untouched:
            first = untouched[0]
            before = first.found_at is not None and checkpoint is not None and first.id in checkpoint.sources
            return (checkpoint.time_ns if before and checkpoint else first.opened_ns) - GRAIN_NS, 0
        return None

    def _is_successor(self, view: _View) -> bool:
        """Whether an earlier agent read another file of this path, of which this one has not heard."""
        live, checkpoint = view.slot.live, self._checkpoint
        if live is None or live not in view.unread or live.found_at is None or checkpoint is None:
            return False
        return bool(checkpoint.of_path(view.slot.path))

    def _start_at_end(self, source: Source) -> None:
        """Nobody has ever read this path."""
        pattern = source.slot.pattern
        if source.found_at is None or (pattern.rule.start or self._start) != "end":
            return
        if self._been_here and (self._checkpoint is None or pattern.path in self._checkpoint.patterns):
            return  # the file was made while no agent ran
        fd = source.reader.fd
        offset = _last_line(fd, min(source.found_at, source.size()))
        if offset:
            source.start = None
            source.go_on(Position.at(fd, offset, first_generation(os.pread(fd, HEAD, 0))), b"")

    def _tell_gaps(self, view: _View, candidates: Sequence[Candidate]) -> None:
        for lost in view.lost:
            source, offset, mark = lost
            found = any(one.copied for one in candidates) or view.has_copy(lost)
            if not found and source.told != mark:
                self._counters.gaps += 1
                log.warning(
                    "%s was emptied or replaced when %d bytes of it had been stored, and there is no copy of it: "
                    "lines that were written behind them may be lost", source.path, offset,
                )  # fmt: skip
            source.told = mark
        if self._is_successor(view) and not view.known:
            self._counters.gaps += 1
            log.warning(
                "the file that was read as %s is gone or compressed: lines that were written to it while no agent "
                "ran may be lost", view.slot.path,
            )  # fmt: skip


def _one_copy(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Of several copies of an emptied file only one is read: one that was begun, else the longest."""
    copies = [one for one in candidates if one.copied is not None]
    if len(copies) < 2:
        return list(candidates)
    best = max(copies, key=lambda one: (one.known is not None, one.sibling.rotated, one.sibling.size))
    return [
        one if one is best or one.copied is None or one.known is not None else replace(one, copied=None, double=True)
        for one in candidates
    ]


def _last_line(fd: int, size: int) -> int:
    """The offset behind the last newline, so that a line that is being written is read whole."""
    at = size
    while at > 0:
        start = max(0, at - 65536)
        found = os.pread(fd, at - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        at = start
    return 0
