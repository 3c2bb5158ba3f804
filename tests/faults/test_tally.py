"""The fault tests' own tools notice what they are there to notice."""

from __future__ import annotations

import json

import pytest

from tests.faults.pipeline import LINE_BYTES, Tally, make_lines, numbers_in
from tests.servers.syslog_receiver import split_frames


def test_lines_are_json_of_one_length_and_carry_their_number() -> None:
    lines = make_lines(999_990, 1_000_010)
    assert len(lines) == 20 * LINE_BYTES
    assert [json.loads(line)["seq"] - 1_000_000_000 for line in lines.splitlines()] == list(range(999_990, 1_000_010))
    assert numbers_in(lines) == list(range(999_990, 1_000_010))


def test_a_tally_finds_what_is_missing_and_what_came_twice() -> None:
    tally = Tally()
    tally.add([0, 1, 2, 5, 6, 7])
    tally.add([6, 7, 8, 1])
    assert tally.missing(10) == [3, 4, 9]
    assert tally.repeated(10) == [range(1, 2), range(6, 8)]
    assert tally.highest == 8


def test_frames_are_split_wherever_the_data_ends() -> None:
    data = b"3 abc12 123456789012" + b"1 x"
    for cut in range(len(data) + 1):
        frames, rest = split_frames(data[:cut])
        more, rest = split_frames(rest + data[cut:])
        assert (frames + more, rest) == ([b"abc", b"123456789012", b"x"], b"")


@pytest.mark.parametrize(
    "data", [b"<14>1 2026-03-14T09:26:53Z", b"hello, this is no frame", b"12345678901 x", b"ab", b" x"]
)
def test_what_is_not_framed_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no frame starts"):
        split_frames(data)
