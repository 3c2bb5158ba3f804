"""Documents for Elasticsearch: one a record, ECS names, the application's object untouched under one field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from logyard.batch import Selection
from logyard.derive import level_of, rfc3339, time_of
from logyard.formats.ecs import ECS_VERSION, EcsFormat
from logyard.formats.splice import ByStamp, Mark
from tests.formats.json_lines import HOSTILE, SHAPED, has_a_name_twice, lines, read_strictly
from tests.formats.sample_batches import OBSERVED, ORIGIN, SYSTEM, batch_of, whole

FORMAT = EcsFormat()


def only(selection: Selection, **options: Any) -> dict[str, Any]:
    (document,) = FORMAT.encode(selection, **options)
    return read_strictly(document)


def test_an_object_stands_whole_under_json_beside_what_is_known() -> None:
    documents = FORMAT.encode(whole(*SHAPED))
    identity = f"{ORIGIN}:{1000 + sum(len(line) + 1 for line in SHAPED[:7])}"
    assert documents[7] == (
        b'{"@timestamp":"2026-11-22T09:30:07.007Z","log":{"level":"warn"},"host":{"name":"node-1"},'
        b'"service":{"name":"web","node":{"name":"3"}},"ecs":{"version":"%b"},'
        b'"logyard":{"key":"app.web","source":"stdout"},"event":{"id":"%b"},"message":"n 7","json":%b}'
    ) % (ECS_VERSION.encode(), identity.encode(), SHAPED[7])


def test_a_line_of_text_is_the_message() -> None:
    assert only(whole(b'ERROR "x" \\', **SYSTEM, node="n\u00e9")) == {
        "@timestamp": "2026-11-22T09:33:20Z",
        "log": {"level": "error", "file": {"path": "/var/log/nginx/error.log"}},
        "host": {"name": "n\u00e9"},
        "ecs": {"version": ECS_VERSION},
        "logyard": {"key": "sys.nginx", "source": "/var/log/nginx/error.log"},
        "event": {"id": f"{ORIGIN}:1000"},
        "message": 'ERROR "x" \\',
    }


def test_what_is_unknown_is_left_out() -> None:
    found = only(whole(b'{"a":1}', **SYSTEM | {"source": "syslog"}))
    assert not {"message", "log", "service"} & found.keys()
    assert found["json"] == {"a": 1}


def test_the_applications_text_is_not_changed() -> None:
    line = b'{ "b":1.0, "a":1e999, "n":18446744073709551616,"c":"\\u00e9" }'
    for records in ([line], [line] * 20):
        assert all(b'"json":' + line + b"}" in document for document in FORMAT.encode(whole(*records)))


def test_names_that_occur_twice_and_deep_nesting_are_written_anew_when_asked() -> None:
    twice = whole(b'{"a":{"b":1,"b":2},"msg":"x","a":1}')
    assert FORMAT.encode(twice)[0].endswith(b'"json":{"a":{"b":1,"b":2},"msg":"x","a":1}}')
    found = only(twice, normalise=True)
    assert (found["message"], found["json"]) == ("x", {"a": 1, "msg": "x"})
    deep = b'{"[":"\\"[[","a":' + b"[" * 20 + b"]" * 20 + b"}"
    assert only(whole(deep), normalise=True)["json"] == json.loads(deep)
    deeper = b'{"a":' + b"[" * 21 + b"]" * 21 + b"}"
    assert only(whole(deeper), normalise=True)["message"] == deeper.decode()
    assert only(whole(b'{"a":1e999}'), normalise=True)["message"] == '{"a":1e999}'
    documents = FORMAT.encode(whole(b"{}", b"x", b'{"a":1e999}'), normalise=True)
    assert [b'"json"' in document for document in documents] == [True, False, False]


def test_cut_and_partial_records_are_marked() -> None:
    assert only(whole(b"x", cut=2_000_000))["logyard"]["truncated"] == 2_000_000
    batch = batch_of(*SHAPED, partial=True)
    marked = [read_strictly(document)["logyard"].get("partial") for document in FORMAT.encode(Selection(batch))]
    assert marked == [None] * 39 + [True]
    assert [b'"partial"' in document for document in FORMAT.encode(Selection(batch, [3, 39]))] == [False, True]
    assert [b'"partial"' in document for document in FORMAT.encode(Selection(batch, [3]))] == [False]


@pytest.mark.parametrize("name", ["a%db", 'a"b', "a\nb"])
def test_odd_names_are_escaped(name: str) -> None:
    found = only(whole(b"x", key=name, node=name, app=name, instance=name, source=name, origin="%s.1"))
    assert found["service"] == {"name": name, "node": {"name": name}}
    assert found["event"]["id"] == "%s.1:1000"


def test_nothing_selected_makes_nothing() -> None:
    assert FORMAT.encode(Selection(batch_of(b"x", partial=True), [])) == []


@given(lines)
def test_a_record_changes_nothing_but_its_own_part_of_its_document(records: list[bytes]) -> None:
    batch = batch_of(*records)
    documents = FORMAT.encode(Selection(batch))
    assert len(documents) == len(records)
    for index, (document, record, offset) in enumerate(zip(documents, records, batch.offsets(), strict=True)):
        head, mark, own = document.partition(b',"json":')
        found = read_strictly(head + b"}" if mark else document)
        assert not mark or json.loads(own[:-1]) == json.loads(record.decode(errors="replace"))
        assert b"\n" not in document
        readable = record.decode(errors="replace").encode()
        expected = rfc3339(time_of(readable, OBSERVED) or OBSERVED)
        level = level_of(readable)
        if not mark or not has_a_name_twice(readable):
            assert found["@timestamp"] == expected
            assert found.get("log") == (None if level is None else {"level": level.label})
            assert FORMAT.encode(Selection(batch, [index])) == [document]
        assert found["event"] == {"id": f"{ORIGIN}:{offset}"}
        assert mark or found["message"] == readable.decode()


@pytest.mark.parametrize("record", HOSTILE)
def test_a_hostile_record_among_others_has_the_document_that_it_has_alone(record: bytes) -> None:
    batch = batch_of(*SHAPED[:20], record, *SHAPED[20:], first=0)
    documents = FORMAT.encode(Selection(batch))
    assert documents[20:21] == FORMAT.encode(Selection(batch, [20]))
    assert documents[19::2][:2] == [FORMAT.encode(Selection(batch, [place]))[0] for place in (19, 21)]


def test_records_of_several_kinds_keep_their_order() -> None:
    kinds = (
        b'{"time":"2026-11-22T09:30:00Z","n":%d}',
        b'{"level":"info","message":"m","n":%d}',
        b'{"n":%d}',
        b"text %d",
    )
    records = [kinds[n % 4] % n for n in range(40)] + [b'{"n":40,"level":5}']
    documents = FORMAT.encode(whole(*records))
    assert documents == [FORMAT.encode(Selection(batch_of(*records), [n]))[0] for n in range(41)]
    assert [b"%d" % n in document.rpartition(b'"event"')[2] for n, document in enumerate(documents)] == [True] * 41


def test_a_message_with_escapes_in_its_batch_is_the_same_as_without() -> None:
    plain = '{"time":"2026-11-22T09:30:00Z","msg":"\u00e9 \u2028 \x7f/"}'.encode()
    quoting = b'{"time":"2026-11-22T09:30:00Z","msg":"a \\"b\\" \\n"}'
    assert FORMAT.encode(whole(plain, quoting))[0] == FORMAT.encode(whole(plain))[0]
    assert read_strictly(FORMAT.encode(whole(plain, quoting))[1])["message"] == 'a "b" \n'


@given(lines)
def test_framed_documents_are_the_written_ones_with_the_same_around_each(records: list[bytes]) -> None:
    selection = whole(*records)
    documents = FORMAT.documents(selection)
    made = b"".join(documents.framed((b"<", Mark.OFFSET, b","), b">\n"))
    pairs = zip(selection.offsets(), documents.written(), strict=True)
    assert made == b"".join(b"<%d,%b>\n" % pair for pair in pairs)
    days = b"".join(documents.framed((ByStamp(10, lambda day: f"<{day}>".encode()),), b"\n"))
    assert days == b"".join(b"<%b>%b\n" % (document[15:25], document) for document in documents.written())
    assert FORMAT.block(whole(*records)) == b"".join(document + b"\n" for document in documents.written())


def test_many_documents_are_framed_in_parts_of_whole_documents() -> None:
    documents = FORMAT.documents(whole(*SHAPED * 10))
    parts = documents.framed((), b"\n")
    assert len(parts) in (3, 4)
    assert all(part.endswith(b"}\n") for part in parts)
    assert b"".join(parts).split(b"\n")[:-1] == documents.written()
    assert FORMAT.documents(Selection(batch_of(b"x"), [])).framed((b"<",), b">") == []


@given(lines)
def test_documents_written_anew_never_hold_a_name_twice(records: list[bytes]) -> None:
    batch = batch_of(*records)
    for document in FORMAT.encode(Selection(batch), normalise=True):
        read_strictly(document)
