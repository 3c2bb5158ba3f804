"""Severities read from a whole block are those of each line."""

from __future__ import annotations

import pytest

from logyard.derive import level_of
from logyard.filters.severities import written_levels

INFO, WARN = b'{"t":1,"level":"info","msg":"x"}', b'{"t":2,"level":"WARN"}'


def read(lines: list[bytes]) -> bool:
    """Whether the block can be read as a whole; if so, it says what each line says."""
    found = written_levels(b"\n".join(lines), len(lines), lambda: lines)
    if found is None:
        return False
    column, meaning = found
    assert [meaning[text] for text in column] == [level_of(line) for line in lines]
    return True


@pytest.mark.parametrize(
    "odd",
    [
        b"ERROR text",
        b"",
        b'{"level":"error","t":1}',
        b'{"t":1,"level":"loud","severity":"error"}',
        b'{"t":1,"level":"loud"}',
        b'{"t":1,"level":""}',
        b'{"t":1, "level":"error"}',
        b'{"t":1,"lev\\u0065l":"error"}',
        b'text with {"t":1,"level":"error","msg":"x"} in it',
        b'{"t":1,"level":"error"',
        b'{"t":1,"level":"err',
        b"}",
        b',"level":"error"}',
    ],
)
def test_lines_that_begin_otherwise_are_looked_at_one_by_one(odd: bytes) -> None:
    for place in range(20):
        assert read([INFO if at % 3 else WARN for at in range(place)] + [odd] + [INFO, WARN] * 10)
    assert read([INFO, WARN] * 10 + [odd])


def test_a_cut_line_does_not_go_on_in_the_next() -> None:
    assert read([INFO, WARN] * 10 + [b'{"t":1,"level":"error"', b"}"] + [INFO] * 10)
    assert read([INFO, WARN] * 10 + [b'{"t":1,"level":"error"', b',"a":1}'] + [INFO] * 10)


def test_a_quote_that_reaches_over_lines_is_noticed() -> None:
    lines = [b'{"t":"a","level":"info"}', b'{"t":"b","level":"warn"}'] * 10
    assert read(lines)
    assert not read([*lines, b'{"t":"c', b'd","level":"error"}', *lines])


def test_what_does_not_begin_alike_is_left_to_others() -> None:
    assert not read([b"ERROR text"] * 20)
    assert not read([INFO, b"text", b"text"] * 20)
    assert not read([b'{"t":1,"level":"info" }'] * 20)
    assert not read([b'{"n":%d,"a%d":2,"level":"info"}' % (at, at) for at in range(20)])
    assert not read([INFO])


def test_numbers_are_severities_too() -> None:
    assert read([b'{"level":%d,"msg":"x"}' % number for number in (10, 20, 30, 40, 50, 60, 35, 3)] * 5)
