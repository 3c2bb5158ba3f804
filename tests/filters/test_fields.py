"""Columns of values, for filters and pipes."""

from __future__ import annotations

import pytest

from logyard.batch import Selection
from logyard.filters import FieldPath, columns, values
from tests.formats.sample_batches import OBSERVED, SECOND, SYSTEM, batch_of, whole

LINES = (
    b'{"ts":"2026-11-22T09:30:00Z","level":"warning","path":"/a","ms":812.5,"user":{"id":7},"tags":["a",{"b":1}]}',
    b"2026-11-22 09:30:01 ERROR refused \xff",
    b'{"path":null,"user":"bob","app":"other","big":123456789012345678901234567890,"huge":1e999}',
)


def column(path: str) -> list[object]:
    return values(whole(*LINES), FieldPath.parse(path))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("path", ["/a", None, None]),
        ("json.path", ["/a", None, None]),
        ("ms", [812.5, None, None]),
        ("user", [{"id": 7}, None, "bob"]),
        ("user.id", [7, None, None]),
        ("tags.0", ["a", None, None]),
        ("tags.1.b", [1, None, None]),
        ("tags.2", [None, None, None]),
        ("big", [None, None, 123456789012345678901234567890]),
        ("huge", [None, None, float("inf")]),
        ("app", ["web"] * 3),
        ("json.app", [None, None, "other"]),
        ("instance", ["3"] * 3),
        ("key", ["app.web"] * 3),
        ("level", ["warn", "error", None]),
        ("json.level", ["warning", None, None]),
        ("time", [1795339800 * SECOND, 1795339801 * SECOND, OBSERVED]),
        ("text", [line.decode(errors="replace") for line in LINES]),
        ("nowhere", [None] * 3),
    ],
)
def test_a_column_holds_a_value_for_each_record(path: str, expected: list[object]) -> None:
    assert column(path) == expected


def test_several_columns_are_read_at_once_in_the_order_asked_for() -> None:
    paths = [FieldPath.parse(path) for path in ("user.id", "level", "user", "path", "user.id")]
    assert columns(whole(*LINES), paths) == [column(str(path)) for path in paths]
    assert columns(whole(*LINES), []) == []


def test_columns_follow_the_selection() -> None:
    some = Selection(batch_of(*LINES), [0, 2])
    found = columns(some, [FieldPath.parse(path) for path in ("user", "level", "app", "text")])
    assert found == [[{"id": 7}, "bob"], ["warn", None], ["web", "web"], [LINES[0].decode(), LINES[2].decode()]]


def test_a_stream_without_an_application_has_none() -> None:
    assert values(whole(*LINES, **SYSTEM), FieldPath.parse("app")) == [None] * 3


def test_what_is_no_utf8_is_replaced() -> None:
    assert values(whole(b'{"a":"x\xff"}', b'{"a":"\xc3\xa9"}'), FieldPath("a")) == ["x\ufffd", "é"]


@pytest.mark.parametrize(
    "text", ["app", "json.app", "user.id", "json.json.x", "my field", "@timestamp", "a-b", 'q"x', "0.a"]
)
def test_a_path_is_written_as_it_is_read(text: str) -> None:
    path = FieldPath.parse(text)
    assert FieldPath.parse(str(path).strip('"').replace('\\"', '"')) == path
