"""The json format: one flat object, no name twice, nothing lost."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.batch import Selection
from logyard.formats import make_format
from logyard.formats.fields import ENVELOPE
from logyard.formats.json import flat_objects
from tests.formats.json_lines import HOSTILE, SHAPED, lines, read_strictly
from tests.formats.sample_batches import OBSERVED_TEXT, ORIGIN, SYSTEM, batch_of, selections, whole

FORMAT = make_format("json")

plain = st.one_of(
    st.text(max_size=8),
    st.integers(-(2**63), 2**64 - 1),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
)
names = st.one_of(st.text(max_size=6), st.sampled_from([*sorted(ENVELOPE), "msg", "message", "level_", "a"]))
values = st.recursive(
    plain, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)), max_leaves=6
)
objects = st.dictionaries(names, values, max_size=6).map(orjson.dumps)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    assert len(members) == len(pairs), pairs
    return members


def read(line: bytes) -> dict[str, Any]:
    """Parsed by another parser than the one that wrote it, refusing names that occur twice."""
    members = json.loads(line.decode(), object_pairs_hook=unique)
    assert isinstance(members, dict)
    return members


def only(selection: Selection) -> dict[str, Any]:
    (line,) = FORMAT.encode(selection)
    return read(line)


def test_a_line_of_text_gets_the_envelope() -> None:
    expected = (
        b'{"time":"2026-11-22T09:30:00.250Z","key":"app.web","node":"node-1","app":"web","instance":3,'
        b'"source":"stdout","level":"error","text":"2026-11-22 09:30:00,250 ERROR broke",'
        b'"id":"0123456789abcdef.1:1000"}'
    )
    assert FORMAT.encode(whole(b"2026-11-22 09:30:00,250 ERROR broke")) == [expected]


def test_what_is_unknown_is_left_out() -> None:
    assert only(whole(b"x", **SYSTEM)) == {
        "time": OBSERVED_TEXT,
        "key": "sys.nginx",
        "node": "node-1",
        "source": "/var/log/nginx/error.log",
        "text": "x",
        "id": f"{ORIGIN}:1000",
    }


def test_fields_of_a_json_record_keep_their_names_and_order_behind_the_envelope() -> None:
    line = b'{"ts":"2026-11-22T09:30:00Z","level":"warning","msg":"hi","instance_index":4,"user":{"id":7}}'
    expected = (
        b'{"time":"2026-11-22T09:30:00Z","key":"app.web","node":"node-1","app":"web","instance":3,'
        b'"source":"stdout","level":"warn","text":"hi","id":"0123456789abcdef.1:1000",'
        b'"ts":"2026-11-22T09:30:00Z","msg":"hi","instance_index":4,"user":{"id":7}}'
    )
    assert FORMAT.encode(whole(line)) == [expected]


def test_the_envelope_wins_and_a_field_of_its_name_is_kept_under_another() -> None:
    found = only(whole(b'{"id":7,"app":"other","id_":8,"node":"node-1","level":"loud","truncated":1,"partial":2}'))
    assert found["id"] == f"{ORIGIN}:1000"
    assert (found["id__"], found["id_"]) == (7, 8)
    assert (found["app"], found["app_"]) == ("web", "other")
    assert "node_" not in found
    assert "level" not in found
    assert (found["level_"], found["truncated_"], found["partial_"]) == ("loud", 1, 2)


def test_fields_of_unknown_parts_of_the_envelope_do_not_take_their_place() -> None:
    found = only(whole(b'{"app":"forged","instance":1}', **SYSTEM))
    assert "app" not in found
    assert (found["app_"], found["instance_"]) == ("forged", 1)


def test_a_value_of_another_type_is_another_value() -> None:
    found = only(whole(b'{"instance":3.0,"app":["web"]}'))
    assert (found["instance"], found["instance_"], found["app_"]) == (3, 3.0, ["web"])
    assert "instance_" not in only(whole(b'{"instance":3}'))


def test_severity_and_time_are_not_kept_twice() -> None:
    found = only(whole(b'{"time":1795339800,"level":50,"msg":"x"}'))
    assert (found["time"], found["level"]) == ("2026-11-22T09:30:00Z", "error")
    assert not {"time_", "level_"} & found.keys()
    found = only(whole(b'{"time":35,"level":true,"ts":1795339800,"lvl":"info","msg":"x"}'))
    assert (found["time_"], found["level_"], found["lvl"]) == (35, True, "info")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b'{"msg":"a","message":"b","text":"c"}', "a"),
        (b'{"msg":1,"message":"b"}', "b"),
        (b'{"text":"c"}', "c"),
        (b'{"msg":""}', ""),
        (b'{"msg":null}', '{"msg":null}'),
        (b'{"a":1}', '{"a":1}'),
        (b"{}", "{}"),
    ],
)
def test_the_text_of_a_json_record_is_its_message_else_all_of_it(line: bytes, text: str) -> None:
    assert only(whole(line))["text"] == text


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1e999}',
        b'{"a":18446744073709551616}',
        b'{"a":-9223372036854775809}',
        b'{"a":{"b":[1,123456789012345678901234567890]}}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":1',
        b'{"a":1} and more',
        b'{"a":"\\ud800"}',
        b'{"a":' + b"[" * 260 + b"]" * 260 + b"}",
        b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}",
        b"[1,2]",
        b'"text"',
        b"null",
    ],
)
def test_what_is_no_object_or_would_not_survive_is_text(line: bytes) -> None:
    found = only(whole(line))
    assert found["text"] == line.decode()
    assert found.keys() <= ENVELOPE


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b'{"a":18446744073709551615}', 2**64 - 1),
        (b'{"a":-9223372036854775808}', -(2**63)),
        (b'{"a":1e22,"b":"12345678901234567890123"}', 1e22),
        (b'{"a":0.12345678901234567890123}', 0.12345678901234567890123),
        (b'{"a":1234567890123456789012.5}', 1234567890123456789012.5),
        (b'  {"a":1}', 1),
        (b'{"a":1}\r', 1),
    ],
)
def test_numbers_that_survive_are_fields(line: bytes, value: object) -> None:
    assert only(whole(line))["a"] == value


def test_nesting_that_can_be_written_again_survives() -> None:
    value: Any = 1
    for _ in range(240):
        value = [value]
    assert only(whole(orjson.dumps({"a": value})))["a"] == value


def test_of_a_name_that_occurs_twice_the_last_value_counts_also_inside() -> None:
    found = only(whole(b'{"a":1,"b":{"c":1,"c":2},"a":3}'))
    assert (found["a"], found["b"]) == (3, {"c": 2})


def test_invalid_utf8_is_replaced_and_fields_stay_fields() -> None:
    assert only(whole(b"a\xffb"))["text"] == "a\ufffdb"
    assert only(whole(b'{"a":"\xff","msg":"m"}'))["a"] == "\ufffd"


@pytest.mark.parametrize(
    ("instance", "value"),
    [("0", 0), ("12", 12), ("03", "03"), ("-1", "-1"), ("x", "x"), ("9" * 30, "9" * 30), ("²", "²")],
)
def test_an_instance_is_a_number_when_it_is_written_as_one(instance: str, value: object) -> None:
    assert only(whole(b"x", instance=instance))["instance"] == value


def test_cut_and_partial_records_are_marked() -> None:
    assert only(whole(b"x", cut=2_000_000))["truncated"] == 2_000_000
    batch = batch_of(b"a", b"b", partial=True)
    marked = [read(line).get("partial") for line in FORMAT.encode(Selection(batch))]
    assert marked == [None, True]
    assert [read(line).get("partial") for line in FORMAT.encode(Selection(batch, [1]))] == [True]
    assert [read(line).get("partial") for line in FORMAT.encode(Selection(batch, [0]))] == [None]


def test_selected_records_keep_their_identities() -> None:
    batch = batch_of(b"one", b"two", b"three")
    lines = [read(line) for line in FORMAT.encode(Selection(batch, [0, 2]))]
    assert [(line["text"], line["id"]) for line in lines] == [("one", f"{ORIGIN}:1000"), ("three", f"{ORIGIN}:1008")]
    assert FORMAT.encode(Selection(batch, [])) == []
    assert FORMAT.block(Selection(batch, [])) == b""


def test_a_block_has_one_line_for_each_record_whatever_it_holds() -> None:
    block = FORMAT.block(whole(b"a\nb", b'{"msg":"c\\nd"}', b"\x00\x1b[0m\r\t"))
    assert block.count(b"\n") == 3
    assert [read(line)["text"] for line in block.splitlines()] == ["a\nb", "c\nd", "\x00\x1b[0m\r\t"]


@given(selections())
def test_the_output_is_always_json_with_no_name_twice(selection: Selection) -> None:
    lines = FORMAT.encode(selection)
    assert len(lines) == selection.count
    assert FORMAT.block(selection) == b"".join(line + b"\n" for line in lines)
    for line, record in zip(lines, selection.lines, strict=True):
        assert read(line)["text"] == record.decode(errors="replace") or record[:1] == b"{"


@given(selections(objects))
def test_every_field_comes_out_under_its_name_or_one_with_underscores(selection: Selection) -> None:
    for line, record in zip(FORMAT.encode(selection), selection.lines, strict=True):
        out = read(line)
        for name, value in json.loads(record).items():
            kept = [out[name + "_" * extra] for extra in range(4) if name + "_" * extra in out]
            if name in {"time", "level"} and value not in kept:
                continue  # it is told by the envelope: test_severity_and_time_are_not_kept_twice
            assert any(type(value) is type(other) and value == other for other in kept)


twice = st.lists(st.tuples(st.sampled_from(["a", "id", "level", "text", "id_"]), plain), min_size=2, max_size=6).map(
    lambda pairs: b"{" + b",".join(orjson.dumps(name) + b":" + orjson.dumps(value) for name, value in pairs) + b"}"
)


@given(selections(twice))
def test_names_that_the_application_writes_twice_come_out_once(selection: Selection) -> None:
    for line in FORMAT.encode(selection):
        read(line)


@given(lines, st.booleans(), st.data())
def test_a_copied_record_says_what_one_taken_apart_says(
    records: list[bytes], partial: bool, data: st.DataObject
) -> None:
    batch = batch_of(*records, partial=partial)
    chosen = sorted(data.draw(st.sets(st.integers(0, len(records) - 1))))
    for record in records[:4]:
        FORMAT.encode(whole(*[record] * 16))  # so that its shape is known
    for selection in (Selection(batch), Selection(batch, chosen)):
        documents = [read_strictly(document) for document in FORMAT.encode(selection)]
        expected = [read_strictly(orjson.dumps(members)) for members in flat_objects(selection)]
        assert documents == expected
        assert [list(document) for document in documents] == [list(members) for members in expected]


def test_the_text_of_a_copied_record_is_all_of_it_with_the_white_space_around_it() -> None:
    for line in (b'\t{"a":1}', b'{"a":1} ', b' {"a":1}\r'):
        for document in FORMAT.encode(whole(*[line] * 20)):
            assert read_strictly(document)["text"] == line.decode()


@pytest.mark.parametrize("line", [*HOSTILE, *(line[:-1] + b',"msg":"twice"}' for line in SHAPED[:2])])
def test_a_record_that_cannot_be_copied_changes_nothing_for_its_neighbours(line: bytes) -> None:
    documents = FORMAT.encode(whole(*SHAPED[:20], line, *SHAPED[20:]))
    alone = [document for record in (*SHAPED[:20], line, *SHAPED[20:]) for document in FORMAT.encode(whole(record))]
    assert [read_strictly(document)["text"] for document in documents] == [
        read_strictly(document)["text"] for document in alone
    ]


@pytest.mark.parametrize(
    "start",
    [
        b'{"time":"%b","level":"%b",', b'{"level":"%b","time":"%b",', b'{ "time": "%b", "level": "%b", ',
        b'{"time":"%b","lvl":"%b",', b'{"ts":"%b","level":"%b",', b'{"a":{"time":"%b"},"level":"%b",',
        b'{"time":"%b","ts":"%b",', b'{"level":"%b","lvl":"%b",', b'{"time":"%b","log":{"level":"%b"},"level":"info",',
    ],
)  # fmt: skip
def test_members_that_the_envelope_tells_are_left_out_wherever_they_stand(start: bytes) -> None:
    values = [
        (b"2026-11-22T09:30:00.123Z", b"info"), (b"2026-11-22T09:30:00.100Z", b"WARNING"), (b"never", b"loud"),
        (b"2026-11-22T09:30:00.000Z", b"info"), (b"2026-11-22T10:30:00.000+01:00", b"error"),
        (b"2026-11-22T09:33:20.000Z", b"info"), (b"2036-11-22T09:30:00.000Z", b"7"), (b"2026-11-22T09:30:00Z", b""),
        (b"2026-11-22T09:30:00.1234567Z", b"info"), (b"2026-11-22 09:30:00.123", b"info"), (b"\\u0032", b"\\n"),
    ]  # fmt: skip
    forms = start.count(b"%b")
    for first in values:
        for second in (first, *values):
            pairs = [first] * 20 + [second] * 3
            records = []
            for index, pair in enumerate(pairs):
                ordered = pair[::-1] if start.startswith(b'{"level":"%b","time"') else pair
                records.append(start % ordered[:forms] + b'"n":%d,"message":"m"}' % index)
            selection = whole(*records)
            found = [read_strictly(document) for document in FORMAT.encode(selection)]
            assert found == [read_strictly(orjson.dumps(members)) for members in flat_objects(selection)]


@pytest.mark.parametrize("gap", [b"", b" "])
def test_records_of_one_shape_are_copied_as_they_are_written(gap: bytes) -> None:
    rest = b'"msg":G"\\u00e9",G"n":G1e2}'.replace(b"G", gap)
    record = b'{"time":G"2026-11-22T09:30:00.%03dZ",G"level":G"INFO",G'.replace(b"G", gap) + rest
    documents = FORMAT.encode(whole(*[record % number for number in range(101, 130)]))
    for number, document in enumerate(documents, 101):
        assert document.startswith(b'{"time":"2026-11-22T09:30:00.%03dZ","key":' % number)
        assert document.endswith(b"," + rest)
        assert document.count(b'"time"') == document.count(b'"level"') == 1
