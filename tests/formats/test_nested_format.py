"""The nested format: the record whole inside of what is known of its batch."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from logyard.batch import Selection
from logyard.formats import make_format
from logyard.formats.objects import divide, gather
from tests.formats.json_lines import SHAPED, lines, read_strictly
from tests.formats.sample_batches import OBSERVED_TEXT, SYSTEM, batch_of, whole

FORMAT = make_format("nested")


def test_an_object_and_a_text_stand_in_what_is_known() -> None:
    known = (
        b'{"observed":"2026-11-22T09:33:20Z","key":"app.web","node":"node-1","app":"web","instance":3,"source":"stdout"'
    )
    assert FORMAT.encode(whole(b'{"id": 7}', b'say "x"')) == [
        known + b',"json":{"id": 7}}',
        known + b',"text":"say \\"x\\""}',
    ]
    assert FORMAT.block(whole(*SHAPED)) == b"".join(known + b',"json":' + line + b"}\n" for line in SHAPED)


def test_what_is_unknown_is_left_out_and_what_is_known_of_a_cut_record_is_told() -> None:
    (document,) = FORMAT.encode(whole(b"x", cut=2_000_000, partial=True, **SYSTEM))
    assert read_strictly(document) == {
        "observed": OBSERVED_TEXT,
        "key": "sys.nginx",
        "node": "node-1",
        "source": "/var/log/nginx/error.log",
        "truncated": 2_000_000,
        "partial": True,
        "text": "x",
    }


def test_only_the_last_record_is_partial() -> None:
    documents = FORMAT.encode(whole(*SHAPED, partial=True))
    assert [b'"partial":true' in document for document in documents] == [False] * 39 + [True]


@given(lines, st.data())
def test_each_record_is_told_whole_and_forges_nothing(records: list[bytes], data: st.DataObject) -> None:
    batch = batch_of(*records)
    chosen = sorted(data.draw(st.sets(st.integers(0, len(records) - 1))))
    for selection in (Selection(batch), Selection(batch, chosen)):
        documents = FORMAT.encode(selection)
        assert FORMAT.block(selection) == b"".join(document + b"\n" for document in documents)
        groups = divide(selection)
        is_object = gather(selection.count, groups, [[group.is_object] * len(group.lines) for group in groups])
        for document, record, known in zip(documents, selection.lines, is_object, strict=True):
            readable = record.decode(errors="replace")
            found = json.loads(document)
            assert found.keys() == {"observed", "key", "node", "app", "instance", "source", "json" if known else "text"}
            assert found.get("text", readable) == readable
            assert not known or found["json"] == json.loads(readable)
