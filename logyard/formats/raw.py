"""The records as they were read."""

from __future__ import annotations

from logyard.batch import Selection
from logyard.formats.framing import newline_block

__all__ = ["RawFormat"]


class RawFormat:
    """``raw``: bytes as read, even those that are no UTF-8."""

    name = "raw"

    def encode(self, selection: Selection) -> list[bytes]:
        """As `logyard.formats.Format`."""
        return selection.lines

    def block(self, selection: Selection) -> bytes:
        """As `logyard.formats.Format`; a whole batch of one-line records is not taken apart."""
        batch = selection.batch
        if selection.whole and batch.separator == b"\n":
            return batch.block + b"\n"
        return newline_block(selection.lines)

    def pieces(self, selection: Selection) -> list[bytes]:
        """As `logyard.formats.Format`."""
        batch = selection.batch
        if selection.whole and batch.separator == b"\n":
            return [batch.block, b"\n"]
        return [newline_block(selection.lines)]
