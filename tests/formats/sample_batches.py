"""Batches to format, and a strategy for any."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from logyard.batch import Batch, Selection, join_records

SECOND = 1_000_000_000
OBSERVED = 1_795_340_000 * SECOND
OBSERVED_TEXT = "2026-11-22T09:33:20Z"
ORIGIN = "0123456789abcdef.1"


def batch_of(*records: bytes, **changes: Any) -> Batch:
    """A batch of an application's records, with other attributes as ``changes`` say."""
    block, separator = join_records(records)
    known: dict[str, Any] = {
        "count": len(records),
        "key": "app.web",
        "node": "node-1",
        "app": "web",
        "instance": "3",
        "source": "stdout",
        "time_ns": OBSERVED,
        "origin": ORIGIN,
        "first": 1000,
        "last": 1000 + len(block) + 1,
    }
    return Batch(block=block, separator=separator, **(known | changes))


def whole(*records: bytes, **changes: Any) -> Selection:
    """All records of such a batch."""
    return Selection(batch_of(*records, **changes))


def miscounted(count: int) -> Selection:
    """All records of a damaged batch: it says that it holds ``count``, and holds two."""
    return whole(b'{"a":1}', b'{"a":2}', count=count)


SYSTEM = {"key": "sys.nginx", "app": None, "instance": None, "source": "/var/log/nginx/error.log"}
"""What is different for a system stream."""

records = st.one_of(
    st.binary(max_size=30),
    st.text(max_size=20).map(str.encode),
    st.sampled_from([b"", b"\n", b"ERROR x", b"{}", b'{"a":', b"\xff\xfe", b"2026-11-22 09:30:00 INFO a\nb", b"\xc3"]),
)


@st.composite
def selections(draw: st.DrawFn, record: st.SearchStrategy[bytes] = records) -> Selection:
    """All or some records of any batch."""
    texts = draw(st.lists(record, min_size=1, max_size=6))
    system = draw(st.booleans())
    batch = batch_of(*texts, partial=draw(st.booleans()), **(SYSTEM if system else {}))
    if draw(st.booleans()):
        return Selection(batch)
    return Selection(batch, sorted(draw(st.sets(st.integers(0, len(texts) - 1)))))
