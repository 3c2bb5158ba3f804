"""What objects tell of themselves: read in one decode, the same that looking at each alone finds."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given

from logyard.batch import Selection
from logyard.derive import level_of, time_of
from logyard.derive.severity import level_value
from logyard.derive.time import time_value
from logyard.formats.fields import message_of
from logyard.formats.told import tell
from tests.formats.json_lines import HOSTILE, SHAPED, has_a_name_twice, lines, strictly_object
from tests.formats.sample_batches import OBSERVED, batch_of, whole


def test_lines_of_a_program_are_told_at_once() -> None:
    told, others = tell(whole(*SHAPED))
    assert told is not None
    assert (told.lines, told.places, told.derived, others) == (SHAPED, None, False, ())
    assert told.times == [json.loads(line)["time"] for line in SHAPED]
    assert told.levels == ["warning"] * 40
    assert told.messages == [f"n {n}" for n in range(40)]


@pytest.mark.parametrize("line", [line for line in HOSTILE if not strictly_object(line) and b"\r" not in line])
def test_a_line_that_is_no_object_is_left_out_and_changes_nothing_for_others(line: bytes) -> None:
    for place in (0, 19, 39):
        told, others = tell(whole(*SHAPED[:place], line, *SHAPED[place:]))
        assert told is not None
        assert (told.lines, others) == (SHAPED, [place])


@pytest.mark.parametrize(
    "other",
    [
        b'{"time":5,"level":"info","msg":"x"}',
        b'{"time":"2026-11-22T09:30:00Z","level":30,"msg":"x"}',
        b'{"time":"2026-11-22T09:30:00Z","level":"info","msg":["x"]}',
        b'{"time":"2026-11-22T09:30:00Z","level":"info"}',
        b'{"level":"info","msg":"x"}',
        b'{"ts":"2026-11-22T09:31:00Z","time":"2026-11-22T09:30:00Z","level":"info","msg":"x"}',
        b'{"lvl":"error","time":"2026-11-22T09:30:00Z","level":"info","msg":"x"}',
        b'{"log":{"level":"error"},"time":"2026-11-22T09:30:00Z","level":"info","msg":"x"}',
        b'{"\\u0074s":"2026-11-22T09:31:00Z","time":"2026-11-22T09:30:00Z","level":"info","msg":"x"}',
    ],
)
def test_a_line_that_tells_otherwise_is_left_out(other: bytes) -> None:
    assert tell(whole(*SHAPED, other, *SHAPED))[1] == [40]


def test_a_line_without_severity_and_null_for_what_would_count_more_are_as_the_others() -> None:
    without = b'{"time":"2026-11-22T09:30:00Z","lvl":null,"msg":"x"}'
    told, others = tell(whole(*SHAPED, without, SHAPED[0]))
    assert told is not None
    assert others == ()
    assert told.levels == ["warning"] * 40 + [None, "warning"]


@pytest.mark.parametrize("deep", [b"[" * 300 + b"]" * 300, b"[" * 3000 + b"]" * 3000])
def test_what_nests_too_deeply_is_left_out(deep: bytes) -> None:
    assert tell(whole(*SHAPED, SHAPED[0][:-1] + b',"a":' + deep + b"}"))[1] == [40]


def test_numbers_for_time_and_severity_are_left_to_be_derived() -> None:
    numbered = [orjson.dumps({"level": 30, "time": 1_795_000_000_000 + n, "msg": "x"}) for n in range(20)]
    told, others = tell(whole(*numbered))
    assert told is not None
    assert (told.derived, told.times, told.levels, told.messages, others) == (True, None, None, ["x"] * 20, ())


def test_records_over_several_lines_are_all_left() -> None:
    assert tell(whole(b'{"a":\n1}', *SHAPED)) == (None, range(41))
    assert tell(Selection(batch_of(b"x"), [])) == (None, range(0))


@given(lines)
def test_what_is_told_is_what_looking_at_a_line_alone_finds(records: list[bytes]) -> None:
    selection = whole(*records)
    told, others = tell(selection)
    places = [] if told is None else list(range(len(records)) if told.places is None else told.places)
    assert sorted([*places, *others]) == list(range(len(records)))
    if told is None:
        return
    assert list(told.lines) == [records[place].decode(errors="replace").encode() for place in places]
    for index, line in enumerate(told.lines):
        assert strictly_object(line)
        assert line[:1] == b"{"
        found = json.loads(line)
        assert (None if told.messages is None else told.messages[index]) == message_of(found)
        if told.derived or has_a_name_twice(line):
            continue
        time = None if told.times is None else told.times[index]
        level = None if told.levels is None else told.levels[index]
        assert (None if time is None else time_value(time, OBSERVED)) == time_of(line, OBSERVED)
        assert level_value(level) == level_of(line)
