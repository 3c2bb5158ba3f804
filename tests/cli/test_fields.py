"""JSON records for people."""

from __future__ import annotations

import pytest

from logyard_cli.fields import parse_record, split_record

NOTHING: frozenset[str] = frozenset()


@pytest.mark.parametrize("line", [b"", b"text", b"[1]", b'"x"', b"{broken", b'{"a": 1} tail', b'{"a": "\xff"}', b"12"])
def test_only_objects_are_records(line: bytes) -> None:
    assert parse_record(line) is None


def test_the_message_comes_out_of_the_fields() -> None:
    message, fields, blocks = split_record(
        {"ts": 1, "msg": "hello", "level": "info", "n": 3}, frozenset({"ts", "level"})
    )
    assert (message, fields, blocks) == ("hello", ["n=3"], [])


def test_the_best_of_several_message_fields_wins_and_the_others_stay() -> None:
    assert split_record({"event": "e", "message": "m"}, NOTHING)[:2] == ("m", ["event=e"])
    assert split_record({"message": 3, "event": "e"}, NOTHING)[:2] == ("e", ["message=3"])


def test_values_are_written_so_that_they_can_be_told_apart() -> None:
    record = {
        "plain": "a/b:c", "space": "a b", "quote": 'a"b', "equals": "a=b", "empty": "", "n": 1, "f": 1.5, "t": True,
        "none": None, "list": [1, "x"], "object": {"a": 1, "b": {"c": "d e"}}, "bare": {},
    }  # fmt: skip
    assert split_record(record, NOTHING)[1] == [
        "plain=a/b:c", 'space="a b"', 'quote="a\\"b"', 'equals="a=b"', 'empty=""', "n=1", "f=1.5", "t=true",
        "none=null", 'list=[1,"x"]', 'object.a=1', 'object.b.c="d e"', "bare={}",
    ]  # fmt: skip


def test_values_of_several_lines_are_kept_for_below() -> None:
    message, fields, blocks = split_record({"msg": "m", "stack": "a\n b"}, NOTHING)
    assert (message, fields, blocks) == ("m", ["stack=↓"], ["a\n b"])
