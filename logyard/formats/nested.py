"""The cheapest document: what is the same for a whole batch, and the record inside of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from logyard.batch import Batch, Selection
from logyard.derive import rfc3339
from logyard.formats.fields import labels_of
from logyard.formats.objects import gather, json_strings, only_objects, plain_objects
from logyard.formats.splice import is_partial, members

__all__ = ["NestedFormat"]


class NestedFormat:
    """``nested``: where a record is from, when it was read, and the record: under ``json`` or ``text``.

    Nothing is looked for in a record, and nothing is made for each: neither its time, its severity nor its
    identity is told.
    """

    name = "nested"

    def encode(self, selection: Selection) -> list[bytes]:
        """As `logyard.formats.Format`."""
        return self.block(selection).split(b"\n")[:-1]

    def block(self, selection: Selection) -> bytes:
        """As `logyard.formats.Format`."""
        if not selection.count:
            return b""
        known = b"{" + members(_known(selection.batch))
        if not is_partial(selection) and (lines := only_objects(selection)) is not None:
            return _joined(known + b',"json":', lines)
        groups = plain_objects(selection)
        pieces = gather(
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
            pieces[-1] = b',"partial":true' + pieces[-1]
        return _joined(known, pieces)


def _joined(start: bytes, records: Sequence[bytes]) -> bytes:
    """Each record behind ``start``, before a brace and a newline."""
    first, *rest = records
    if not rest:
        return b"%b%b}\n" % (start, first)
    # One join and no concatenation: another copy of a block costs more than all the rest.
    rest[-1] += b"}\n"
    return (b"}\n" + start).join((start + first, *rest))


def _known(batch: Batch) -> dict[str, Any]:
    """What is the same for all records of a batch; what is unknown is left out."""
    truncated = {"truncated": batch.cut} if batch.cut else {}
    return {"observed": rfc3339(batch.time_ns)} | labels_of(batch) | truncated
