"""Many lines at once give what each line alone gives."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logyard.derive import Level, derive, level_of, levels, time_of, times
from logyard.derive.heads import read_heads
from logyard.derive.severity import LEVEL_NAMES, LevelRole, level_value
from logyard.derive.time import TIME_NAMES, TimeRole, time_value

SECOND = 1_000_000_000
OBSERVED = 1_795_340_000 * SECOND

words = st.text(st.characters(codec="utf-8"), max_size=12)
level_values = st.one_of(
    st.sampled_from(["info", "ERROR", "Warn", "e", "loud", "30", " info", "debug\t", "", "inFO"]),
    st.sampled_from([3, 30, 50, 7.0, 8, 300, -1, None, True, 1e3]),
)
stamps = st.builds(
    lambda second, fraction, zone, t: f"2026-11-22{t}09:29:{second:02d}{fraction}{zone}",
    st.integers(0, 61),
    st.sampled_from(["", ".5", ".123", ",123", ".123456", ".123456789", ".1234567891", "."]),
    st.sampled_from(["", "Z", "z", "+01:00", "-0130", "+02", " UTC", " +0000", "Zx", " EST"]),
    st.sampled_from("T t"),
)
time_values = st.one_of(
    stamps,
    st.sampled_from(
        [
            1795339800,
            1795339800.5,
            1795339800.123456,
            1795339800.1234567,
            1795339800123,
            1795339800123456789,
            35,
            -1,
            0.25,
            None,
            False,
            "soon",
            "1795339800",
            1795339800123.25,
            1e300,
            "2031-01-01T00:00:00Z",
        ]
    ),
)
plain_values = st.one_of(
    words, st.integers(-(10**6), 10**6), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)
)
inner = st.one_of(
    st.dictionaries(st.sampled_from(["level", "ts", "a"]), st.one_of(level_values, time_values), max_size=2),
    st.lists(
        st.one_of(plain_values, st.dictionaries(st.sampled_from(["level", "time"]), st.just("error"))), max_size=2
    ),
)
names = st.one_of(
    st.sampled_from([*sorted(LEVEL_NAMES | TIME_NAMES), "log", "msg", "a", 'q"', "b\\"]),
    words,
)


def value_of(name: str) -> st.SearchStrategy[Any]:
    if name in LEVEL_NAMES:
        return level_values
    if name in TIME_NAMES:
        return time_values
    return st.one_of(plain_values, plain_values, inner)


@st.composite
def objects_alike(draw: st.DrawFn) -> list[bytes]:
    """Lines of objects with the same names in the same order, as one program writes them."""
    members = draw(st.lists(names, min_size=1, max_size=5))
    spaced = draw(st.booleans())
    separators = (", ", ": ") if spaced else (",", ":")
    lines: list[bytes] = []
    for _ in range(draw(st.integers(16, 20))):
        pairs = [
            json.dumps(name, ensure_ascii=spaced)
            + separators[1]
            + json.dumps(draw(value_of(name)), ensure_ascii=spaced)
            for name in members
        ]
        lines.append(("{" + separators[0].join(pairs) + "}").encode())
    return lines


@st.composite
def texts_alike(draw: st.DrawFn) -> list[bytes]:
    """Lines of text of one form."""
    form = draw(
        st.sampled_from(
            [
                "{stamp} {level} {word}",
                "[{stamp}] {word} - pid=7  {level} -- x",
                "{stamp} [{word}] {level}: x",
                "{stamp} [{level}] x",
                "{word} {level} {stamp}",
                "{stamp} app.{level}: x",
                "{stamp}{word}{level} x",
                "\x1b[3{word}m{level}\x1b[0m x",
                "{level}|{word}",
                "{stamp} [a:{level}] level={word}",
                "{word}: {level} x",
            ]
        )
    )
    level = st.sampled_from(["ERROR", "INFO", "WARN", "error", "Error", "GET", "ERRORS", "[error]", "E", ""])
    word = st.one_of(
        st.sampled_from(["main", "UTC", "level=info", "warning:", "[debug]", "[main]", "a.b:12", "DEBUG", "x=1", "1"]),
        words,
    )
    return [
        form.format(stamp=draw(stamps), level=draw(level), word=draw(word)).encode()
        for _ in range(draw(st.integers(16, 20)))
    ]


marks = st.lists(
    st.sampled_from(
        [
            b'{"', b'"level":', b'"info"', b'"ts":', b"1795339800", b",", b"}", b"{", b"[", b"]", b" ", b"ERROR",
            b"[error]", b"level=", b"warn", b":", b"=", b"\\", b'"', b"2026-11-22 09:29:00", b".5", b"Z", b"\n",
            b"\xff", b"a", b"<134>", b"E1122 09:30:00", b"time=", b"Nov 22 09:30:00", b"x" * 60,
            b"[22/Nov/2026:09:30:00 +0000]",
        ]
    ),
    max_size=9,
).map(b"".join)  # fmt: skip


def broken(line: bytes) -> st.SearchStrategy[bytes]:
    """A line, perhaps cut, perhaps with a byte of it spoilt."""
    cut = st.integers(0, len(line)).map(lambda end: line[:end])
    spoilt = st.tuples(
        st.integers(0, max(len(line) - 1, 0)), st.sampled_from([b"\\", b'"', b"\xff", b"{", b" ", b"1"])
    ).map(lambda change: line[: change[0]] + change[1] + line[change[0] + 1 :])
    return st.one_of(st.just(line), st.just(line), st.just(line), cut, spoilt)


@st.composite
def batches(draw: st.DrawFn) -> list[bytes]:
    lines = draw(st.one_of(objects_alike(), texts_alike(), st.lists(marks, max_size=20)))
    if draw(st.booleans()):
        lines = lines + draw(st.one_of(objects_alike(), texts_alike()))
        lines = draw(st.permutations(lines))
    if draw(st.booleans()):
        lines = [draw(broken(line)) for line in lines]
    return lines


@settings(max_examples=250, deadline=None)
@given(batches())
def test_a_batch_is_derived_like_each_of_its_lines_alone(lines: list[bytes]) -> None:
    each_level = [level_of(line) for line in lines]
    each_time = [OBSERVED if (ns := time_of(line, OBSERVED)) is None else ns for line in lines]
    assert derive(lines, OBSERVED) == (each_level, each_time)
    assert levels(lines) == each_level
    assert times(lines, OBSERVED) == each_time


@settings(max_examples=300, deadline=None)
@given(objects_alike())
def test_objects_are_derived_as_their_parsed_members_say(lines: list[bytes]) -> None:
    found, moments = derive(lines, OBSERVED)
    for line, level, ns in zip(lines, found, moments, strict=True):
        pairs = json.loads(line, object_pairs_hook=list)
        if len({name for name, _ in pairs}) < len(pairs):
            continue  # which of two members of one name counts is another test
        members = orjson.loads(line)
        expected = None
        for name, value in members.items():
            if expected is None and name in LEVEL_NAMES:
                expected = level_value(value)
            if expected is None and name == "log" and isinstance(value, dict):
                expected = level_value(value.get("level"))
        assert level is expected
        moment = None
        for name, value in members.items():
            if moment is None and name in TIME_NAMES:
                moment = time_value(value, OBSERVED)
        assert ns == (OBSERVED if moment is None else moment)


@pytest.mark.parametrize(
    "line",
    [
        b'{"ts":"2026-11-22T09:30:00.%06dZ","level":"info","msg":"x"}',
        b'{"level": "info", "logger": "a\\"b", "time": 1795339800.%06d}',
        b'{"msg":"a","lvl":30,"v":null,"timestamp":1795339800%06d000,"x":[]}',
        b"2026-11-22 09:30:00.%06d [main] INFO com.foo.Bar - x",
        b"[2026-11-22 09:30:00.%06d] hm - pid=2115 tid=bef2 fid=529b  INFO -- x",
        b"2026-11-22T09:30:00.%06d+01:00 [info] x",
    ],
)
def test_common_lines_are_decided_by_their_beginnings(line: bytes) -> None:
    lines = [line % number for number in range(100)]
    severities, found = read_heads(lines, (LevelRole(), TimeRole(OBSERVED)))
    assert None not in severities
    assert None not in found


def test_one_line_of_its_kind_does_not_make_a_pattern() -> None:
    lines = [b'{"k%d":1,"level":"info"}' % number for number in range(30)]
    assert read_heads(lines, (LevelRole(),)) == [[None] * 30]


def test_the_first_of_two_leading_members_of_one_name_counts() -> None:
    twice = b'{"level":"info","a":1,"level":"error"}'
    assert level_of(twice) is Level.INFO
    assert derive([twice] * 40, OBSERVED)[0] == [level_of(twice)] * 40
    escaped = b'{"level":"info","le\\u0076el":"error"}'
    assert derive([escaped] * 40, OBSERVED)[0] == [level_of(escaped)] * 40 == [level_of(b"INFO")] * 40


def test_times_of_one_second_that_reaches_beyond_belief_are_looked_at_each() -> None:
    edge = OBSERVED + 86_400 * SECOND
    lines = [b'{"ts":%d.%d,"level":"info"}' % (edge // SECOND, number % 2) for number in range(40)]
    assert times(lines, OBSERVED) == [edge, OBSERVED] * 20


@pytest.mark.parametrize(
    ("common", "odd"),
    [
        (b"2026-11-22T09:30:00+01:00 INFO x", b"2026-11-22T09:30:00+01:005 INFO x"),
        (b"2026-11-22T09:30:00+01 INFO x", b"2026-11-22T09:30:00+01:00 INFO x"),
        (b"2026-11-22T09:30:00 INFO x", b"2026-11-22T09:30:00.5 INFO x"),
        (b"2026-11-22T09:30:00.5 INFO x", b"2026-11-22T09:30:00.55 INFO x"),
        (b"2026-11-22T09:30:00 INFO x", b"2026-11-22T09:30:00 +0100 INFO x"),
        (b"ERROR x", b"<134> ERROR x"),
        (b"W0 ERROR x", b"W1122 09:30:00.5 ERROR x"),
        (b"x INFO y", b"x level=debug INFO y"),
        (b"x INFO y", b"warning: INFO y"),
        (b"x INFO y", b"x [debug] INFO y"),
        (b"x INFO y", b"%b INFO y" % (b"x" * 190)),
        (b"x INFO y", b"%b INFO y" % (b"x" * 192)),
        (b"x INFO y", b"x INFORMED y"),
        (b'{"level":"info","a":1}', b'{"level":"info"x,"a":1}'),
        (b'{"level":"info","a":1}', b'{"level":"info"'),
        (b'{"level":30,"a":1}', b'{"level":30.5,"a":1}'),
        (b'{"level":30,"a":1}', b'{"level":3e1,"a":1}'),
        (b'{"a":"x","level":"info"}', b'{"a":"x\\","level":"info","level":"error"}'),
        (b'{"ts":1795339800.5,"level":"info"}', b'{"ts":1795339800.1234567,"level":"info"}'),
        (b'{"ts":1795339800.1234567,"level":"info"}', b'{"ts":1795339800.7654321,"level":"info"}'),
        (b'{"ts":1795339800,"level":"info"}', b'{"ts":1795339800123,"level":"info"}'),
        (b'{"ts":"2026-11-22T09:30:00Z","level":"info"}', b'{"ts":"2026-13-22T09:30:00Z","level":"info"}'),
        (b'{"ts":"2026-11-22T09:30:00Z","level":"info"}', b'{"ts":"2026-11/22 09:30:00Z","level":"info"}'),
    ],
)
def test_an_odd_line_among_many_alike_is_looked_at_alone(common: bytes, odd: bytes) -> None:
    lines = [common] * 40 + [odd]
    level, ns = level_of(odd), time_of(odd, OBSERVED)
    assert derive(lines, OBSERVED) == (
        [level_of(common)] * 40 + [level],
        [time_of(common, OBSERVED) or OBSERVED] * 40 + [ns or OBSERVED],
    )
    assert levels(lines)[-1] == level
    assert times(lines, OBSERVED)[-1] == (ns or OBSERVED)
