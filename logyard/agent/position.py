"""How far a file has been read: the state of a source as it is stored in Redis beside the data.

The text is ``<generation> <offset> <head> <fingerprint> <flags>``, all in one step with the batch that ends at
``offset``. It can be checked against a file: the fingerprint covers the first ``head`` bytes and the bytes just
before ``offset``, so neither another file with the same inode number nor a file that was emptied and filled again
is taken for the one that was read, even when all files of an application begin with the same lines.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b
from zlib import crc32

__all__ = ["HEAD", "TAIL", "Position", "first_generation", "source_id"]

HEAD = 1024
"""Bytes at the beginning of a file that take part in its fingerprint, fewer while fewer have been read."""
TAIL = 64
"""Bytes just before the offset that take part in it."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file up to which everything has been published.

    Attributes:
        generation: grows by one whenever the same file starts over (truncation, inode number reused).
        offset: bytes from the beginning.
        head: how many bytes of the file's beginning the fingerprint covers.
        fingerprint: 16 hex digits.
        flags: ``p``: the offset is inside a line whose beginning has been published as a partial record;
            ``s``: it is inside a line that was cut, whose rest is skipped; else empty.
    """

    generation: int
    offset: int
    head: int
    fingerprint: str
    flags: str = ""

    def encode(self) -> bytes:
        """As it is stored."""
        return f"{self.generation} {self.offset} {self.head} {self.fingerprint} {self.flags or '-'}".encode()

    @classmethod
    def decode(cls, state: bytes) -> Position | None:
        """What `encode` made; None for b"" (nothing is stored).

        Raises:
            ValueError: the state was not written by this version.
        """
        if not state:
            return None
        generation, offset, head, fingerprint, flags = state.decode().split(" ")
        if flags not in {"-", "p", "s"}:
            raise ValueError(f"unknown flags {flags!r}")
        return cls(int(generation), int(offset), int(head), fingerprint, flags.strip("-"))

    @classmethod
    def at(cls, fd: int, offset: int, generation: int = 0, flags: str = "") -> Position:
        """The position at ``offset`` in an open file, which must be at least that long.

        Raises:
            OSError: it cannot be read.
        """
        head, tail = ends(fd, offset)
        return cls(generation, offset, len(head), fingerprint(head, tail), flags)

    def matches(self, fd: int) -> bool:
        """Whether the open file is the one that was read up to here, and still holds what was read.

        Raises:
            OSError: it cannot be read.
        """
        head, tail = ends(fd, self.offset, self.head)
        whole = len(head) == self.head and len(tail) == min(TAIL, self.offset)
        return whole and fingerprint(head, tail) == self.fingerprint


def ends(fd: int, offset: int, head: int = HEAD) -> tuple[bytes, bytes]:
    """The bytes that a fingerprint at ``offset`` covers; fewer when the file is shorter."""
    before = min(TAIL, offset)
    return os.pread(fd, min(head, offset), 0), os.pread(fd, before, offset - before) if before else b""


def fingerprint(head: bytes, tail: bytes) -> str:
    """16 hex digits for the beginning of a file and the bytes before an offset in it."""
    digest = blake2b(head, digest_size=8)
    digest.update(tail)
    return digest.hexdigest()


def source_id(node: str, device: int, inode: int) -> str:
    """Name of a file's state: 16 hex digits."""
    return blake2b(f"{node}\0{device}\0{inode}".encode(), digest_size=8).hexdigest()


def first_generation(beginning: bytes) -> int:
    """The generation of a file that nobody has read yet, from its first bytes.

    It is made from the first line, not just 0, because inode numbers are used again: records of a later file
    must not get the identities of an earlier one whose state is forgotten by then (a new Redis, an expired
    state), or a destination that recognises repeats would drop them. The same file gets the same one again.
    """
    return crc32(beginning[:HEAD].partition(b"\n")[0])
