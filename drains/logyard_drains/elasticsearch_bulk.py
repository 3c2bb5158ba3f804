"""The body of a ``_bulk`` request: an action line and a document for each record. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from logyard.batch import Batch, Selection
from logyard_drains.elasticsearch_names import IndexName

__all__ = ["bulk_lines"]

_REST = b'%d"}}\n%b\n'


def bulk_lines(selection: Selection, documents: Sequence[bytes], name: IndexName, time_field: str) -> bytes:
    """Every document with its action before it, each line ended by a newline.

    The action is ``create`` with the record's identity as ``_id``: what arrives again is refused as a duplicate and
    is there once.

    Args:
        selection: at least one record.
        documents: for each of its records one JSON object without a newline that begins with ``time_field``.
        name: where they go.
        time_field: the field with the record's time in ISO 8601, looked at only when the name holds a date.
    """
    flat: list[int | bytes] = [0] * (2 * len(documents))
    flat[::2] = selection.offsets()
    flat[1::2] = documents
    # One formatting for the whole batch: half of what joining its lines costs. Batches are not joined, for copying
    # megabytes costs more than all of this.
    return _forms(selection.batch, documents, name, time_field) % tuple(flat)


def _forms(batch: Batch, documents: Sequence[bytes], name: IndexName, time_field: str) -> bytes:
    """The lines of a batch's documents, with a place for each offset and for each document."""
    if not name.stamp:
        return _action(name.of(batch), batch.origin) * len(documents)
    head = b'{"%b":"' % time_field.encode()
    end = len(head) + name.stamp
    heads = [document[:end] for document in documents]
    forms = {start: _action(name.of(batch, _stamp(start, head)), batch.origin) for start in set(heads)}
    if len(forms) == 1:
        return forms[heads[0]] * len(documents)
    return b"".join([forms[start] for start in heads])


def _action(index: str, origin: str) -> bytes:
    """The form of an action line and its document, with a place for the record's offset and one for the document."""
    action = b'{"create":{"_index":%b,"_id":%b' % (orjson.dumps(index), orjson.dumps(f"{origin}:")[:-1])
    return action.replace(b"%", b"%%") + _REST


def _stamp(start: bytes, head: bytes) -> str:
    assert start.startswith(head), "a document does not begin with its time"
    return start[len(head) :].decode()
