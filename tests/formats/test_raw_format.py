"""The raw format: bytes as read."""

from __future__ import annotations

from hypothesis import given

from logyard.batch import Selection
from logyard.formats import make_format
from tests.formats.sample_batches import batch_of, selections, whole

FORMAT = make_format("raw")


@given(selections())
def test_records_are_as_they_were_read(selection: Selection) -> None:
    assert FORMAT.encode(selection) == selection.lines


def test_bytes_that_are_no_utf8_stay() -> None:
    assert FORMAT.block(whole(b"a\xff", b"\x00b\r")) == b"a\xff\n\x00b\r\n"


@given(selections())
def test_a_block_has_one_line_for_each_record(selection: Selection) -> None:
    expected = b"".join(record.replace(b"\n", b"\\n") + b"\n" for record in selection.lines)
    assert FORMAT.block(selection) == expected


def test_some_records_of_a_batch_are_just_these() -> None:
    batch = batch_of(b"a", b"b", b"c")
    assert FORMAT.block(Selection(batch, [0, 2])) == b"a\nc\n"
    assert FORMAT.block(Selection(batch, [])) == b""
