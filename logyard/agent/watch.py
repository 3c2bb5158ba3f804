"""Being told by the kernel when something happens in a directory.

One inotify instance for the process, one watch for a directory: a thousand files in a directory cost one watch.
Where there is no inotify, or no watch is left, the directory is looked at again and again instead (`Watcher.polled`).
"""

from __future__ import annotations

import errno
import logging
import os
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from inotify_simple import INotify

__all__ = ["Noticed", "Watcher"]

log = logging.getLogger(__name__)

# From <sys/inotify.h>; named here because importing inotify_simple is left to the first watch.
_MODIFY = 0x2
_ATTRIB = 0x4
_MOVED_FROM, _MOVED_TO = 0x40, 0x80
_CREATE, _DELETE = 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_UNMOUNT, _Q_OVERFLOW, _IGNORED = 0x2000, 0x4000, 0x8000
_ONLYDIR, _MASK_ADD = 0x01000000, 0x20000000

_ON_THE_WAY = _CREATE | _MOVED_TO | _DELETE_SELF | _MOVE_SELF | _ONLYDIR | _MASK_ADD
_FOLLOWED = _ON_THE_WAY | _MODIFY | _MOVED_FROM | _DELETE | _ATTRIB
_NAMES = _CREATE | _MOVED_FROM | _MOVED_TO | _DELETE | _ATTRIB
_SELF = _DELETE_SELF | _MOVE_SELF | _UNMOUNT | _IGNORED
_HEADER = Struct("iIII")


class Noticed(NamedTuple):
    """What happened since the last look.

    Attributes:
        grown: paths of files that were written to.
        changed: directories in which names came, went or were given to other files.
        everything: something was missed, or a directory itself went: look at all of them.
    """

    grown: set[str]
    changed: set[str]
    everything: bool


class Watcher:
    """See the module.

    Attributes:
        polled: directories that cannot be watched.

    Args:
        polling: do without inotify.
    """

    def __init__(self, *, polling: bool = False) -> None:
        self.polled: set[str] = set()
        self._polling = polling
        self._inotify: INotify | None = None
        self._paths: dict[int, list[str]] = {}
        self._watches: dict[str, int] = {}

    def watch(self, directory: str, *, followed: bool) -> None:
        """Watch a directory; again is harmless, and needed when another one may have got its name.

        Args:
            directory: its path.
            followed: tell of its files as well, not only of new names in it.
        """
        if self._polling or (self._inotify is None and not self._open()):
            self.polled.add(directory)
            return
        assert self._inotify is not None
        try:
            number = self._inotify.add_watch(directory, _FOLLOWED if followed else _ON_THE_WAY)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.ENOMEM}:
                if not self.polled:
                    log.warning(
                        "no inotify watch is left for %s: it is polled (more: sysctl fs.inotify.max_user_watches)",
                        directory,
                    )
                self.polled.add(directory)
            return  # it is not there, or not for us: the next look at everything tries again
        self.polled.discard(directory)
        before = self._watches.get(directory)
        if before != number:
            if before is not None:
                self._release(directory, before)
            self._watches[directory] = number
            self._paths.setdefault(number, []).append(directory)

    def unwatch(self, directory: str) -> None:
        """Stop watching a directory."""
        self.polled.discard(directory)
        number = self._watches.pop(directory, None)
        if number is not None:
            self._release(directory, number)

    @property
    def watched(self) -> list[str]:
        """The directories that are watched."""
        return list(self._watches)

    def fileno(self) -> int | None:
        """What becomes readable when something happens; None while there is no watch."""
        return None if self._inotify is None else int(self._inotify.fileno())

    def collect(self) -> Noticed:
        """What happened, without waiting."""
        noticed = Noticed(set(), set(), everything=False)
        if self._inotify is None:
            return noticed
        try:
            data = os.read(self._inotify.fileno(), 65536)
        except BlockingIOError:
            return noticed
        everything = False
        grown, changed = noticed.grown, noticed.changed
        at = 0
        while at < len(data):
            number, mask, _, length = _HEADER.unpack_from(data, at)
            at += _HEADER.size
            name = data[at : at + length]
            at += length
            if mask & _MODIFY:
                text = os.fsdecode(name.rstrip(b"\0"))
                grown.update(f"{path.rstrip('/')}/{text}" for path in self._paths.get(number, ()))
            elif mask & _NAMES and length:
                changed.update(self._paths.get(number, ()))
            elif mask & (_SELF | _Q_OVERFLOW):
                everything = True
                if mask & _IGNORED:
                    for path in self._paths.pop(number, ()):
                        self._watches.pop(path, None)
        return Noticed(grown, changed, everything)

    def close(self) -> None:
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    # inside

    def _open(self) -> bool:
        try:
            import inotify_simple

            self._inotify = inotify_simple.INotify(nonblocking=True)
        except (ImportError, OSError) as error:
            log.warning("files are polled: there is no inotify (%s)", error)
            self._polling = True
            return False
        return True

    def _release(self, directory: str, number: int) -> None:
        paths = self._paths.get(number, [])
        if directory in paths:
            paths.remove(directory)
        if not paths and self._inotify is not None:
            self._paths.pop(number, None)
            try:
                self._inotify.rm_watch(number)
            except OSError:
                return  # it went by itself, with its directory
