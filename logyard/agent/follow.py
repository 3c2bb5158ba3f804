"""Which files are open: rules and directories on one side, slots and sources on the other.

Nothing here reads a file's lines or waits for anything. What is found out is handed on in two ways: a source that
may have something to read goes to ``ready`` (one that was closed, to ``closed``); a slot whose files changed is
frozen and put into ``unsettled`` until `logyard.agent.resolve` has asked Redis where to go on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from logyard.agent.discovery import Directory, Found, Tree
from logyard.agent.report import Counters
from logyard.agent.rotation import original_name
from logyard.agent.rules import Pattern
from logyard.agent.source import Slot, Source
from logyard.agent.watch import Noticed, Watcher
from logyard.errors import UsageError

__all__ = ["Follower", "Patience"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a file stays open which no longer has its path.

    Attributes:
        rotated: since it last grew, when another file has the path.
        moved: since it last grew, when none has.
        deleted: since it last grew, when it has no name any more.
        answered: since Redis acknowledged its last batch, in any case: a Redis that crashes may lose it again.
    """

    rotated: float = 60.0
    moved: float = 3600.0
    deleted: float = 10.0
    answered: float = 10.0


class Follower:
    """See the module.

    Attributes:
        slots: by path.
        sources: the open files by device and inode.
        unsettled: slots that are frozen, in the order in which they were.
        noticed: set when ``unsettled`` needs a look.
        looks: directories to list again; ``look_everywhere``: all of them.
        changed: set when there is something to list.
    """

    def __init__(
        self,
        node: str,
        patterns: list[Pattern],
        watcher: Watcher,
        counters: Counters,
        ready: Callable[[Source], None],
        closed: Callable[[Source], None],
        patience: Patience,
    ) -> None:
        self.slots: dict[str, Slot] = {}
        self.sources: dict[tuple[int, int], Source] = {}
        self.unsettled: dict[Slot, None] = {}
        self.noticed = asyncio.Event()
        self.looks: set[str] = set()
        self.look_everywhere = True
        self.changed = asyncio.Event()
        self._node = node
        self._watcher = watcher
        self._counters = counters
        self._ready = ready
        self._closed = closed
        self._patience = patience
        self._tree = Tree(patterns, self._watch)
        self._scanned = False
        self._in_directory: dict[str, dict[str, Slot]] = {}
        self._named: dict[str, Slot] = {}  # paths that lead to files of a slot: its own, real and rotated ones
        self._linked: dict[str, set[str]] = {}  # directories behind symbolic links, to those with the links
        self._rotated: dict[Source, None] = {}
        self._refused: dict[str, str] = {}

    # what the kernel says

    def notice(self, noticed: Noticed) -> None:
        """Take in what a watcher collected."""
        for path in noticed.grown:
            slot = self._named.get(path)
            if slot is not None:
                for source in slot.files:
                    self._ready(source)
        if noticed.changed or noticed.everything:
            self.looks |= noticed.changed
            self.look_everywhere |= noticed.everything
            self.changed.set()

    def rename(self, source: Source, path: str) -> None:
        """A file has another name now."""
        if source.path != path:
            source.path = path
            self._named.setdefault(path, source.slot)

    # looking for files

    def look(self, now: float) -> None:
        """List what has changed, or everything."""
        everything, looks = self.look_everywhere, self.looks
        self.look_everywhere, self.looks = False, set()
        self.changed.clear()
        if not everything:
            for path in looks:
                for linked in self._linked.get(path, (path,)):
                    for directory in self._tree.look(linked):
                        self._apply(directory, now)
            return
        for path in self._linked:
            self._watcher.watch(path, followed=True)
        listed = self._tree.scan()
        for directory in listed:
            self._apply(directory, now)
        present = {directory.path for directory in listed}
        for path in [path for path in self._in_directory if path not in present]:
            for slot in list(self._in_directory[path].values()):
                self._leave(slot, now)
        for path in set(self._watcher.watched) - present - set(self._linked):
            self._watcher.unwatch(path)
        self._scanned = True

    def check(self, slots: Iterable[Slot]) -> None:
        """Look at the sizes of open files: for what no notification told."""
        for slot in slots:
            for source in slot.files:
                try:
                    if source.size() != source.reader.seen:
                        self._ready(source)
                except OSError as error:
                    self.fail(source, error)

    def poll(self, now: float) -> None:
        """Look at the files in directories that cannot be watched, and for rotations of them."""
        polled = self._watcher.polled
        if not polled:
            return
        for slot in list(self.slots.values()):
            directory = slot.path.rpartition("/")[0]
            if directory not in polled and slot.directory not in polled:
                continue
            self.check((slot,))
            live = slot.live
            try:
                info = os.stat(slot.path)  # noqa: PTH116
            except OSError:
                info = None
            here = None if info is None else (info.st_dev, info.st_ino)
            if here != (None if live is None else (live.device, live.inode)):
                for one in self._tree.look(directory or "/"):
                    self._apply(one, now)

    # files that no longer have their path

    def tidy(self, now: float) -> None:
        """Close what was rotated away, is read to its end and stays quiet. Only while Redis is connected."""
        for source in list(self._rotated):
            try:
                info = os.fstat(source.reader.fd)
            except OSError as error:
                self.fail(source, error)
                continue
            if info.st_size != source.reader.seen and not source.failed:
                self._ready(source)
            elif self._is_done(source, now, deleted=info.st_nlink == 0):
                self.close(source)

    def _is_done(self, source: Source, now: float, *, deleted: bool) -> bool:
        slot, reader, patience = source.slot, source.reader, self._patience
        if source.failed:
            return True
        if slot.frozen or source.in_flight or reader.more or reader.held or slot.blocker(source) is not None:
            return False
        if now - source.answered_at < patience.answered:
            return False
        limit = patience.deleted if deleted else patience.rotated if slot.current else patience.moved
        return now - max(source.grown_at, source.rotated_at) >= limit

    def close(self, source: Source) -> None:
        """Stop following a file."""
        os.close(source.reader.fd)
        self._closed(source)
        slot = source.slot
        slot.files.remove(source)
        self.sources.pop((source.device, source.inode), None)
        self._rotated.pop(source, None)
        if not slot.files:
            self._forget(slot)
        elif self._named.get(source.path) is slot and source.path not in {slot.path, f"{slot.directory}/{slot.name}"}:
            del self._named[source.path]

    def close_all(self) -> None:
        """Close every file."""
        for source in list(self.sources.values()):
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
            self._ready(later)

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
            self._ready(source)

    def adopt(self, slot: Slot, fd: int, name: str, now: float) -> Source:
        """Follow a rotated file of ``slot`` that was found beside it."""
        path = f"{slot.directory}/{name}"
        source = Source(slot, fd, os.fstat(fd), path, now, self._counters.skipped)
        self.sources[source.device, source.inode] = source
        self._rotated[source] = None
        self._named.setdefault(path, slot)
        slot.files.insert(0, source)
        return source

    # inside

    def _watch(self, directory: Directory) -> None:
        if directory.waits:
            self._watcher.watch(directory.path, followed=directory.followed)
        elif directory.path not in self._linked:
            self._watcher.unwatch(directory.path)

    def _apply(self, directory: Directory, now: float) -> None:
        known = self._in_directory.get(directory.path, {})
        for name, found in directory.files.items():
            slot = known.get(name)
            if slot is not None and slot.entry == found.inode and slot.current:
                continue
            if slot is None and _belongs_to_another(directory, name, found):
                continue
            self._open(directory, name, found, slot, now)
        for name in known.keys() - directory.files.keys():
            self._leave(known[name], now)

    def _open(self, directory: Directory, name: str, found: Found, slot: Slot | None, now: float) -> None:
        path = directory.join(name)
        try:
            # Not blocking: should the name have become that of a pipe by now.
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            self._refuse(path, error.strerror or str(error))
            return
        info = os.fstat(fd)
        known = self.sources.get((info.st_dev, info.st_ino))
        if known is not None and known.failed:
            self.close(known)
            known, slot = None, self.slots.get(path)
        if known is not None or not stat.S_ISREG(info.st_mode):
            os.close(fd)
            if known is not None:
                self._find_again(known, slot, found, now)
            return
        try:
            slot = slot or self._make_slot(path, directory.path, found)
        except UsageError as error:
            os.close(fd)
            self._refuse(path, str(error))
            return
        if self._refused.pop(path, None) is not None:
            log.info("%s can be read now", path)
        if slot.current:
            self._rotate(slot.files[-1], now)
        source = Source(slot, fd, info, path, now, self._counters.skipped)
        if not self._scanned:
            source.found_at = info.st_size
        self.sources[info.st_dev, info.st_ino] = source
        slot.files.append(source)
        slot.current, slot.entry = True, found.inode
        self.freeze(slot)

    def _find_again(self, source: Source, slot: Slot | None, found: Found, now: float) -> None:
        """A path leads to a file that is open already."""
        if slot is None or source.slot is not slot:
            # The file of another path was given this name, or has two: it is read once, for the first of them.
            source.rotated_at = now
            if slot is not None:
                self._leave(slot, now)
            return
        slot.entry = found.inode
        if not slot.current or slot.files[-1] is not source:
            if slot.current:
                self._rotate(slot.files[-1], now)
            slot.files.remove(source)
            slot.files.append(source)
            slot.current = True
            self._rotated.pop(source, None)
            source.path = slot.path
            self.freeze(slot)

    def _make_slot(self, path: str, directory: str, found: Found) -> Slot:
        slot = Slot(self._node, path, found.pattern, found.pattern.labels(path))
        self._enter(slot)
        if slot.directory != directory:
            self._linked.setdefault(slot.directory, set()).add(directory)
            self._watcher.watch(slot.directory, followed=True)
        return slot

    def _enter(self, slot: Slot) -> None:
        self.slots[slot.path] = slot
        directory, _, name = slot.path.rpartition("/")
        self._in_directory.setdefault(directory or "/", {})[name] = slot
        for path in (slot.path, f"{slot.directory}/{slot.name}"):
            self._named[path] = slot

    def _forget(self, slot: Slot) -> None:
        self.slots.pop(slot.path, None)
        self.unsettled.pop(slot, None)
        directory, _, name = slot.path.rpartition("/")
        self._in_directory.get(directory or "/", {}).pop(name, None)
        for path in [path for path, named in self._named.items() if named is slot]:
            del self._named[path]

    def _leave(self, slot: Slot, now: float) -> None:
        """The path is gone, or another file of another slot has it."""
        if slot.current:
            self._rotate(slot.files[-1], now)
            slot.current, slot.entry = False, 0
            self.freeze(slot)

    def _rotate(self, source: Source, now: float) -> None:
        source.rotated_at = now
        self._rotated[source] = None
        self._ready(source)

    def _refuse(self, path: str, reason: str) -> None:
        if self._refused.get(path) != reason:
            self._refused[path] = reason
            self._counters.errors += 1
            log.warning("%s cannot be followed: %s; trying again", path, reason)


def _belongs_to_another(directory: Directory, name: str, found: Found) -> bool:
    """Whether a glob also found a rotated file: ``app.log.1`` beside ``app.log``."""
    original = None if found.pattern.exact else original_name(name)
    return original is not None and original in directory.files
