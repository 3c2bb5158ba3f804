"""The batch: what goes into a stream entry comes out of it, and damage is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.batch import Batch, Selection, decode, encode, join_records
from logyard.errors import WireError


def make(records: list[bytes], **options: object) -> Batch:
    block, separator = join_records(records)
    fields: dict[str, object] = {
        "key": "app.web", "node": "n1", "source": "stdout", "time_ns": 17, "count": len(records), "origin": "ab.0",
        "first": 100, "last": 100 + len(block) + 1, "block": block, "separator": separator,
    }  # fmt: skip
    return Batch(**{**fields, **options})  # type: ignore[arg-type]


def same(one: Batch, other: Batch) -> bool:
    names = ("key", "node", "app", "instance", "source", "time_ns", "count", "origin", "first", "last", "separator",
             "cut", "partial", "block")  # fmt: skip
    return all(getattr(one, name) == getattr(other, name) for name in names)


records = st.lists(st.binary(max_size=300), min_size=1, max_size=50)


@given(records, st.booleans(), st.booleans(), st.none() | st.text(min_size=1), st.integers(0, 1 << 40))
def test_what_is_encoded_is_decoded(
    lines: list[bytes], compress: bool, partial: bool, app: str | None, cut: int
) -> None:
    batch = make(lines, app=app, instance=app, partial=partial, cut=cut)
    fields = encode(batch, compress=compress)
    for answer in (fields, dict(zip(fields[::2], fields[1::2], strict=True))):
        found = decode("app.web", b"5-1", answer)
        assert same(found, batch)
        assert found.lines == lines
        assert found.entry == "5-1"


@given(st.lists(st.sampled_from([b"\n", b"\x1e", b"\x1f", b"a", b""]), min_size=1))
def test_records_that_hold_newlines_get_a_separator_of_their_own(lines: list[bytes]) -> None:
    block, separator = join_records(lines)
    assert block.split(separator) == lines


def test_records_that_hold_every_byte_cannot_be_joined() -> None:
    with pytest.raises(WireError, match="every byte"):
        join_records([bytes(range(256)), b"x"])


def test_a_block_is_compressed_only_where_that_pays() -> None:
    assert b"codec" not in encode(make([b"short"]))
    assert b"codec" in encode(make([b"the same again"] * 100))
    assert b"codec" not in encode(make([b"the same again"] * 100), compress=False)
    import random

    assert b"codec" not in encode(make([random.Random(1).randbytes(2000).replace(b"\n", b"")]))


def test_offsets_are_where_the_records_begin_in_their_source() -> None:
    batch = make([b"abc", b"", b"de"])
    assert batch.offsets() == [100, 104, 105]
    assert batch.identity(104) == "ab.0:104"


@pytest.mark.parametrize("field", [b"node", b"source", b"time", b"count", b"origin", b"first", b"last", b"block"])
def test_a_missing_field_is_damage(field: bytes) -> None:
    fields = encode(make([b"x"]))
    at = fields.index(field)
    with pytest.raises(WireError, match="damaged"):
        decode("app.web", b"1-0", fields[:at] + fields[at + 2 :])


@pytest.mark.parametrize(
    ("field", "value"), [(b"time", b"noon"), (b"count", b"x"), (b"sep", b"300"), (b"node", b"\xff")]
)
def test_a_wrong_field_is_damage(field: bytes, value: bytes) -> None:
    fields = dict(zip(*[iter(encode(make([b"x"])))] * 2, strict=True))
    fields[field] = value
    with pytest.raises(WireError, match="damaged"):
        decode("app.web", b"1-0", fields)


def test_a_later_version_is_refused() -> None:
    fields = encode(make([b"x"]))
    fields[fields.index(b"v") + 1] = b"2"
    with pytest.raises(WireError, match="update logyard"):
        decode("app.web", b"1-0", fields)


def test_a_damaged_block_is_told() -> None:
    fields = dict(zip(*[iter(encode(make([b"the same again"] * 100)))] * 2, strict=True))
    fields[b"block"] = fields[b"block"][:20] + b"??" + fields[b"block"][22:-3]
    with pytest.raises(WireError, match="cannot be decompressed"):
        _ = decode("app.web", b"1-0", fields).block
    with pytest.raises(WireError, match="codec"):
        _ = decode("app.web", b"1-0", {**fields, b"codec": b"lz9"}).block


def test_a_block_that_holds_another_number_of_records_is_told() -> None:
    fields = dict(zip(*[iter(encode(make([b"a", b"b"])))] * 2, strict=True))
    with pytest.raises(WireError, match="says 3 records and holds 2"):
        _ = decode("app.web", b"1-0", {**fields, b"count": b"3"}).lines


@given(records, st.data())
def test_parts_of_a_selection_are_the_records_at_its_positions(lines: list[bytes], data: st.DataObject) -> None:
    batch = make(lines)
    start = data.draw(st.integers(0, len(lines)))
    stop = data.draw(st.integers(start, len(lines)))
    part = Selection(batch).part(start, stop)
    assert part.lines == lines[start:stop]
    assert part.offsets() == batch.offsets()[start:stop]
    assert part.count == stop - start
    assert Selection(batch).whole
    assert not part.whole
