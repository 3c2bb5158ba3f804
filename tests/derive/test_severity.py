"""What counts as a severity, and what does not."""

from __future__ import annotations

import pytest

from logyard.derive.severity import Level, level_of, level_value, levels

E, W, I, D, T = Level.ERROR, Level.WARN, Level.INFO, Level.DEBUG, Level.TRACE  # noqa: E741
C, A, N = Level.CRITICAL, Level.ALERT, Level.NOTICE


@pytest.mark.parametrize(
    ("line", "level"),
    [
        (b'{"level":"info","msg":"x"}', I),
        (b'{"msg":"x","lvl":"WARN"}', W),
        (b'{"severity":"Error"}', E),
        (b'{"loglevel":"crit"}', C),
        (b'{"log.level":"debug"}', D),
        (b'{"log":{"level":"error"},"message":"x"}', E),
        (b'{"level": "verbose" }', T),
        (b'  {"level":"alert"}', A),
        (b'{"level":"fatal"}', C),
        (b'{"level":"panic"}', C),
        (b'{"level":"W"}', W),
        (b'{"level":"e"}', E),
        (b'{"level":" warning "}', W),
        (b'{"level":"EmErG"}', Level.EMERGENCY),
        (b'{"level":0}', Level.EMERGENCY),
        (b'{"level":3}', E),
        (b'{"level":7}', D),
        (b'{"level":"4"}', W),
        (b'{"level":10}', T),
        (b'{"level":30}', I),
        (b'{"level":50.0}', E),
        (b'{"level":60}', C),
        (b'{"level":35}', I),
        (b'{"level":true}', None),
        (b'{"level":8}', None),
        (b'{"level":70}', None),
        (b'{"level":-1}', None),
        (b'{"level":null}', None),
        (b'{"level":"loud"}', None),
        (b'{"level":"loud","severity":"error"}', E),
        (b'{"severity":"error","level":"info"}', E),
    ],
)
def test_a_json_object_tells_its_severity_by_name_or_number(line: bytes, level: Level | None) -> None:
    assert level_of(line) is level


@pytest.mark.parametrize(
    "line",
    [
        b'{"msg":"\\"level\\":\\"error\\""}',
        b'{"msg":"ERROR something","a":1}',
        b'{"ctx":{"level":"error"},"msg":"x"}',
        b'{"list":[{"level":"error"}]}',
        b'{"msg":"level=error [error]"}',
        b'{"log":"[ERROR] as docker writes it","stream":"stderr"}',
        b'{"nolevel":"error","levels":"error","LEVEL":"error"}',
    ],
)
def test_what_a_json_object_says_elsewhere_is_not_its_severity(line: bytes) -> None:
    assert level_of(line) is None


def test_a_cut_json_object_tells_what_its_beginning_tells() -> None:
    assert level_of(b'{"ts":1,"level":"warn","msg":"half a li') is W
    assert level_of(b'{"ts":1,"level":"warn') is None
    assert level_of(b'{"a":"\\q","level":"warn","msg":"x"}') is W


@pytest.mark.parametrize(
    ("line", "level"),
    [
        (b"ERROR something broke", E),
        (b"ERROR", E),
        (b"2026-11-22 09:30:00,123 INFO [main] started", I),
        (b"2026-11-22T09:30:00Z\tWARN\tmsg", W),
        (b"[2013-01-10 16:56:34.590640] hm - pid=2115 tid=bef2 fid=529b  INFO -- Requesting the start", I),
        (b"health_manager @ 10.0.4.10 --> [2013-01-10 16:56:39.916491] hm - pid=2 tid=b fid=5  WARN -- Load", W),
        (b"E, [2026-11-22T09:30:00.123456 #7] ERROR -- : msg", E),
        (b"2026/11/22 09:30:00 [error] 123#0: *1 open() failed", E),
        (b"[Sun Nov 22 09:30:00.123456 2026] [core:error] [pid 7] msg", E),
        (b"[ WARN ] msg", W),
        (b"[Info] msg", I),
        (b"ERROR:root:message", E),
        (b"2026-11-22 09:30:00 | DEBUG | x", D),
        (b"(NOTICE) x", N),
        (b"[2026-11-22T09:30:00+00:00] app.ERROR: msg []", E),
        (b"\x1b[31mFATAL\x1b[0m msg", C),
        (b"2026-11-22 09:30:00 UTC [7] PANIC:  x", C),
        (b"error: pathspec did not match", E),
        (b"Error: Cannot find module", E),
        (b"2026-11-22T09:30:00Z warning: deprecated", W),
        (b"level=warn msg=x", W),
        (b'time=1 lvl="error" msg=x', E),
        (b"a=b severity=debug", D),
        (b"log.level=info x", I),
        (b"loglevel=info x", I),
        (b"level=30 msg=x", I),
        (b"<134>1 2026-11-22T09:30:00Z host app - - - ERROR x", I),
        (b"<3>kernel says", E),
        (b"E1122 09:30:00.123456       7 file.go:1] INFO x", E),
        (b"W0101 00:00:00.000001 1 a.go:1] x", W),
        (b"F1122 09:30:00.1 x", C),
        (b"I1122 09:30:00.1 x", I),
        (b"SEVERE: x", E),
        (b"FINE: x", None),
    ],
)
def test_text_tells_its_severity_in_the_usual_places(line: bytes, level: Level | None) -> None:
    assert level_of(line) is level


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"there was an error in the middle of prose",
        b"there was an error: nothing",
        b"ERRORS ERROR_CODE MYERROR ERROR-1 /ERROR/ ERROR.txt x=ERROR",
        b'GET /?q=1 "DEBUG /x HTTP/1.1" 200',
        b"TERROR: a word that ends so",
        b"Terror: a word that ends so",
        b"loudlevel=error hilevel=error",
        b"x.level=error",
        b"level=errors",
        b"<999>no priority",
        b"<192>no priority",
        b"E1322 09:30:00 no month 13",
        b"[errors] [x error]",
        b"x" * 192 + b" ERROR too late",
        b"[1,2]",
    ],
)
def test_text_that_only_looks_like_it_tells_none(line: bytes) -> None:
    assert level_of(line) is None


@pytest.mark.parametrize(
    ("line", "level"),
    [
        (b"INFO level=error", I),
        (b"level=error INFO", E),
        (b"[debug] ERROR", D),
        (b"ERROR [debug]", E),
        (b"x level=error [debug] WARN", E),
        (b"<134>ERROR", I),
        (b"warning: ERROR", W),
    ],
)
def test_the_mark_that_stands_first_counts(line: bytes, level: Level) -> None:
    assert level_of(line) is level


def test_a_mark_that_begins_just_inside_the_window_counts() -> None:
    assert level_of(b"x" * 190 + b" ERROR") is E
    assert level_of(b"x" * 191 + b" ERROR") is None


def test_levels_have_names_and_syslog_numbers() -> None:
    labels = "emergency, alert, critical, error, warn, notice, info, debug, trace"
    assert ", ".join(level.label for level in Level) == labels
    assert [level.syslog for level in Level] == [0, 1, 2, 3, 4, 5, 6, 7, 7]
    assert all(level_value(level.label) is level for level in Level)


def test_levels_of_many_lines_are_those_of_each() -> None:
    lines = [b'{"level":"info"}', b"ERROR x", b"nothing"] * 20
    assert levels(lines) == [I, E, None] * 20
    assert levels([]) == []
