"""The logfmt format, read back by a small parser of its own."""

from __future__ import annotations

import json
import re

import orjson
from hypothesis import given
from hypothesis import strategies as st

from logyard.batch import Selection
from logyard.formats import make_format
from tests.formats.sample_batches import ORIGIN, selections, whole

FORMAT = make_format("logfmt")
_PAIR = re.compile(r'([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"=]+)(?: |\Z)')


def read(line: bytes) -> dict[str, str]:
    pairs: dict[str, str] = {}
    text, at = line.decode(), 0
    while at < len(text):
        found = _PAIR.match(text, at)
        assert found, text[at:]
        assert found[1] not in pairs
        pairs[found[1]] = json.loads(found[2]) if found[2][0] == '"' else found[2]
        at = found.end()
    return pairs


def test_a_line_of_text_becomes_pairs() -> None:
    expected = (
        b"time=2026-11-22T09:30:00Z key=app.web node=node-1 app=web instance=3 source=stdout level=error "
        b'text="2026-11-22 09:30:00 ERROR \\"x\\" = y" id=0123456789abcdef.1:1000'
    )
    assert FORMAT.encode(whole(b'2026-11-22 09:30:00 ERROR "x" = y')) == [expected]


def test_fields_follow_and_inner_objects_are_taken_apart() -> None:
    line = b'{"msg":"hi there","n":1.5,"ok":true,"no":null,"user":{"id":7,"tags":["a b"],"none":{}},"id":9,"e":""}'
    found = read(FORMAT.encode(whole(line))[0])
    assert found["text"] == found["msg"] == "hi there"
    assert (found["n"], found["ok"], found["no"], found["e"]) == ("1.5", "true", "null", "")
    assert (found["user.id"], found["user.tags"], found["user.none"]) == ("7", '["a b"]', "{}")
    assert (found["id"], found["id_"]) == (f"{ORIGIN}:1000", "9")


def test_names_that_would_be_one_are_told_apart() -> None:
    found = read(FORMAT.encode(whole(b'{"a.b":1,"a":{"b":2},"c d":3,"c=d":4,"":5}'))[0])
    assert (found["a.b"], found["a.b_"], found["c_d"], found["c_d_"], found["_"]) == ("1", "2", "3", "4", "5")


def test_cut_and_partial_records_are_marked() -> None:
    found = read(FORMAT.encode(whole(b"x", cut=5, partial=True))[0])
    assert (found["truncated"], found["partial"]) == ("5", "true")


names = st.text(max_size=5)
values = st.recursive(
    st.one_of(st.text(max_size=6), st.integers(-9, 9), st.none()),
    lambda inner: st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


@given(selections())
def test_any_record_reads_back(selection: Selection) -> None:
    lines = FORMAT.encode(selection)
    assert FORMAT.block(selection) == b"".join(line + b"\n" for line in lines)
    for line, record in zip(lines, selection.lines, strict=True):
        assert b"\n" not in line
        assert read(line)["text"] == record.decode(errors="replace") or record[:1] == b"{"


@given(selections(st.dictionaries(names, values, max_size=4).map(orjson.dumps)))
def test_any_object_reads_back_with_no_name_twice(selection: Selection) -> None:
    for line in FORMAT.encode(selection):
        read(line)
