"""What counts as a record's time, and what does not."""

from __future__ import annotations

import calendar

import pytest

from logyard.derive.time import time_of, times

SECOND = 1_000_000_000
OBSERVED = calendar.timegm((2026, 11, 22, 10, 0, 0)) * SECOND


def at(*moment: int, ns: int = 0) -> int:
    return calendar.timegm(moment) * SECOND + ns


HALF_PAST = at(2026, 11, 22, 9, 30, 0)


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        ('"2026-11-22T09:30:00Z"', HALF_PAST),
        ('"2026-11-22T09:30:00.123Z"', HALF_PAST + 123_000_000),
        ('"2026-11-22T09:30:00.123456789Z"', HALF_PAST + 123_456_789),
        ('"2026-11-22T09:30:00.1234567891Z"', HALF_PAST + 123_456_789),
        ('"2026-11-22T10:30:00+01:00"', HALF_PAST),
        ('"2026-11-22T08:00:00.5-0130"', HALF_PAST + 500_000_000),
        ('"2026-11-22T11:30:00+02"', HALF_PAST),
        ('"2026-11-22t09:30:00z"', HALF_PAST),
        ('"2026-11-22 09:30:00"', HALF_PAST),
        ('"2026-11-22 09:30:00,250"', HALF_PAST + 250_000_000),
        ('"2026-11-22 05:30:00.5 -0400 EDT"', HALF_PAST + 500_000_000),
        ('"2026/11/22 09:30:00"', HALF_PAST),
        ('" 2026-11-22T09:30:00Z "', HALF_PAST),
        ('"22/Nov/2026:09:30:00 +0000"', HALF_PAST),
        ('"Nov 22 09:30:00"', HALF_PAST),
        ("1795339800", HALF_PAST),
        ("1795339800.5", HALF_PAST + 500_000_000),
        ("1795339800.123456", HALF_PAST + 123_456_000),
        ("1795339800123", HALF_PAST + 123_000_000),
        ("1795339800123.5", HALF_PAST + 123_500_000),
        ("1795339800123456", HALF_PAST + 123_456_000),
        ("1795339800123456789", HALF_PAST + 123_456_789),
        ("1.7953398e9", HALF_PAST),
        ('"1795339800.25"', HALF_PAST + 250_000_000),
        ('"1795339800"', HALF_PAST),
        ('"2016-12-31T23:59:60Z"', at(2017, 1, 1, 0, 0, 0)),
    ],
)
def test_a_json_object_tells_its_time(value: str, ns: int) -> None:
    for name in ("ts", "time", "timestamp", "@timestamp"):
        assert time_of(f'{{"msg":"x","{name}":{value}}}'.encode(), OBSERVED) == ns


@pytest.mark.parametrize(
    "value",
    [
        "35", "0", "-5", "true", "null", '""', '"soon"', '"35ms"', '"12"', "1e300", "[1795339800]",
        '"2026-13-22T09:30:00Z"', '"2026-02-30T09:30:00Z"', '"2026-11-22T24:30:00Z"', '"2026-11-22T09:61:00Z"',
        '"0000-11-22T09:30:00Z"', '"2026-11/22 09:30:00"', '"1970-12-31T23:59:59Z"', "31535999",
        '"2026-11-23T10:00:00.000000001Z"', '"9999-12-31T23:59:59Z"',
    ],
)  # fmt: skip
def test_absurd_times_and_no_times_are_none(value: str) -> None:
    assert time_of(f'{{"time":{value}}}'.encode(), OBSERVED) is None


def test_the_bounds_of_what_is_believed() -> None:
    assert time_of(b'{"time":"1971-01-01T00:00:00Z"}', OBSERVED) == at(1971, 1, 1, 0, 0, 0)
    assert time_of(b'{"time":"2026-11-23T10:00:00Z"}', OBSERVED) == OBSERVED + 86400 * SECOND


def test_a_duration_called_time_does_not_hide_the_timestamp() -> None:
    assert time_of(b'{"time":35,"timestamp":"2026-11-22T09:30:00Z"}', OBSERVED) == HALF_PAST


def test_times_inside_objects_and_messages_are_not_the_records_time() -> None:
    assert time_of(b'{"req":{"time":"2026-11-22T09:30:00Z"},"msg":"time=2026-11-22T09:30:00Z"}', OBSERVED) is None


@pytest.mark.parametrize(
    ("line", "ns"),
    [
        (b"2026-11-22T09:30:00.5Z stdout F x", HALF_PAST + 500_000_000),
        (b"2026-11-22 09:30:00,123 INFO x", HALF_PAST + 123_000_000),
        (b"2026-11-22 09:30:00 - name - x", HALF_PAST),
        (b"[2013-01-10 16:56:34.590640] hm - x", at(2013, 1, 10, 16, 56, 34, ns=590_640_000)),
        (b"2026/11/22 09:30:00 [error] x", HALF_PAST),
        (b"Nov 22 09:30:00 host app: x", HALF_PAST),
        (b"Nov  2 09:30:00 host app: x", at(2026, 11, 2, 9, 30, 0)),
        (b"<13>Nov 22 09:30:00 host app: x", HALF_PAST),
        (b"<134>1 2026-11-22T09:30:00Z host app - - - x", HALF_PAST),
        (b"[Sun Nov 22 09:30:00.250000 2026] [core:error] x", HALF_PAST + 250_000_000),
        (b"Sun Nov 22 09:30:00 2026 x", HALF_PAST),
        (b'10.0.0.1 - - [22/Nov/2026:09:30:00 +0000] "GET /"', HALF_PAST),
        (b'10.0.0.1 - - [22/Nov/2026:11:30:00 +0200] "GET /"', HALF_PAST),
        (b"E1122 09:30:00.123456       7 a.go:1] x", HALF_PAST + 123_456_000),
        (b"INFO 2026-11-22 09:30:00 x", HALF_PAST),
        (b"[INFO] 2026-11-22 09:30:00 x", HALF_PAST),
        (b"I, [2026-11-22T09:30:00.5 #7]  INFO -- : x", HALF_PAST + 500_000_000),
        (b'time="2026-11-22T09:30:00Z" level=info', HALF_PAST),
        (b"level=info ts=2026-11-22T09:30:00Z", HALF_PAST),
        (b"level=info ts=1795339800.5 x", HALF_PAST + 500_000_000),
        (b"@timestamp=2026-11-22T09:30:00Z x", HALF_PAST),
        (b"hm @ 10.0.4.10 --> [2026-11-22 09:30:00] x", HALF_PAST),
    ],
)
def test_text_tells_its_time_in_the_usual_places(line: bytes, ns: int) -> None:
    assert time_of(line, OBSERVED) == ns


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"scheduled for 2026-11-22T09:30:00Z",
        b"uptime=2026-11-22T09:30:00Z",
        b"now 1795339800 x",
        b"E1322 09:30:00 x",
        b"[22/Foo/2026:09:30:00 +0000]",
        b"[31/Feb/2026:09:30:00 +0000]",
        b"Nov 32 09:30:00 x",
        b"x" * 192 + b"[2026-11-22 09:30:00]",
        b"ts=17953398001234567890123",
    ],
)
def test_text_that_only_looks_like_it_tells_none(line: bytes) -> None:
    assert time_of(line, OBSERVED) is None


@pytest.mark.parametrize(
    ("line", "observed", "ns"),
    [
        (b"Dec 31 23:59:59 h", at(2026, 1, 1, 0, 0, 5), at(2025, 12, 31, 23, 59, 59)),
        (b"Jan  1 00:00:01 h", at(2025, 12, 31, 23, 59, 58), at(2026, 1, 1, 0, 0, 1)),
        (b"Jan  3 00:00:01 h", at(2025, 12, 31, 23, 59, 58), at(2025, 1, 3, 0, 0, 1)),
        (b"Feb 29 12:00:00 h", at(2026, 3, 1, 0, 0, 0), at(2024, 2, 29, 12, 0, 0)),
        (b"Feb 29 12:00:00 h", at(2103, 3, 1, 0, 0, 0), at(2096, 2, 29, 12, 0, 0)),
    ],
)
def test_a_time_without_a_year_is_the_latest_that_is_believable(line: bytes, observed: int, ns: int) -> None:
    assert time_of(line, observed) == ns


def test_times_fall_back_to_when_the_lines_were_observed() -> None:
    lines = [b'{"ts":"2026-11-22T09:30:00Z"}', b"nothing", b"2026-11-22 09:30:00 x"] * 20
    assert times(lines, OBSERVED) == [HALF_PAST, OBSERVED, HALF_PAST] * 20
    assert times([], OBSERVED) == []
