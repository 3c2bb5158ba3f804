"""Where to go on: what Redis has stored about the followed files is compared with what they hold.

Redis's answer wins, also when it is behind (it lost its newest writes: they are read again) or ahead (an answer was
lost). A file that does not hold what was read up to there starts over, and what was behind that place is looked for
in the copy that a rotation made. The agent's own memory only serves for files that Redis does not know.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from logyard.agent.memory import Memory
from logyard.agent.openfiles import OpenFiles
from logyard.agent.position import HEAD, Position, first_generation, source_id
from logyard.agent.remains import Lost, View, ages_read, examine, hold_open, is_successor
from logyard.agent.report import Counters
from logyard.agent.rotation import Candidate, Listing, Sibling, by_age, plan
from logyard.agent.source import Remembered, Slot, Source
from logyard.bus.publish import Outbox

__all__ = ["Resolver"]

log = logging.getLogger(__name__)

Asked = tuple[str, str]
"""A stream's key and the id of a source: what a stored state is found by."""


class Resolver:
    """Settles slots whose files changed.

    Args:
        files: whose slots.
        memory: the agent's own.
        late: seconds since its last line in which a rotated file may still get some.
        start: ``beginning`` or ``end``; a rule's own goes before it.
        counters: gaps are counted there.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        files: OpenFiles,
        memory: Memory,
        start: str,
        late: float,
        counters: Counters,
        clock: Callable[[], float],
    ) -> None:
        self._files = files
        self._memory = memory
        self._start = start
        self._late = late
        self._counters = counters
        self._clock = clock
        self._been_here: bool | None = True if memory.exists else None
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

    def _view(self, slot: Slot, listings: dict[str, Listing]) -> View:
        listing = listings.get(slot.directory)
        if listing is None:
            listing = listings[slot.directory] = Listing(slot.directory)
        return View(slot, tuple(slot.files), slot.changes, self._siblings(slot, listing))

    def _siblings(self, slot: Slot, listing: Listing) -> list[Sibling]:
        siblings = []
        for sibling in listing.siblings(slot.name):
            source = self._files.register.sources.get((sibling.device, sibling.inode))
            if source is None:
                if f"{slot.directory}/{sibling.name}" not in self._files.register.slots:
                    siblings.append(sibling)
            elif source.slot is slot and source is not slot.live:
                self._files.register.rename(source, f"{slot.directory}/{sibling.name}")
        return siblings

    def _questions(self, view: View) -> Iterator[Asked]:
        key = view.slot.labels.key
        for source in view.files:
            yield key, source.id
            for name, one in self._memory.elsewhere(source):
                yield one.key, name
        for sibling in view.siblings:
            yield key, source_id(view.slot.node, sibling.device, sibling.inode)

    def _had_published(self, views: Sequence[View]) -> bool:
        memory = [self._memory.of_source(source) for view in views for source in view.files]
        return any(one.settled != one.start for one in memory if one is not None)

    # where to go on

    def _place(self, view: View) -> None:
        """Place a slot's files; it stays frozen, and is asked for again, if a rotation is going on."""
        slot = view.slot
        now = self._clock()
        try:
            steps: list[tuple[Source, Callable[[], None]]] = []
            for source in view.files:
                if source.failed:
                    continue
                try:
                    steps.append((source, self._decide(view, source)))
                except OSError as error:
                    self._files.fail(source, error)
            # A copy is made before its file is emptied: looking for copies after it was seen to be empty finds them.
            if (view.lost or view.unread) and not self._emptied and not self._look_again(view):
                return
            for source, step in steps:
                try:
                    step()
                except OSError as error:
                    self._files.fail(source, error)
                source.answered_at = now
            self._place_siblings(view, now)
        finally:
            for fd in view.opened.values():
                os.close(fd)
        self._files.thaw(slot)

    def _look_again(self, view: View) -> bool:
        """Find the siblings that are there now, and hold them open: their names may change at any time.

        Returns:
            False if there are some that Redis was not asked about, or that are being renamed.
        """
        asked = {(sibling.device, sibling.inode) for sibling in view.siblings}
        listing = Listing(view.slot.directory)
        siblings = self._siblings(view.slot, listing)
        if not asked.issuperset((sibling.device, sibling.inode) for sibling in siblings):
            return False
        view.siblings = siblings
        return hold_open(view) and listing.is_whole(view.slot.name)

    def _decide(self, view: View, source: Source) -> Callable[[], None]:
        """What to do with a file; nothing is changed yet but the view.

        Raises:
            OSError: it cannot be read.
        """
        answer = self._stored[view.slot.labels.key, source.id]
        memory = self._memory.of_source(source)
        if memory is not None:
            source.opened_ns = min(source.opened_ns, memory.opened_ns)
        try:
            places = self._places(source, answer, memory)
        except ValueError as error:
            log.error("%s is not followed: its state %r was stored by another version (%s)", source.path, answer, error)
            source.failed = "its stored state is of another version"
            return lambda: None
        fd = source.reader.fd
        mark = next((at for at in places if at.offset), None) or self._reached(source, memory)
        stored = Position.decode(answer)
        if not self._emptied:
            # What Redis has never heard of (any more), of earlier generations.
            view.lost += [
                Lost(source, start.offset, reached)
                for start, reached in source.past
                if stored is None or start.generation > stored.generation
            ]
        for at in places:
            # Every file matches its beginning: then what was reached decides whether it is still the same one.
            if at.matches(fd) and (at.offset or mark is None or mark.matches(fd)):
                known = Position.at(fd, 0, at.generation) if answer else at
                start = memory.start if memory is not None and memory.start.generation == at.generation else known
                if at.offset:
                    view.known.append(at)
                return partial(source.go_on, at, answer, start)
        if not places:
            view.unread.append(source)
            return partial(source.begin, answer)
        if mark is not None:
            view.lost.append(Lost(source, places[0].offset, mark))
        reached = source.reader.generation if source.start is not None else 0
        return partial(self._start_over, view, source, answer, max(places[0].generation + 1, reached), mark)

    def _start_over(self, view: View, source: Source, answer: bytes, generation: int, mark: Position | None) -> None:
        source.start_over(answer, generation, mark)
        beside = [(one.device, one.inode) for one in view.siblings if one.size]
        self._files.start_over(source, [*beside, *((one.device, one.inode) for one in view.files)])

    def _reached(self, source: Source, memory: Remembered | None) -> Position | None:
        """How far a file had been read, whether or not Redis has kept that."""
        if source.start is not None:
            return source.reader.position if source.reader.offset else None
        return memory.settled if memory is not None and memory.settled.offset else None

    def _places(self, source: Source, answer: bytes, memory: Remembered | None) -> list[Position]:
        """Where a file may go on, best first."""
        states = [answer] if answer else [self._stored[one.key, name] for name, one in self._memory.elsewhere(source)]
        places = [at for at in map(Position.decode, states) if at is not None]
        if not answer and memory is not None:
            places.append(memory.settled if self._emptied else memory.start)
        return places

    def _place_siblings(self, view: View, now: float) -> None:
        slot = view.slot
        for source in view.files:
            if not self._stored[slot.labels.key, source.id] and not source.failed:
                self._place_copy(view, source)
        live = slot.live
        changed = live is None or live in view.unread or bool(view.untouched)
        candidates = examine(
            view,
            lambda sibling: self._stored[slot.labels.key, source_id(slot.node, sibling.device, sibling.inode)],
            self._memory,
            emptied=self._emptied,
            everything=changed or bool(view.lost),
        )
        self._files.twins(slot, [(one.sibling.device, one.sibling.inode) for one in candidates if one.twin])
        # An emptied file of which neither a copy is found nor is known when it was read says nothing about the
        # age of copies that are there.
        dated = any(view.has_copy(lost) or lost.source.read_ns for lost in view.lost)
        rotated = changed or dated or any(one.copied for one in candidates)
        read = ages_read(view, self._memory)
        recent_ns = time.time_ns() - int(self._late * 1e9)
        chosen = plan(candidates, read, rotated=rotated, recent_ns=recent_ns, missing_ns=slot.missing_ns)
        slot.missing_ns = None
        self._tell_gaps(view, candidates)
        for candidate, at in chosen:
            self._adopt(view, candidate, at, now)
        slot.files.sort(key=lambda source: (source is live, by_age(source.age())))
        if not view.known and not view.lost and not read:
            for source in view.unread:
                self._start_at_end(source)

    def _place_copy(self, view: View, source: Source) -> None:
        """A copy that is followed holds what Redis has lost of the emptied file, too."""
        fd = source.reader.fd
        for lost in view.lost:
            if source is not lost.source and lost.mark.matches(fd):
                source.go_on(Position.at(fd, lost.offset, source.reader.generation), b"")

    def _adopt(self, view: View, candidate: Candidate, at: Position | None, now: float) -> None:
        sibling, slot = candidate.sibling, view.slot
        fd = view.opened.pop(sibling)
        source = self._files.adopt(slot, fd, sibling.name, now)
        answer = self._stored[slot.labels.key, source.id]
        stored = Position.decode(answer)
        if at is None:
            source.begin(answer, 0 if stored is None else stored.generation + 1)
        elif candidate.known is not None:
            source.go_on(at, answer)
        else:
            generation = first_generation(os.pread(fd, HEAD, 0)) if stored is None else stored.generation + 1
            source.go_on(replace(at, generation=generation), answer)
        if source.reader.offset < sibling.size:
            log.info("reading the rest of %s from byte %d", source.path, source.reader.offset)

    def _start_at_end(self, source: Source) -> None:
        """Nobody has ever read this path."""
        pattern = source.slot.pattern
        if source.found_at is None or (pattern.rule.start or self._start) != "end":
            return
        if self._been_here and self._memory.knew_pattern(pattern.path):
            return  # the file was made while no agent ran
        fd = source.reader.fd
        offset = _last_line(fd, min(source.found_at, source.size()))
        if offset:
            source.start = None
            source.go_on(Position.at(fd, offset, first_generation(os.pread(fd, HEAD, 0))), b"")

    def _tell_gaps(self, view: View, candidates: Sequence[Candidate]) -> None:
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
        if is_successor(view, self._memory) and not view.known:
            self._counters.gaps += 1
            log.warning(
                "the file that was read as %s is gone or compressed: lines that were written to it while no agent "
                "ran may be lost", view.slot.path,
            )  # fmt: skip


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
