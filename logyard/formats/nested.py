"""The cheapest document: what is the same for a whole batch, and the record inside of it."""

from __future__ import annotations

from typing import Any

from logyard.batch import Batch, Selection
from logyard.derive import rfc3339
from logyard.derive.blocks import kinds_for
from logyard.formats.fields import labels_of
from logyard.formats.framing import one_by_one, prefixed
from logyard.formats.lined import write_lines
from logyard.formats.objects import gather, json_strings, only_objects, plain_objects
from logyard.formats.splice import is_partial, members, spliced

__all__ = ["NestedFormat"]


class NestedFormat:
    """``nested``: where a record is from, when it was read, and the record: under ``json`` or ``text``.

    Nothing is looked for in a record, and nothing is made for each: neither its time, its severity nor its
    identity is told.
    """

    name = "nested"

    def encode(self, selection: Selection) -> list[bytes]:
        """As `logyard.formats.Format`."""
        return one_by_one(self.pieces(selection))

    def block(self, selection: Selection) -> bytes:
        """As `logyard.formats.Format`."""
        return b"".join(self.pieces(selection))

    def pieces(self, selection: Selection) -> list[bytes]:
        """As `logyard.formats.Format`."""
        if not selection.count:
            return []
        known = b"{" + members(_known(selection.batch))
        if (kinds := kinds_for(selection)) is not None:
            around = (known + b',"json":', kinds.LINE, b"}\n")
            texts = (known + b',"text":', (kinds.MESSAGE, None), b"}\n")
            written = write_lines(
                selection, around, texts, lambda left: spliced(left.count, known, _records(left), b"}\n")
            )
            if written is not None:
                return written
        if not is_partial(selection) and (lines := only_objects(selection)) is not None:
            return [prefixed(known + b',"json":', lines, b"}\n")]
        return [prefixed(known, _records(selection), b"}\n")]


def _records(selection: Selection) -> list[bytes]:
    """Each record as a member, behind a comma."""
    groups = plain_objects(selection)
    records = gather(
        selection.count,
        groups,
        [
            [b',"json":' + line for line in group.lines]
            if group.is_object
            else [b',"text":' + text for text in json_strings([line.decode() for line in group.lines])]
            for group in groups
        ],
    )
    if is_partial(selection):
        records[-1] = b',"partial":true' + records[-1]
    return records


def _known(batch: Batch) -> dict[str, Any]:
    """What is the same for all records of a batch; what is unknown is left out."""
    truncated = {"truncated": batch.cut} if batch.cut else {}
    return {"observed": rfc3339(batch.time_ns)} | labels_of(batch) | truncated
