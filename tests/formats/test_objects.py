"""Which records may be copied into documents: those that are one whole JSON object, and no others."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.batch import Selection
from logyard.formats.objects import divide, gather, normalised, only_objects, plain_objects
from tests.formats.json_lines import HOSTILE, lines, read_strictly, strictly_object
from tests.formats.sample_batches import batch_of, whole

SHAPED = [orjson.dumps({"time": f"2026-11-22T09:30:{n:02d}Z", "n": n, "msg": "x", "in": {"a": "b"}}) for n in range(40)]


def objects(selection: Selection) -> list[bool]:
    groups = divide(selection)
    return gather(selection.count, groups, [[group.is_object] * len(group.lines) for group in groups])


def shaped(selection: Selection) -> list[bool]:
    groups = divide(selection)
    return gather(selection.count, groups, [[group.shape is not None] * len(group.lines) for group in groups])


@given(lines)
def test_only_a_whole_object_is_ever_taken_for_one(records: list[bytes]) -> None:
    selection = whole(*records)
    groups = divide(selection)
    assert sorted(place for group in groups for place in group.positions or range(len(records))) == list(
        range(len(records))
    )
    for group in groups:
        for line, place in zip(group.lines, group.positions or range(len(records)), strict=True):
            if group.is_object:
                assert line[:1] == b"{"
                assert not {b"\n"[0], b"\r"[0]} & set(line)
                assert strictly_object(line)
                assert json.loads(line) == json.loads(records[place].decode(errors="replace"))


@given(lines)
def test_no_line_of_a_known_shape_holds_a_name_twice(records: list[bytes]) -> None:
    for group in divide(whole(*records)):
        if group.shape is not None:
            assert all(read_strictly(line) is not None for line in group.lines)


@given(lines, st.data())
def test_what_a_record_is_does_not_depend_on_its_neighbours(records: list[bytes], data: st.DataObject) -> None:
    batch = batch_of(*records)
    together = objects(Selection(batch))
    assert together == [objects(whole(record))[0] for record in records]
    chosen = sorted(data.draw(st.sets(st.integers(0, len(records) - 1), min_size=1)))
    assert objects(Selection(batch, chosen)) == [together[place] for place in chosen]


@pytest.mark.parametrize("line", HOSTILE)
@pytest.mark.parametrize("place", [0, 20, 40])
def test_a_hostile_line_among_good_ones_changes_nothing_for_them(line: bytes, place: int) -> None:
    found = objects(whole(*SHAPED[:place], line, *SHAPED[place:]))
    assert found.pop(place) == (objects(whole(line)) == [True])
    assert found == [True] * 40


@given(lines)
def test_lines_are_only_objects_when_a_closer_look_finds_nothing_else(records: list[bytes]) -> None:
    for selection in (whole(*records), *map(whole, records)):
        found = only_objects(selection)
        if found is not None:
            (group,) = plain_objects(selection)
            assert group.is_object
            assert list(map(bytes.strip, found)) == list(map(bytes.strip, group.lines))


def test_lines_of_a_program_are_taken_for_objects_without_a_closer_look() -> None:
    assert only_objects(whole(*SHAPED)) == SHAPED
    assert only_objects(Selection(batch_of(*SHAPED, b"text"), [3, 5])) == [SHAPED[3], SHAPED[5]]


@pytest.mark.parametrize("line", [line for line in HOSTILE if not strictly_object(line)])
def test_one_line_that_is_no_object_is_noticed(line: bytes) -> None:
    for place in (0, 20, 40):
        assert only_objects(whole(*SHAPED[:place], line, *SHAPED[place:])) is None


def test_lines_of_a_program_have_a_shape_with_one_bad_line_between_them_and_with_escapes() -> None:
    assert shaped(whole(*SHAPED)) == [True] * 40
    assert shaped(whole(*SHAPED[:20], b"{", *SHAPED[20:])) == [True] * 20 + [False] + [True] * 20
    escaped = SHAPED[3].replace(b'"x"', b'"a \\"b\\" \\\\"')
    assert shaped(whole(*SHAPED[:20], escaped)) == [True] * 21


@pytest.mark.parametrize(
    "twice",
    [
        b'{"time":"2026-11-22T09:30:00Z","n":1,"msg":"x","in":{"a":"b"},"n":1}',
        b'{"time":"2026-11-22T09:30:00Z","n":1,"msg":"x","in":{"a":"b"},"\\u006e":1}',
        b'{"time":"2026-11-22T09:30:00Z","n":1,"msg":"x","in":{"a":"b","a":"c"}}',
        b'{"time":"2026-11-22T09:30:00Z","n":1,"msg":"x","in":{"a":"b"},"in":{"a":"b"}}',
        b'{"time":"2026-11-22T09:30:00Z","n":1,"msg":"\\"","in":{"a":"b"},"n":2}',
        b'{"time":"2026-11-22T09:30:00Z","n":1,"msg":"\\\\","in":{"a":"b"},"n":2}',
    ],
)
def test_a_name_that_occurs_twice_is_noticed_in_a_line_of_a_known_shape(twice: bytes) -> None:
    assert shaped(whole(*SHAPED, twice)) == [True] * 40 + [False]


def test_strings_in_arrays_are_counted() -> None:
    tagged = [orjson.dumps({"a": 1, "tags": ["x"] * (n % 4 + 1), "all": [{"k": "v"}] * 2}) for n in range(40)]
    assert shaped(whole(*tagged)) == [True] * 40
    twice = b'{"a":1,"tags":["x","y"],"all":[],"tags":["x"]}'
    assert shaped(whole(*tagged, twice)) == [True] * 40 + [False]


def test_numbers_that_would_not_survive_have_no_shape() -> None:
    numbers = [b'{"n":%d}' % n for n in range(30)]
    assert shaped(whole(*numbers, b'{"n":1e999}', b'{"n":' + b"9" * 25 + b"}")) == [True] * 30 + [False] * 2


def test_objects_over_several_lines_are_put_on_one() -> None:
    (group,) = divide(whole(b'{\n "a": 1,\r\n "a": 2\n}'))
    assert (group.is_object, list(group.lines)) == (True, [b'{"a":2}'])
    assert objects(whole(b'{\n"a":1}', b"a\nb", b"{\n")) == [True, False, False]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"msg":"a","message":"b"}', b'"a"'),
        (b'{"msg":1,"message":"b\\n"}', b'"b\\n"'),
        (b'{"msg":{"a":"x"},"text":"c"}', b'"c"'),
        (b'{"msg":null}', b""),
        (b'{"a":1}', b""),
        ('{"msg":"é"}'.encode(), '"é"'.encode()),
    ],
)
def test_the_message_is_the_first_string_of_those_that_may_hold_it(line: bytes, message: bytes) -> None:
    for records in ([line], [line] * 20):
        messages: list[Any] = [text for group in divide(whole(*records)) for text in group.messages()]
        assert messages == [message] * len(records)


def test_what_is_written_anew_has_each_name_once() -> None:
    assert normalised(b'{"a":{"b":1,"b":2},"a":3} ') == b'{"a":3}'
    assert normalised(b'{"a":1e999}') is None
    assert normalised(b"[1]") is None


def test_an_empty_selection_has_no_groups() -> None:
    assert divide(Selection(batch_of(b"x"), [])) == []
    assert gather(0, [], []) == []
