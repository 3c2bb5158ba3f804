"""What the files beside a followed one hold that nobody has published yet.

Everything here looks at one slot at the moment when Redis was asked about it (`View`); nothing is changed but that.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from logyard.agent.memory import Memory
from logyard.agent.position import Position
from logyard.agent.rotation import GRAIN_NS, Age, Candidate, Sibling, open_sibling
from logyard.agent.source import Slot, Source

__all__ = ["Lost", "View", "ages_read", "examine", "hold_open", "is_successor"]

log = logging.getLogger(__name__)


class Lost(NamedTuple):
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
class View:
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
    lost: list[Lost] = field(default_factory=list)
    known: list[Position] = field(default_factory=list)
    emptied: list[Position] = field(default_factory=list)
    unread: list[Source] = field(default_factory=list)
    opened: dict[Sibling, int] = field(default_factory=dict)

    def has_copy(self, lost: Lost) -> bool:
        """Whether a file that is followed already holds what the emptied one had."""
        others = [source for source in self.slot.files if source is not lost.source and not source.failed]
        return any(lost.mark.matches(other.reader.fd) for other in others)

    @property
    def untouched(self) -> list[Source]:
        """Files that were known before but nothing has come of them: they may have been emptied meanwhile."""
        changed = [*self.unread, *(lost.source for lost in self.lost)]
        return [source for source in self.files if not source.reader.offset and source not in changed]


def examine(
    view: View, answer: Callable[[Sibling], bytes], memory: Memory, *, emptied: bool, everything: bool
) -> list[Candidate]:
    """What is known about the siblings.

    Args:
        view: the slot; ``known``, ``emptied`` and ``opened`` are filled in.
        answer: what Redis has stored about a sibling.
        memory: the agent's own.
        emptied: Redis has nothing at all: memory decides.
        everything: look at siblings of which nothing is known, too.
    """
    opened = [_open(view, sibling, answer(sibling), memory, emptied, everything) for sibling in view.siblings]
    candidates = [one for one in opened if one is not None]
    view.known += [one.known for one in candidates if one.known is not None and one.known.offset]
    return _one_copy([_compare(view, one) for one in candidates])


def _open(
    view: View, sibling: Sibling, answer: bytes, memory: Memory, emptied: bool, everything: bool
) -> Candidate | None:
    """What is known about a sibling; None if it cannot be opened, or is unknown and need not be looked at."""
    slot = view.slot
    remembered = None if answer else memory.of_file(slot.node, sibling.device, sibling.inode)
    if not answer and remembered is None and not everything:
        return None
    try:
        at = Position.decode(answer)
        if remembered is not None:
            at = remembered.settled if emptied else remembered.start
        fd = view.opened.get(sibling)
        if fd is None:
            fd = _open_for(view, sibling)
        if fd is None:
            return None  # renamed just now; its directory is looked at again
        if at is None or at.matches(fd):
            return Candidate(sibling, at, stored=bool(answer))
    except (OSError, ValueError) as error:
        log.warning("%s/%s cannot be read: %s", slot.directory, sibling.name, error)
        return None
    view.emptied.append(at)
    return Candidate(sibling)


def hold_open(view: View) -> bool:
    """Open all siblings, so that they are the same files later whatever they are called then.

    Returns:
        False if one of them has been renamed or removed just now.
    """
    for sibling in view.siblings:
        try:
            if _open_for(view, sibling) is None:
                return False
        except FileNotFoundError:
            return False
        except OSError:
            continue  # told when it is needed
    return True


def _open_for(view: View, sibling: Sibling) -> int | None:
    """Open a sibling for the view; None if another file has its name now.

    Raises:
        OSError: it cannot be opened.
    """
    fd = open_sibling(f"{view.slot.directory}/{sibling.name}")
    info = os.fstat(fd)
    if (info.st_dev, info.st_ino) != (sibling.device, sibling.inode):
        os.close(fd)
        return None
    view.opened[sibling] = fd
    return fd


def _compare(view: View, one: Candidate) -> Candidate:
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
    same = any(whole.matches(source.reader.fd) for source in view.files if not source.failed)
    return replace(one, twin=same, double=same or any(at.matches(fd) for at in view.known))


def ages_read(view: View, memory: Memory) -> list[Age]:
    """Of what was read for this path already, other than the file that has it now."""
    live, untouched = view.slot.live, view.untouched
    ages = [
        source.age()
        for source in view.slot.files
        if source is not live and source not in view.unread and source not in untouched
    ]
    # A copy that was made after the last look at an emptied file holds what came after that.
    looked = [lost.source.read_ns for lost in view.lost if lost.source.read_ns and not view.has_copy(lost)]
    ages += [Age(ns - GRAIN_NS) for ns in looked]
    if not ages and untouched:
        ages.append(Age(min(source.opened_ns for source in untouched) - GRAIN_NS))
    if not ages and is_successor(view, memory):
        begun = [one.opened_ns for one in memory.of_path(view.slot.path) if not one.settled.offset]
        ages.append(Age(min(begun, default=memory.time_ns) - GRAIN_NS))
    return ages


def is_successor(view: View, memory: Memory) -> bool:
    """Whether an earlier agent read another file of this path, of which this one has not heard."""
    live = view.slot.live
    if live is None or live not in view.unread or live.found_at is None:
        return False
    return bool(memory.of_path(view.slot.path))


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
