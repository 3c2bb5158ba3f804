"""Reading one open file in pieces that end where lines end.

A `Reader` knows nothing of streams, Redis or time. It never gives out bytes before it has made sure that they
continue what it gave out before: the bytes before them are still there (they are read in the same step), and the
file still begins as it did. What a file may do to it (grow, shrink, be emptied and filled again behind its back,
begin with a hole, hold lines of any length) is described in docs/tailing.md.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from logyard.agent.position import HEAD, TAIL, Position, ends
from logyard.batch import BLOCK_LIMIT, RECORD_LIMIT

__all__ = ["Piece", "Reader", "Skipped", "Truncated"]

LONG = 64 * 1024
"""A line that is not complete is read again with what follows it, unless it is longer than this."""

_NEWLINE = 0x0A
_SIZE = TAIL + BLOCK_LIMIT
_buffer = bytearray(_SIZE)  # one for all files: nothing is kept in it between two calls
_view = memoryview(_buffer)


class Piece(NamedTuple):
    """Some complete records.

    Attributes:
        block: their text, newlines between them, none at the end.
        first: offset of the first byte.
        cut: the length in bytes of a line that was cut to `RECORD_LIMIT` and is alone in the block, else 0.
        partial: the last record's line has no end (yet).
    """

    block: bytes
    first: int
    cut: int = 0
    partial: bool = False


class Truncated(Exception):
    """The file no longer holds what was read from it: it was emptied, or its beginning is another one."""


@dataclass(slots=True)
class Skipped:
    """Counts bytes that were passed over; may be shared by readers.

    Attributes:
        nul: NUL bytes at the beginning of a file.
        cut: ends of lines that were cut.
    """

    nul: int = 0
    cut: int = 0


class Reader:
    """A place in an open file.

    Attributes:
        offset: of the next byte to read; everything before it has been given out or was passed over.
        seen: where the file ended when it was last read.
        more: the last read did not reach the end of the file.
        skipped: what was passed over.
    """

    __slots__ = (
        "_base", "_digest", "_flags", "_head", "_leading", "_scanned", "_tail",
        "fd", "generation", "more", "offset", "seen", "skipped",
    )  # fmt: skip

    def __init__(self, fd: int, skipped: Skipped | None = None) -> None:
        self.fd = fd
        self.skipped = skipped or Skipped()
        self.generation = 0
        self.offset = 0
        self._base = 0  # offset of the first byte in the buffer
        self._scanned = 0  # no newline from the offset up to here
        self._head = self._tail = b""
        self._digest: blake2b | None = None  # of the head
        self._flags = ""
        self._leading = True  # nothing but zeros so far
        self.seen = 0
        self.more = False
        self._place(0)

    @property
    def held(self) -> int:
        """Bytes of a line at the end of the file that has no end yet."""
        return self.seen - self.offset

    @property
    def position(self) -> Position:
        """The state to store with the last piece."""
        digest = self._digest
        if digest is None:
            digest = self._digest = blake2b(self._head, digest_size=8)
        digest = digest.copy()
        digest.update(self._tail)
        return Position(self.generation, self.offset, len(self._head), digest.hexdigest(), self._flags)

    def seek(self, position: Position) -> None:
        """Go on at a position that `Position.matches` this file.

        Raises:
            OSError: the file cannot be read.
        """
        self.generation = position.generation
        self._place(position.offset, position.flags)
        self.seen, self.more = position.offset, False

    def restart(self, generation: int) -> None:
        """Go to the beginning of a file that starts over."""
        self.generation = generation
        self._place(0)
        self.seen, self.more = 0, False

    def read(self, *, flush: bool = False) -> Piece | None:
        """The next piece, None when there is no complete line (or only something to pass over: see ``more``).

        Args:
            flush: give out a line without an end as well.

        Raises:
            Truncated: the file starts over; nothing was read.
            OSError: it cannot be read.
        """
        if self._scanned - self.offset >= LONG:
            return self._read_long(flush)
        tail = self._tail
        begin = len(tail)
        self._base = base = self.offset - begin
        size = os.preadv(self.fd, [_buffer], base)
        if not _buffer.startswith(tail, 0, size):
            raise Truncated
        self.seen = base + size
        self.more = size == _SIZE
        self._check_head()  # also where nothing is new: it may have been emptied and filled to the same size
        if size == begin:
            return None
        if self._flags or self._leading:
            begin = self._pass_over(begin, size)
        end = _buffer.rfind(b"\n", begin, size)
        if end < 0:
            return self._without_end(begin, size, flush)
        block = bytes(_view[begin:end])
        self._advance(end + 1)
        return Piece(block, base + begin)

    # inside

    def _place(self, offset: int, flags: str = "") -> None:
        self._head, self._tail = ends(self.fd, offset)
        self._base = offset
        self._digest = None
        self._flags = flags
        self._leading = offset == 0
        self._scanned = offset
        self.offset = offset

    def _check_head(self) -> None:
        head = self._head
        if head and os.pread(self.fd, len(head), 0) != head:
            raise Truncated

    def _advance(self, to: int, flags: str = "") -> None:
        """Everything in the buffer before index ``to`` is done."""
        head = self._head
        if len(head) < HEAD:
            # Less than HEAD bytes were done, so the head ends where the undone part begins.
            at = len(head) - self._base
            self._head = head + bytes(_view[at : min(to, at + HEAD - len(head))])
            self._digest = None
        self._tail = bytes(_view[max(0, to - TAIL) : to])
        self._flags = flags
        self._scanned = self.offset = self._base + to

    def _pass_over(self, begin: int, size: int) -> int:
        """Skip what belongs to no record at ``begin`` in the buffer, and return where the rest begins.

        Moves only in memory: the state that is stored with the next piece tells of it.
        """
        to, flags = begin, ""
        if self._leading:
            # A hole, or zeros: what a writer leaves that goes on at its old offset in a file that was emptied.
            to = size - len(bytes(_view[begin:size]).lstrip(b"\0"))
            self._leading = to == size
            self.skipped.nul += to - begin
        elif self._flags == "p":
            if _buffer[begin] == _NEWLINE:
                to = begin + 1  # only the end of a line that was published without it
        else:
            end = _buffer.find(b"\n", begin, size)
            to, flags = (size, "s") if end < 0 else (end + 1, "")
            self.skipped.cut += to - begin
        if to > begin:
            self._advance(to, flags)
            if self._leading and self.more:
                self._jump_hole()
        return to

    def _jump_hole(self) -> None:
        end = os.lseek(self.fd, 0, os.SEEK_END)
        try:
            data = os.lseek(self.fd, self.offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # ENXIO: nothing but a hole from here on
                return
            data = end
        if data > self.offset:
            self.skipped.nul += data - self.offset
            self._place(data)
            self.seen = data
            self._leading = True  # the block behind a hole may begin with zeros

    def _without_end(self, begin: int, size: int, flush: bool) -> Piece | None:
        if begin == size:
            return None
        if self.more:
            self._scanned = self.offset + size - begin
            return self._read_long(flush)
        if not flush:
            self._scanned = self.seen
            return None
        piece = Piece(bytes(_view[begin:size]), self.offset, partial=True)
        self._advance(size, "p")
        return piece

    def _read_long(self, flush: bool) -> Piece | None:
        """A line of which the part up to ``_scanned`` is known to hold no newline."""
        at = self._scanned
        size = os.preadv(self.fd, [_view[:BLOCK_LIMIT]], at)
        end = _buffer.find(b"\n", 0, size)
        if size == 0 and os.fstat(self.fd).st_size < at:
            raise Truncated
        self.seen = at + size
        self.more = size == BLOCK_LIMIT or end >= 0
        if end < 0:
            self._scanned = at + size
            if self.more or not flush:
                self._check_head()
                return None
        stop = self._scanned if end < 0 else at + end
        length = stop - self.offset
        block = os.pread(self.fd, min(length, RECORD_LIMIT), self.offset)
        _, tail = ends(self.fd, self.offset, 0)
        self._check_head()
        if len(block) < min(length, RECORD_LIMIT) or tail != self._tail:
            raise Truncated
        first, cut = self.offset, length if length > RECORD_LIMIT else 0
        if cut:
            self.skipped.cut += cut - RECORD_LIMIT
        if end >= 0:
            self._place(stop + 1)
        else:
            self._place(stop, "s" if cut else "p")
        return Piece(block, first, cut, end < 0)
