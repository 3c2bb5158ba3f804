"""Lines of a byte stream as blocks for batches. Pure: bytes in, blocks out."""

from __future__ import annotations

from dataclasses import dataclass

from logyard.batch import BLOCK_LIMIT, RECORD_LIMIT

__all__ = ["Block", "LineBlocks"]


@dataclass(frozen=True, slots=True)
class Block:
    """Some consecutive lines.

    Attributes:
        text: the lines, newlines between them, none at the end.
        count: number of lines.
        first, last: offset of the first byte, and of the byte behind the last line's newline.
        cut: original length of a line that was cut to `RECORD_LIMIT` (it is then alone), else 0.
        partial: the last line had no newline.
    """

    text: bytes
    count: int
    first: int
    last: int
    cut: int = 0
    partial: bool = False


class LineBlocks:
    """Collects what is read and gives out whole lines, up to `BLOCK_LIMIT` bytes of them at a time.

    Attributes:
        ended: nothing more will be fed; a last line without a newline counts.
    """

    def __init__(self) -> None:
        self.ended = False
        self._held = bytearray()
        self._offset = 0
        # A line beyond the limit: its beginning, and how long it is so far. None while there is none.
        self._overlong: bytes | None = None
        self._length = 0

    @property
    def held(self) -> int:
        """Bytes that were not taken yet."""
        return len(self._held)

    @property
    def full(self) -> bool:
        """Whether a block taken now is as large as blocks get."""
        return len(self._held) >= BLOCK_LIMIT

    def feed(self, data: bytes) -> None:
        """What was read next."""
        if self._overlong is not None and (end := data.find(b"\n")) != 0:
            # Nothing of a line beyond the limit is kept but its length.
            skipped = len(data) if end < 0 else end
            self._length += skipped
            data = data[skipped:]
        self._held += data
        if self._overlong is None and len(self._held) > RECORD_LIMIT and self._held.find(b"\n") < 0:
            self._overlong = bytes(self._held[:RECORD_LIMIT])
            self._length = len(self._held)
            self._held.clear()

    def take(self) -> Block | None:
        """The next whole lines, None when there are none yet."""
        if self._overlong is not None:
            return self._take_overlong(self._overlong)
        held = self._held
        end = held.rfind(b"\n", 0, BLOCK_LIMIT) if len(held) > BLOCK_LIMIT else held.rfind(b"\n")
        if end < 0:
            end = held.find(b"\n")  # one line, larger than a block
        if end < 0:
            return self._block(len(held), partial=True) if self.ended and held else None
        return self._block(end, partial=False)

    def _block(self, end: int, *, partial: bool) -> Block:
        text = bytes(self._held[:end])
        del self._held[: end + (not partial)]
        first = self._offset
        self._offset = last = first + end + (not partial)
        if end > RECORD_LIMIT and b"\n" not in text:
            return Block(text[:RECORD_LIMIT], 1, first, last, cut=end, partial=partial)
        return Block(text, text.count(b"\n") + 1, first, last, partial=partial)

    def _take_overlong(self, text: bytes) -> Block | None:
        partial = not self._held.startswith(b"\n")
        if partial and not self.ended:
            return None
        first = self._offset
        self._offset = last = first + self._length + (not partial)
        del self._held[:1]
        self._overlong = None
        return Block(text, 1, first, last, cut=self._length, partial=partial)
