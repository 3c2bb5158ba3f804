"""The body of a ``_bulk`` request: an action line and a document for each record. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from logyard.batch import Batch
from logyard.formats.splice import Documents
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
    return documents.framed((_actions(batch, documents.stamps, name), documents.offsets, b'"}}\n'), b"\n")


def _actions(batch: Batch, stamps: Sequence[bytes], name: IndexName) -> bytes | list[bytes]:
    """The documents' actions up to their records' offsets: one for all, or a column."""
    if not name.stamp:
        return _action(name.of(batch), batch.origin)
    starts = [stamp[: name.stamp] for stamp in stamps]
    actions = {start: _action(name.of(batch, start.decode()), batch.origin) for start in set(starts)}
    return actions[starts[0]] if len(actions) == 1 else list(map(actions.__getitem__, starts))


def _action(index: str, origin: str) -> bytes:
    return b'{"create":{"_index":%b,"_id":%b' % (orjson.dumps(index), orjson.dumps(f"{origin}:")[:-1])
