"""From directories to open files: what the rules find is opened, and followed when it is given other names.

Nothing here reads a file's lines or waits for anything.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import Container, Iterable

from logyard.agent.discovery import Directory, Found, Tree
from logyard.agent.openfiles import OpenFiles
from logyard.agent.report import Counters
from logyard.agent.rotation import original_name
from logyard.agent.rules import Pattern
from logyard.agent.source import Slot, Source
from logyard.agent.watch import Noticed, Watcher
from logyard.errors import UsageError

__all__ = ["Follower"]

log = logging.getLogger(__name__)


class Follower:
    """See the module.

    Attributes:
        looks: directories to list again; ``look_everywhere``: all of them.
        changed: set when there is something to list.
    """

    def __init__(
        self,
        node: str,
        patterns: list[Pattern],
        watcher: Watcher,
        counters: Counters,
        files: OpenFiles,
    ) -> None:
        self.looks: set[str] = set()
        self.look_everywhere = True
        self.changed = asyncio.Event()
        self._node = node
        self._watcher = watcher
        self._counters = counters
        self._files = files
        self._register = files.register
        self._tree = Tree(patterns, self._watch)
        self._scanned = False
        self._refused: dict[str, str] = {}

    # what the kernel says

    def notice(self, noticed: Noticed) -> None:
        """Take in what a watcher collected."""
        for path in noticed.grown:
            slot = self._register.named(path)
            if slot is not None:
                for source in slot.files:
                    self._files.ready(source)
                self._files.doubt_empty(slot)
        if noticed.changed or noticed.everything:
            self._files.doubt(noticed.changed)
            self.looks |= noticed.changed
            self.look_everywhere |= noticed.everything
            self.changed.set()

    # looking for files

    def look(self, now: float) -> None:
        """List what has changed, or everything."""
        everything, looks = self.look_everywhere, self.looks
        self.look_everywhere, self.looks = False, set()
        self.changed.clear()
        if not everything:
            for path in looks:
                for linked in self._register.linked.get(path, (path,)):
                    for directory in self._tree.look(linked):
                        self._apply(directory, now)
            return
        self._register.refresh_links()
        self._refused = {path: why for path, why in self._refused.items() if os.path.lexists(path)}
        for path in self._register.linked:
            self._watcher.watch(path, followed=True)
        listed = self._tree.scan()
        for directory in listed:
            self._apply(directory, now)
        present = {directory.path for directory in listed}
        for path in [path for path in self._register.directories if path not in present]:
            for slot in self._register.in_directory(path).values():
                self._leave(slot, now)
        for path in set(self._watcher.watched) - present - set(self._register.linked):
            self._watcher.unwatch(path)
        self._scanned = True

    def check(self, slots: Iterable[Slot]) -> None:
        """Look at sizes and times of open files: for what no notification told."""
        for slot in slots:
            for source in slot.files:
                try:
                    if source.may_have_changed():
                        self._files.ready(source)
                except OSError as error:
                    self._files.fail(source, error)

    def poll(self, now: float) -> None:
        """Look at the files in directories that cannot be watched, and for rotations of them."""
        polled = self._watcher.polled
        if not polled:
            return
        for slot in list(self._register.slots.values()):
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

    # inside

    def _watch(self, directory: Directory) -> None:
        if directory.waits:
            self._watcher.watch(directory.path, followed=directory.followed)
        elif directory.path not in self._register.linked:
            self._watcher.unwatch(directory.path)

    def _apply(self, directory: Directory, now: float) -> None:
        known = self._register.in_directory(directory.path)
        for name, found in directory.files.items():
            slot = known.get(name)
            if slot is not None and slot.entry == found.inode and slot.current:
                continue
            if slot is None and _belongs_to_another(name, found, directory.files, known):
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
            directory.listed_ns = directory.before_ns  # it is somewhere else already, and was not here before that
            return
        except OSError as error:
            self._refuse(path, error.strerror or str(error))
            return
        info = os.fstat(fd)
        known = self._register.sources.get((info.st_dev, info.st_ino))
        if known is not None and known.failed:
            self._files.close(known)
            known, slot = None, self._register.slots.get(path)
        if known is not None or not stat.S_ISREG(info.st_mode):
            os.close(fd)
            if known is not None:
                self._find_again(known, slot, found, now)
            return
        try:
            slot = slot or self._make_slot(path, directory, found)
        except UsageError as error:
            os.close(fd)
            self._refuse(path, str(error))
            return
        if self._refused.pop(path, None) is not None:
            log.info("%s can be read now", path)
        if slot.current:
            self._files.rotate(slot.files[-1], now)
        source = Source(slot, fd, info, path, now, self._counters.skipped)
        if not self._scanned:
            source.found_at = info.st_size
        self._register.add(source)
        slot.files.append(source)
        slot.current, slot.entry = True, found.inode
        self._files.freeze(slot)

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
                self._files.rotate(slot.files[-1], now)
            slot.files.remove(source)
            slot.files.append(source)
            slot.current = True
            self._files.regain(source)
            self._files.freeze(slot)

    def _make_slot(self, path: str, directory: Directory, found: Found) -> Slot:
        slot = Slot(self._node, path, found.pattern, found.pattern.labels(path))
        slot.missing_ns = directory.before_ns
        self._register.enter(slot)
        if slot.directory != directory.path:
            self._watcher.watch(slot.directory, followed=True)
        return slot

    def _leave(self, slot: Slot, now: float) -> None:
        """The path is gone, or another file of another slot has it."""
        if slot.current:
            self._files.rotate(slot.files[-1], now)
            slot.current, slot.entry = False, 0
            self._files.freeze(slot)

    def _refuse(self, path: str, reason: str) -> None:
        if self._refused.get(path) != reason:
            self._refused[path] = reason
            self._counters.errors += 1
            log.warning("%s cannot be followed: %s; trying again", path, reason)


def _belongs_to_another(name: str, found: Found, *followed: Container[str]) -> bool:
    """Whether a glob also found a rotated file: ``app.log.1`` beside ``app.log``, which may just be made anew."""
    original = None if found.pattern.exact else original_name(name)
    return original is not None and any(original in names for names in followed)
