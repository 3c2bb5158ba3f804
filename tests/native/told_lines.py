"""Lines of programs that tell their time, severity and message in all the ways that there are, and in wrong ones."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.formats.json_lines import HOSTILE, lines, values, write

__all__ = ["TEXTS", "TIMES", "blocks", "texts", "told_lines"]

TIMES = (
    '"2026-11-22T09:30:00Z"', '"2026-11-22T09:30:00.5Z"', '"2026-11-22T09:30:00.250000Z"', '"2026-11-22T09:30:00.000Z"',
    '"2026-11-22T09:30:00.123456789Z"', '"2026-11-22T09:30:00.1234567891Z"', '"2026-11-22T09:30:00.Z"',
    '"2026-11-22 09:30:00,123"', '"2026-11-22t09:30:00z"', '"2026-11-22T09:30:00"', '"2026-11-22T09:30:00+01:00"',
    '"2026-11-22T09:30:00.75-0230"', '"2026-11-22T00:30:00+01"', '"2026-11-22T09:30:00 +01:00"',
    '"2026-11-22T09:30:00+24:00"', '"2026-11-22T09:30:00-00:00"', '"2026-11-22T09:30:00Z "', '"2026-11-22T09:30:00Zx"',
    '" 2026-11-22T09:30:00Z"', '"2026/11/22 09:30:00"', '"2026-02-29T09:30:00Z"', '"2024-02-29T23:59:59Z"',
    '"2026-11-22T24:00:00Z"', '"2026-11-22T09:30:60Z"', '"2026-11-31T09:30:00Z"', '"2026-00-22T09:30:00Z"',
    '"2027-01-01T00:00:00Z"', '"2026-11-23T09:33:20Z"', '"2026-11-23T09:33:20.000000001Z"', '"1969-12-31T23:59:59Z"',
    '"1971-01-01T00:00:00Z"', '"1970-12-31T23:59:59.999999999Z"', '"9999-12-31T23:59:59Z"', '"0000-01-01T00:00:00Z"',
    '"Nov 22 09:30:00"', '"22/Nov/2026:09:30:00 +0000"', '"1795339800"', '"yesterday"', '""',
    '"2026-11-22T09:30:00\\u005a"',
    "1795339800", "1795339800.25", "1795339800.123456", "1795339800.1234567", "1795339800.0", "1795339800123",
    "1795339800123456", "1795339800123456789", "17953398001234567890", "1.795339800e9", "99999999999", "100000000000",
    "-1795339800", "0", "-0", "12", "31536000", "31535999", "8000000000.5", "null", "true", "{}", "[]", '{"a":1}',
)  # fmt: skip
"""A time as JSON."""

_LEVELS = (
    '"info"', '"INFO"', '"Warning"', '"err"', '" error "', '"audit"', '""', '"e"', '"\\u0069nfo"', '"3"', "3", "30",
    "35.0", "3.5", "70", "-1", "1e1", "null", "false", "{}", "[]", '{"level":"error"}', '"' + "x" * 70 + '"',
)  # fmt: skip
_MESSAGES = (
    '"m"', '""', '"\\u00e9 \\"q\\" \\\\ \\/ \\n"', '"\u00e9\u2028"', '"\\ud83d\\ude00"', "1", "null", "{}", '["a"]',
)  # fmt: skip
_TOLD = {
    **dict.fromkeys(("ts", "time", "timestamp", "@timestamp"), TIMES),
    **dict.fromkeys(("level", "lvl", "severity", "loglevel", "log.level", "log"), _LEVELS),
    **dict.fromkeys(("msg", "message", "text"), _MESSAGES),
}
_OTHERS = ("a", "b", "id", "key", "partial", "logyard", "app", "", "\u00e9", "a\\u0062")


@st.composite
def told_lines(draw: st.DrawFn) -> bytes:
    """One line: mostly an object that begins with a time, a severity and a message."""
    space = draw(st.sampled_from(["", "", "", " "]))
    names = draw(
        st.one_of(
            st.sampled_from([("time", "level", "msg"), ("ts", "level", "message"), ("level", "time"), ("severity",)]),
            st.lists(st.sampled_from([*_TOLD, *_OTHERS]), max_size=6),
        )
    )
    members = [*names, *draw(st.lists(st.sampled_from([*_TOLD, *_OTHERS, "n", "status"]), max_size=4))]
    written = []
    for name in members:
        if name in _TOLD and draw(st.integers(0, 9)):
            # The first ones are what most programs write.
            usual = draw(st.integers(0, 2))
            value = _TOLD[name][0] if usual else draw(st.sampled_from(_TOLD[name]))
        else:
            value = write(draw(values), space, draw(st.booleans()))
        written.append(f'"{name}":{space}{value}')
    line = "{" + f",{space}".join(written) + "}"
    return line.encode(errors="replace")


TEXTS = (
    b"2026-11-22 09:30:00,123 INFO app.web request served",
    b"2026-11-22T09:30:00.5+01:00 [main] WARN  o.a.Pool - two left",
    b"[2026-11-22 09:30:00 -0500] [core:error] [pid 7] it\tbroke",
    b"2026/11/22 09:30:00 [error] 31#31: *5 open() failed",
    b"INFO  2026-11-22 09:30:00,5 started",
    b"Nov 22 09:30:00 host sshd[311]: Accepted publickey for root",
    b"Dec  2 09:30:00 host cron[7]: (root) CMD (true)",
    b'10.0.0.1 - - [22/Nov/2026:09:30:00 +0000] "GET /a?b=c HTTP/1.1" 200 12 "-" "curl/8"',
    b'[22/Nov/2026:09:30:00 -0130] "GET / HTTP/1.1" 200',
    b'time="2026-11-22T09:30:00Z" level=warning msg="disk is \\"full\\""',
    b"ts=2026-11-22T09:30:00.123456789Z lvl=ERROR caller=a.go:12",
    b"\x1b[32mINFO\x1b[0m[0012] up",
    b"app.ERROR: none left",
    b"W1122 09:30:00.123456       7 pod.go:12] WARNING: it is ERROR",
    b"F1122 09:30:00 7 main.go:1] none",
    b"    at com.example.Web.main(Web.java:7)",
    b"2026-11-22 09:30:00 ERROR it broke\njava.lang.Error: INFO\n\tat com.example.Web.main(Web.java:7)",
    b'Traceback (most recent call last):\n  File "a.py", line 1\nERROR: time=2026-11-22T09:30:00Z',
    b"Warning: it is late",
    b"plain text, \xc3\xa9",
    b"",
)
"""Lines of text as programs write them."""

_PARTS = (
    b"\n", b"I1322 09:30:00", b"W1122 09:30:00.", b"E1122 09:30", b"F0229 09:30:00,5", b"I1122  09:30:00",
    b" ", b"  ", b"\t", b"[", b"]", b"(", b'"', b":", b": ", b"=", b",", b"|", b"-", b"_", b".", b"*", b"/", b"<",
    b">", b"\x1b[32m", b"\x1b[0m", b"\r", b"\x0b", b"\x00", b"\xff", b"\xc3\xa9", b"\xe2\x80\xa8", b"3m", b"m", b"\\",
    b"'", b"{", b"2026-11-22 09:30:00,123", b"2026-11-22T09:30:00Z", b"2026/11/22 09:30:00", b"2026/11-22 09:30:00",
    b"2026-11-22T09:30:00.5+01:00", b"2026-11-22 09:30:00 -0500", b"2026-11-22 09:30:00 -05", b"2026-11-22 09:30:00.",
    b"2026-11-22 09:30:00.1234567891", b"2026-11-31 09:30:00", b"2026-11-22 09:30:60", b"2026-12-31 09:30:00",
    b"2026-11-22 09:30:00 UTC", b"2026-11-22 09:30:0", b"Nov 22 09:30:00", b"Nov 22 09:30:00 2026",
    b"Feb 29 09:30:00", b"Nov 23 09:33:20", b"Nov 23 09:33:21", b"Sun Nov 22 09:30:00 2026", b"Nov 31 09:30:00",
    b"E1122 09:30:00.1", b"22/Nov/2026:09:30:00 +0000", b"[22/Nov/2026:09:30:00 -0130]",
    b"[31/Nov/2026:09:30:00 +0000]", b"10.0.0.1 - - ", b"[22/nov/2026:09:30:00 +0000]",
    b"[22/Nov/2026:09:30:00 +00:00]", b"<134>", b"12:30:45", b"1:2:3", b"1795339800", b"ERROR", b"INFO", b"Error",
    b"error", b"eRROR", b"ERRORS", b"DEBUG", b"E", b"INFORMATIONAL", b"GET", b"main", b"level=", b"lvl=",
    b"severity=", b"loglevel=", b"xlevel=", b"ts=", b"time=", b"timestamp=", b"@timestamp=", b"uptime=", b"counts=",
    b'="warn"', b"[error]", b"[ error ]", b"[core:error]", b"[a.b_c:Warn ]", b"[main]", b".ERROR:", b"app.ERROR:",
    b"-ERROR:", b"error:", b"Warning:", b"Z", b"T9", b"x" * 170, b"y" * 186, b"z " * 30,
)  # fmt: skip


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """One line of text: as programs write it, or of parts that mean something and stand anywhere."""
    first = draw(st.sampled_from([b"", *TEXTS]))
    cut = draw(st.integers(0, len(first))) if draw(st.booleans()) else len(first)
    return first[:cut] + b"".join(draw(st.lists(st.sampled_from(_PARTS), max_size=7)))


blocks = st.one_of(
    st.lists(told_lines(), min_size=1, max_size=12),
    st.lists(texts(), min_size=1, max_size=12),
    st.lists(st.one_of(told_lines(), texts(), st.sampled_from(HOSTILE)), min_size=1, max_size=12),
    lines,
)
"""The records of a batch; newlines are only in texts."""
