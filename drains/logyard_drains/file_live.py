"""The live file of a file drain: open for appending, and locked against other writers. Blocks; for a thread."""

from __future__ import annotations

import errno
import fcntl
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from logyard.errors import RetryLater
from logyard_drains.file_position import TAIL, Position

__all__ = ["LiveFile", "holds"]

_VECTORS = 1024
"""IOV_MAX of Linux: buffers that one writev takes."""
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def holds(fd: int, position: Position) -> bool:
    """Whether the file reaches up to the position, and is the one that the position is about."""
    if os.fstat(fd).st_size < position.length:
        return False
    start = max(0, position.length - TAIL)
    return zlib.crc32(os.pread(fd, position.length - start, start)) == position.tail


class LiveFile:
    """See the module.

    Args:
        path: the file; made when it does not exist.

    Raises:
        RetryLater: somebody else has locked it.
        OSError: the directory is missing, not writable, full, ...
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.fd = self._open()

    def _open(self) -> int:
        while True:
            fd = os.open(self._path, _FLAGS, 0o666)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                raise RetryLater(f"{self._path}: another drain or process writes to this file") from None
            except OSError as error:
                if error.errno not in _NO_LOCKS:  # a file system without locks: go on without
                    os.close(fd)
                    raise
            if self._is_named(fd):
                return fd
            os.close(fd)  # renamed between opening and locking

    def _is_named(self, fd: int) -> bool:
        try:
            named, held = self._path.stat(), os.fstat(fd)
        except FileNotFoundError:
            return False
        return (named.st_ino, named.st_dev) == (held.st_ino, held.st_dev)

    @property
    def in_place(self) -> bool:
        """Whether the path still leads to the open file; somebody may have renamed or removed it."""
        return self._is_named(self.fd)

    def turn(self) -> None:
        """Leave the open file for the one that the path leads to now."""
        fd = self._open()
        os.close(self.fd)
        self.fd = fd

    def close(self) -> None:
        """Close it, and with it give up the lock."""
        os.close(self.fd)

    def end(self, position: Position) -> Position:
        """``position`` moved to the end of the file; other writers' bytes count, so that cutting never tears them."""
        size = os.fstat(self.fd).st_size
        start = max(0, size - TAIL)
        return position.moved(size, os.pread(self.fd, size - start, start))

    def end_line(self) -> None:
        """Put a newline behind somebody's unfinished line, so that no record is glued to it."""
        size = os.fstat(self.fd).st_size
        if size and os.pread(self.fd, 1, size - 1) != b"\n":
            os.write(self.fd, b"\n")

    def cut(self, length: int) -> None:
        os.ftruncate(self.fd, length)

    def write(self, blocks: Sequence[bytes], *, sync: bool) -> None:
        """Append the blocks, all of them or nothing; with ``sync`` they are on the disk then.

        Raises:
            RetryLater: the disk is full.
            OSError: anything else.
        """
        before = os.fstat(self.fd).st_size
        try:
            for start in range(0, len(blocks), _VECTORS):
                self.write_some(list(blocks[start : start + _VECTORS]))
            if sync:
                os.fdatasync(self.fd)
        except OSError as error:
            self.cut(before)
            if error.errno in _FULL:
                raise RetryLater(f"{self._path}: {error.strerror}; nothing was written") from error
            raise

    def write_some(self, buffers: list[bytes | memoryview]) -> None:
        """Write at most IOV_MAX buffers, however many calls that takes."""
        while buffers:
            written = os.writev(self.fd, buffers)
            while buffers and written >= len(buffers[0]):
                written -= len(buffers.pop(0))
            if written:
                buffers[0] = memoryview(buffers[0])[written:]
