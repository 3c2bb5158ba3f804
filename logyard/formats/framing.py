"""Telling records apart in a stream of bytes: by newlines, or by counts of octets (RFC 6587, RFC 5425)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import add

__all__ = ["cut_text", "escape_newlines", "newline_block", "octet_frames", "one_by_one", "prefixed"]

_REMEMBERED = 4096
"""Messages up to this length have their count's text kept; longer ones are rare."""


def escape_newlines(records: Sequence[bytes]) -> list[bytes]:
    r"""The records with each newline in them as the two characters ``\n``."""
    return [record.replace(b"\n", b"\\n") for record in records]


def newline_block(records: Sequence[bytes]) -> bytes:
    """The records, each followed by a newline; newlines inside are escaped."""
    if not records:
        return b""
    block = b"\n".join((*records, b""))
    # Only records of a multi-line source hold any, and counting is quicker than looking at each.
    if block.count(b"\n") != len(records):
        block = b"\n".join((*escape_newlines(records), b""))
    return block


def one_by_one(pieces: Sequence[bytes]) -> list[bytes]:
    """The records in pieces of a block, in which each is followed by a newline and holds none."""
    return b"".join(pieces).split(b"\n")[:-1]


def prefixed(prefix: bytes, records: Sequence[bytes], end: bytes = b"\n") -> bytes:
    """The records, each between ``prefix`` and ``end``."""
    if not records:
        return b""
    if len(records) == 1:
        return b"".join((prefix, records[0], end))
    # One join and no concatenation: another copy of a block costs more than all the rest.
    return (end + prefix).join((prefix + records[0], *records[1:-1], records[-1] + end))


class _Counts(dict[int, bytes]):
    """The count in front of a message, by the length of its text; ``beside`` is what else is in it."""

    def __init__(self, beside: int) -> None:
        super().__init__()
        self._beside = beside

    def __missing__(self, length: int) -> bytes:
        count = b"%d " % (length + self._beside)
        if length < _REMEMBERED:
            self[length] = count
        return count


_counts = lru_cache(maxsize=64)(_Counts)


def octet_frames(heads: bytes | Sequence[bytes], records: Sequence[bytes]) -> bytes:
    """The messages, each after its length in octets and a space.

    Args:
        heads: what each message begins with: one for all, or one for each.
        records: what follows it in each message.
    """
    pieces: list[bytes]
    if isinstance(heads, bytes):
        pieces = [heads] * (3 * len(records))
        pieces[::3] = map(_counts(len(heads)).__getitem__, map(len, records))
    else:
        pieces = [b""] * (3 * len(records))
        pieces[::3] = map(_counts(0).__getitem__, map(add, map(len, heads), map(len, records)))
        pieces[1::3] = heads
    pieces[2::3] = records
    return b"".join(pieces)


def cut_text(text: bytes, size: int) -> bytes:
    """At most ``size`` bytes of ``text``, never ending inside a character of UTF-8."""
    end = max(size, 0)
    if len(text) <= end:
        return text
    # The byte behind the end tells whether a character goes on there; it does for three bytes at most.
    for stop in range(end, max(end - 4, -1), -1):
        if text[stop] & 0xC0 != 0x80:
            return text[:stop]
    return text[:end]
