"""The body of a ``_bulk`` request: a pair of lines for each record, whatever the records hold."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from logyard.batch import Selection
from logyard.formats.ecs import EcsFormat
from logyard_drains.elasticsearch_bulk import bulk_lines
from logyard_drains.elasticsearch_names import IndexName, data_stream, index_pattern
from tests.drains.records import batch_of

TODAY = index_pattern("logs-{app}-{yyyy.MM.dd}")


def body(selection: Selection, name: IndexName = TODAY) -> bytes:
    return b"".join(bulk_lines(selection.batch, EcsFormat().documents(selection), name))


def pairs(made: bytes) -> list[tuple[dict[str, str], dict[str, object]]]:
    """Each action and its document; every line is one JSON object."""
    assert made.endswith(b"\n")
    lines = [json.loads(line) for line in made[:-1].split(b"\n")]
    assert all(list(action) == ["create"] for action in lines[::2])
    return [(action["create"], document) for action, document in zip(lines[::2], lines[1::2], strict=True)]


def test_each_record_is_created_under_its_identity_where_it_belongs() -> None:
    selection = batch_of([b"one", b'{"msg":"two","time":"2026-03-14T00:00:00Z"}', b"three"])
    found = pairs(body(selection))
    batch = selection.batch
    assert [action["_id"] for action, _ in found] == [batch.identity(offset) for offset in batch.offsets()]
    assert [action["_index"] for action, _ in found] == [
        "logs-web-2026.11.22", "logs-web-2026.03.14", "logs-web-2026.11.22",
    ]  # fmt: skip
    assert [document["message"] for _, document in found] == ["one", "two", "three"]


def test_only_selected_records_are_there() -> None:
    whole = batch_of([b"zero", b"one", b"two", b"three"])
    found = pairs(body(Selection(whole.batch, [1, 3]), data_stream("default")))
    assert [document["message"] for _, document in found] == ["one", "three"]
    assert [action["_id"] for action, _ in found] == [whole.batch.identity(whole.batch.offsets()[at]) for at in (1, 3)]


def test_percent_signs_mean_nothing() -> None:
    (found,) = pairs(body(batch_of([b"100%d %b %%"], app="a%d%b", key="app.x")))
    assert found[0]["_index"] == "logs-a%d%b-2026.11.22"
    assert found[1]["message"] == "100%d %b %%"


CRAFTED = [
    b'{"a":1}\r{"delete":{"_index":"x","_id":"1"}}',
    b'"},"json":{}}\n{"delete":{"_id":"1"}}\n{"x":"',
    b'{"a":"\\n"}',
    b'{"create":{"_id":"0"}}',
    b'{"@timestamp":"1999-01-01","_index":"other","_id":"0"}',
    b'{"a":1}}',
    b'{"a":1},"b":{"c":2}',
    b'{"a":{"b":"\\u000a"}}',
    b"\x1e\x00\xff\xfe",
]


@given(st.lists(st.binary(max_size=60) | st.sampled_from(CRAFTED), min_size=1, max_size=20))
def test_no_record_forges_an_action_or_a_field_around_it(lines: list[bytes]) -> None:
    selection = batch_of(lines)
    found = pairs(body(selection, data_stream("default")))
    assert len(found) == len(lines)
    for (action, document), offset in zip(found, selection.offsets(), strict=True):
        assert action == {"_index": "logs-web-default", "_id": selection.batch.identity(offset)}
        assert {"@timestamp", "host", "event", "logyard"} <= set(document)
        assert document["host"] == {"name": "node1"}
        assert document["event"] == {"id": action["_id"]}
