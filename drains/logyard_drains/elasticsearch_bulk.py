"""The body of a ``_bulk`` request: an action line and a document for each record. Pure."""

from __future__ import annotations

import orjson

from logyard.batch import Batch
from logyard.formats.splice import Before, ByStamp, Documents, Mark
from logyard_drains.elasticsearch_names import IndexName

__all__ = ["bulk_lines"]


def bulk_lines(batch: Batch, documents: Documents, name: IndexName) -> list[bytes]:
    """Every document with its action before it, each line ended by a newline; in parts of some ten thousand bytes.

    The action is ``create`` with the record's identity as ``_id``: what arrives again is refused as a duplicate and
    is there once.

    Args:
        batch: where the records are from.
        documents: JSON objects without a newline.
        name: where they go.
    """
    action: Before
    if name.stamp:
        action = ByStamp(name.stamp, lambda start: _action(name.of(batch, start), batch.origin))
    else:
        action = _action(name.of(batch), batch.origin)
    return documents.framed((action, Mark.OFFSET, b'"}}\n'), b"\n")


def _action(index: str, origin: str) -> bytes:
    return b'{"create":{"_index":%b,"_id":%b' % (orjson.dumps(index), orjson.dumps(f"{origin}:")[:-1])
