"""The open files: what may be read of them now, and when they are closed.

A source that may have something to read goes to ``ready``, one that was closed to ``closed``. A slot whose files
changed is frozen and put into ``unsettled`` until `logyard.agent.resolve` has asked Redis where to go on.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Container, Iterable

from logyard.agent.aging import Patience
from logyard.agent.position import Position
from logyard.agent.register import Register
from logyard.agent.report import Counters
from logyard.agent.rotation import Listing, open_sibling
from logyard.agent.source import Slot, Source

__all__ = ["FileId", "OpenFiles"]

FileId = tuple[int, int]
"""Device and inode."""

log = logging.getLogger(__name__)


class OpenFiles:
    """See the module.

    Attributes:
        register: the followed paths and the open files.
        ready: called with a source that may have something to read.
        unsettled: slots that are frozen, in the order in which they were.
        noticed: set when ``unsettled`` needs a look.
    """

    def __init__(
        self,
        counters: Counters,
        ready: Callable[[Source], None],
        closed: Callable[[Source], None],
        patience: Patience,
    ) -> None:
        self.register = Register()
        self.ready = ready
        self.unsettled: dict[Slot, None] = {}
        self.noticed = asyncio.Event()
        self._counters = counters
        self._closed = closed
        self._patience = patience
        self._rotated: dict[Source, None] = {}
        self._emptied: dict[Source, frozenset[FileId]] = {}

    def tidy(self, now: float) -> None:
        """Close what was rotated away, is read to its end and stays quiet. Only while Redis is connected."""
        for source in list(self._rotated):
            try:
                info = os.fstat(source.reader.fd)
            except OSError as error:
                self.fail(source, error)
                continue
            if info.st_size != source.reader.seen and not source.failed:
                self.ready(source)
            elif self._patience.is_over(source, now, deleted=info.st_nlink == 0):
                self.close(source)

    def close(self, source: Source) -> None:
        """Stop following a file."""
        os.close(source.reader.fd)
        self._closed(source)
        self._rotated.pop(source, None)
        self._emptied.pop(source, None)
        self.register.remove(source)
        slot = source.slot
        slot.files.remove(source)
        if not slot.files:
            self.unsettled.pop(slot, None)
            self.register.forget(slot)

    def close_all(self) -> None:
        """Close every file."""
        for source in list(self.register.sources.values()):
            self.close(source)

    def fail(self, source: Source, error: OSError) -> None:
        """A file cannot be read any more; it is opened again at the next look."""
        if source.failed:
            return
        source.failed = error.strerror or str(error)
        self._counters.errors += 1
        log.warning("%s cannot be read any more: %s; trying again", source.path, source.failed)
        slot = source.slot
        slot.current = slot.current and slot.files[-1] is not source
        slot.entry = 0
        self._rotated[source] = None
        for later in slot.files:
            self.ready(later)

    def freeze(self, slot: Slot) -> None:
        """Read nothing of this path until its positions have been asked for."""
        slot.frozen = True
        slot.changes += 1
        self.unsettled[slot] = None
        self.noticed.set()

    def thaw(self, slot: Slot) -> None:
        """Its files are placed: go on reading, the oldest first."""
        slot.frozen = False
        self.unsettled.pop(slot, None)
        for source in slot.files:
            self.ready(source)

    def start_over(self, source: Source, beside: Iterable[FileId]) -> None:
        """A file was emptied: nothing of what is in it now has been read; ``beside``: files that are there besides."""
        self._emptied[source] = frozenset(beside)

    def twins(self, slot: Slot, same: Iterable[FileId]) -> None:
        """These files hold the same as one that is followed: one that is about to be emptied, maybe."""
        live = slot.live
        if live in self._emptied:
            self._emptied[live] -= frozenset(same)

    def was_overtaken(self, source: Source) -> bool:
        """Whether an emptied file, of which the first bytes have just been read, was copied and emptied once more.

        Then the copy of what it held in between is there by now, and has to be read first: the file is taken back to
        its beginning and its path is frozen.

        Raises:
            OSError: the directory cannot be read.
        """
        beside = self._emptied.pop(source, None)
        if beside is None:
            return False
        slot = source.slot
        listing = Listing(slot.directory)
        siblings = [one for one in listing.siblings(slot.name) if one.rotated and one.size]
        new = [one for one in siblings if (one.device, one.inode) not in beside]
        copies = all(_is_copy(f"{slot.directory}/{one.name}", source.reader.fd) for one in new)
        if copies and listing.is_whole(slot.name):
            return False
        self._emptied[source] = beside
        source.begin(source.stored, source.reader.generation)
        self.freeze(slot)
        return True

    def doubt(self, directories: Container[str]) -> None:
        """Names in directories changed: a file there may have been emptied again before anything was read of it."""
        for source in list(self._emptied):
            if source.reader.offset:
                self._emptied.pop(source)
            elif source.slot.directory in directories:
                self.freeze(source.slot)

    def doubt_empty(self, slot: Slot) -> None:
        """A file was written to, or emptied: as above."""
        live = slot.live
        if live in self._emptied and not live.reader.offset and not live.size():
            self.freeze(slot)

    def adopt(self, slot: Slot, fd: int, name: str, now: float) -> Source:
        """Follow a rotated file of ``slot`` that was found beside it."""
        path = f"{slot.directory}/{name}"
        source = Source(slot, fd, os.fstat(fd), path, now, self._counters.skipped)
        self.register.add(source)
        self._rotated[source] = None
        slot.files.insert(0, source)
        return source

    def regain(self, source: Source) -> None:
        """A file has got its path again."""
        self._rotated.pop(source, None)
        self.register.rename(source, source.slot.path)

    def rotate(self, source: Source, now: float) -> None:
        """A file lost its path."""
        source.rotated_at = now
        self._rotated[source] = None
        self.ready(source)


def _is_copy(path: str, fd: int) -> bool:
    """Whether the file at ``path`` holds what the beginning of ``fd`` does, as far as `Position` tells."""
    try:
        copy = open_sibling(path)
    except OSError:
        return False
    try:
        return Position.at(copy, os.fstat(copy).st_size).matches(fd)
    finally:
        os.close(copy)
