"""Events for Loggly: the application's members at the top, ours beside them, no name twice, none too long."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given

from logyard.batch import Selection
from logyard.derive import level_of, time_of
from logyard.formats.loggly import EVENT_LIMIT, LogglyFormat
from tests.formats.json_lines import SHAPED, lines, read_strictly
from tests.formats.sample_batches import OBSERVED, OBSERVED_TEXT, ORIGIN, SYSTEM, batch_of, whole

FORMAT = LogglyFormat()


def only(selection: Selection) -> dict[str, Any]:
    (event,) = FORMAT.events(selection)[0]
    return read_strictly(event)


def test_an_applications_members_are_at_the_top() -> None:
    events, cut = FORMAT.events(whole(*SHAPED))
    assert cut == 0
    assert events[2] == (
        b'{"timestamp":"2026-11-22T09:30:02.002Z","logyard":{"key":"app.web","node":"node-1","app":"web",'
        b'"instance":3,"source":"stdout","level":"warn","id":"%b"},%b'
    ) % (b"%b:%d" % (ORIGIN.encode(), 1000 + sum(len(line) + 1 for line in SHAPED[:2])), SHAPED[2][1:])
    assert [json.loads(event)["instance_index"] for event in events] == list(range(40))


def test_a_line_of_text_is_the_message() -> None:
    assert only(whole(b"what\n\x1b", **SYSTEM)) == {
        "timestamp": OBSERVED_TEXT,
        "message": "what\n\x1b",
        "logyard": {
            "key": "sys.nginx",
            "node": "node-1",
            "source": "/var/log/nginx/error.log",
            "id": f"{ORIGIN}:1000",
        },
    }


@pytest.mark.parametrize("count", [1, 20])
def test_a_timestamp_of_the_applications_own_is_not_repeated(count: int) -> None:
    for line in (b'{"timestamp":"2026-11-22T09:30:00Z","a":1}', b'{"timestamp":1795339800,"a":1}'):
        for event in FORMAT.encode(whole(*[line] * count)):
            found = read_strictly(event)
            found.pop("logyard")
            assert found == {"timestamp": "2026-11-22T09:30:00Z", "a": 1}


@pytest.mark.parametrize("count", [1, 20])
def test_members_with_our_names_are_kept_under_others(count: int) -> None:
    line = b'{"timestamp":"soon","timestamp_":1,"logyard":{"level":"x"},"a":2}'
    for event in FORMAT.encode(whole(*[line] * count)):
        found = read_strictly(event)
        assert found["timestamp"] == OBSERVED_TEXT
        assert found["logyard"]["key"] == "app.web"
        assert (found["timestamp__"], found["timestamp_"], found["logyard_"]) == ("soon", 1, {"level": "x"})


def test_of_a_name_that_occurs_twice_the_last_value_counts() -> None:
    found = only(whole(b'{"a":1,"b":{"c":1,"c":2},"a":3}'))
    assert (found["a"], found["b"]) == (3, {"c": 2})
    assert json.loads(FORMAT.encode(whole(*SHAPED, SHAPED[0][:-1] + b',"msg":"y"}'))[-1])["msg"] == "y"


def test_an_empty_object_gets_no_comma() -> None:
    assert only(whole(b"{ }")).keys() == {"timestamp", "logyard"}


@pytest.mark.parametrize("text", ["x" * 600, "\u00e9" * 600, "\x01" * 600, '"' * 600, "\U0001f600" * 600])
@pytest.mark.parametrize("limit", [400, 401, 402, 403])
def test_a_long_event_is_cut_at_the_end_of_a_character_marked_and_counted(text: str, limit: int) -> None:
    short = LogglyFormat(limit=limit)
    events, cut = short.events(whole(b"short", text.encode(), orjson.dumps({"level": "error", "a": text})))
    assert cut == 2
    assert max(map(len, events)) <= limit
    plain, of_object = map(read_strictly, events[1:])
    assert text.startswith(plain["message"])
    assert plain["logyard"]["truncated"] == len(text.encode())
    assert of_object.keys() == {"timestamp", "message", "logyard"}
    assert of_object["message"].startswith('{"level"')
    assert of_object["logyard"]["level"] == "error"
    assert "truncated" not in read_strictly(events[0])["logyard"]


def test_the_limit_is_what_loggly_takes_and_little_room_is_wasted() -> None:
    (event,), cut = FORMAT.events(whole(b"x" * 1_048_576, cut=5_000_000))
    assert (len(event), cut) == (EVENT_LIMIT, 1)
    assert read_strictly(event)["logyard"]["truncated"] == 5_000_000


def test_cut_and_partial_records_are_marked() -> None:
    batch = batch_of(*SHAPED, partial=True)
    marked = [read_strictly(event)["logyard"].get("partial") for event in FORMAT.encode(Selection(batch))]
    assert marked == [None] * 39 + [True]


def test_nothing_selected_makes_nothing() -> None:
    assert FORMAT.events(Selection(batch_of(b"x", partial=True), [])) == ([], 0)


@given(lines)
def test_every_event_is_an_object_with_no_name_twice_whatever_the_records_are(records: list[bytes]) -> None:
    batch = batch_of(*records)
    events, cut = FORMAT.events(Selection(batch))
    assert (len(events), cut) == (len(records), 0)
    for index, (event, record, offset) in enumerate(zip(events, records, batch.offsets(), strict=True)):
        found = read_strictly(event)
        readable = record.decode(errors="replace").encode()
        level = level_of(readable)
        assert time_of(found["timestamp"].encode(), OBSERVED) == (time_of(readable, OBSERVED) or OBSERVED)
        assert found["logyard"].get("level") == (None if level is None else level.label)
        assert found["logyard"]["id"] == f"{ORIGIN}:{offset}"
        assert found["logyard"]["node"] == "node-1"
        assert read_strictly(FORMAT.encode(Selection(batch, [index]))[0]) == found
