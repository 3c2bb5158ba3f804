"""The view for eyes: aligned, coloured by source and severity, and harmless whatever a log line holds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import orjson
from hypothesis import given
from hypothesis import strategies as st

from logyard.batch import Batch, Selection
from logyard.derive.severity import levels
from logyard.derive.time import times
from logyard_cli.colour import DIM, RED, RESET, YELLOW
from logyard_cli.pretty import Layout, label, render
from tests.servers.publishing import SECOND, START, make_batch

OURS = re.compile(r"\x1b\[(?:[0-9]+(?:;[0-9]+)*)m")


def drawn(layout: Layout, *batches: Batch, now: int = START) -> list[str]:
    """Lines as they are shown, under the layout that suits all batches."""
    found = [(batch, times(batch.lines, batch.time_ns), levels(batch.lines)) for batch in batches]
    for batch, moments, severities in found:
        layout = layout.fitted(batch, moments, severities, now)
    return [
        line
        for batch, moments, severities in found
        for line in render(layout, Selection(batch), moments, severities, now)
    ]


def web(*records: bytes, instance: str | None = "0") -> Batch:
    return make_batch("app.web", records, app="web", instance=instance)


def test_a_json_record_shows_its_message_first_and_its_fields_behind() -> None:
    record = b'{"ts":"2026-09-21T14:13:19.5Z","level":"warn","msg":"slow request","path":"/pay","ms":812}'
    assert drawn(Layout(), web(record)) == ["2026-09-21T14:13:19.500Z  web.0  WARN   slow request  path=/pay ms=812"]


def test_a_text_line_loses_the_time_and_level_that_the_columns_show() -> None:
    batch = make_batch(
        "sys.nginx",
        [
            b"2026/09/21 14:13:19 [error] 12#0: connect() failed",
            b"2026-09-21 14:13:18,250 WARNING app: slow",
            b"ERROR: disk full",
            b"[2026-09-21 14:13:17] hm - pid=2 INFO -- Current load: 80%",
            b"Sep 21 14:13:16 host sshd[1]: accepted",
        ],
    )
    assert drawn(Layout(), batch) == [
        "2026-09-21T14:13:19.000Z  nginx  ERROR  12#0: connect() failed",
        "2026-09-21T14:13:18.250Z  nginx  WARN   app: slow",
        "2026-09-21T14:13:18.250Z  nginx  ERROR  disk full",
        "2026-09-21T14:13:17.000Z  nginx  INFO   hm - pid=2 INFO -- Current load: 80%",
        "2026-09-21T14:13:16.000Z  nginx         host sshd[1]: accepted",
    ]


def test_what_the_columns_do_not_show_stays() -> None:
    lines = [
        b"ERRORS: 3",
        b"information is power",
        b"error",
        b"1969-01-01T00:00:00Z too old to be true",
        b'{"level":"odd","msg":"m"}',
    ]
    shown = [line[len("2026-09-21T14:13:20.000Z  web.0  ") :] for line in drawn(Layout(), web(*lines))]
    assert [line.strip() for line in shown] == [*(line.decode() for line in lines[:4]), "m  level=odd"]


def test_there_is_no_column_of_levels_until_there_is_a_level() -> None:
    layout = Layout()
    assert drawn(layout, web(b"plain"))[0].endswith("  web.0  plain")
    assert drawn(layout, web(b"plain"), web(b"ERROR x"))[0].endswith("  web.0         plain")


def test_sources_are_aligned_and_a_very_long_name_sticks_out() -> None:
    lines = drawn(Layout(widest=10), web(b"a"), make_batch("sys.a-very-long-name", [b"b"]), make_batch("sys.x", [b"c"]))
    assert [line[24:] for line in lines] == ["  web.0       a", "  a-very-long-name  b", "  x           c"]


def test_events_keep_their_kind_and_instances_their_number() -> None:
    assert label(make_batch("event.oom", [b"x"])) == "event.oom"
    assert label(web(b"x", instance="12")) == "web.12"
    assert label(web(b"x", instance=None)) == "web"


def test_nodes_are_named_when_there_are_several_or_when_asked() -> None:
    one, two = make_batch("sys.a", [b"x"], node="n1"), make_batch("sys.a", [b"y"], node="n2")
    assert "@" not in drawn(Layout(), one)[0]
    assert [line[26:] for line in drawn(Layout(), one, two)] == ["a@n1  x", "a@n2  y"]
    assert drawn(Layout(node=True), one)[0][26:] == "a@n1  x"
    assert drawn(Layout(node=False), one, two)[1][26:] == "a  y"


def test_a_terminal_shows_local_time_and_the_date_only_of_other_days() -> None:
    today = web(b"now")
    before = make_batch("app.web", [b"then"], time_ns=START - 86400 * SECOND, app="web", instance="0")
    assert drawn(Layout(local=True), today) == ["14:13:20.000  web.0  now"]
    assert drawn(Layout(local=True), before, today) == [
        "2026-09-20 14:13:20.000  web.0  then",
        "           14:13:20.000  web.0  now",
    ]


def test_room_for_a_date_is_given_up_again_after_a_while() -> None:
    layout = Layout(local=True).fitted(web(b"then"), [START - 86400 * SECOND], [None], START)
    for _ in range(10):
        assert layout.dated
        layout = layout.fitted(web(*[b"now"] * 10), [START] * 10, [None] * 10, START)
    assert not layout.dated


def test_lines_of_a_stack_trace_show_the_time_of_the_line_they_belong_to() -> None:
    lines = drawn(Layout(), web(b"2026-09-21T14:13:01Z ERROR boom", b"Traceback:", b"\tat a.b(C.java:1)"))
    assert [line[:24] for line in lines] == ["2026-09-21T14:13:01.000Z"] * 3
    assert lines[2].endswith("             at a.b(C.java:1)")


def test_text_of_several_lines_is_indented_below_its_first() -> None:
    record = orjson.dumps({"level": "error", "msg": "boom\ndetail", "stack": "E: x\n\tat f\n", "n": 1})
    below = "\n" + " " * 40
    assert drawn(Layout(), web(record)) == [
        f"2026-09-21T14:13:20.000Z  web.0  ERROR  boom  stack=↓ n=1{below}detail{below}E: x{below}    at f"
    ]
    joined = make_batch("app.web", [b"one\n  two", b"three"], app="web", instance="0")
    assert drawn(Layout(), joined)[0] == f"2026-09-21T14:13:20.000Z  web.0  one\n{' ' * 33}  two"


def test_severities_have_their_colours() -> None:
    lines = drawn(Layout(colour=True), web(b"ERROR a", b"WARN b", b"INFO c", b"DEBUG d"))
    assert f"{RED}ERROR{RESET}  a" in lines[0]
    assert f"{YELLOW}WARN {RESET}  b" in lines[1]
    assert lines[2].endswith("  INFO   c")
    assert lines[3].endswith(f"{DIM}DEBUG{RESET}  {DIM}d{RESET}")


def test_without_colours_there_is_no_escape_sequence() -> None:
    assert "\x1b" not in "".join(drawn(Layout(), web(b"ERROR a", b'{"msg":"x","k":1}')))


def is_harmless(lines: Sequence[str]) -> bool:
    """Whether nothing but our own colours and line feeds is left that a terminal would obey."""
    text = OURS.sub("", "".join(lines)).replace("\n", "")
    return not [char for char in text if unicodedata.category(char) in {"Cc", "Cs"} or char in "\u202e\u2066\u2069"]


HOSTILE = st.text(st.sampled_from("\x1b\x9b\x07\x00\x7f\x85[]31;m\r\n\tab\u202e\u2066 \ud800=\"'")) | st.text()


@given(
    st.lists(st.binary() | HOSTILE.map(lambda text: text.encode("utf-8", "surrogatepass")), min_size=1, max_size=5),
    st.booleans(),
)
def test_no_control_character_of_a_line_reaches_the_terminal(lines: list[bytes], colour: bool) -> None:
    assert is_harmless(drawn(Layout(colour=colour, local=True), web(*[line[:500] for line in lines])))


@given(
    st.dictionaries(HOSTILE.filter(str.isascii), HOSTILE.filter(lambda text: not re.search("[\ud800-\udfff]", text)))
)
def test_no_control_character_of_a_json_value_reaches_the_terminal(record: dict[str, str]) -> None:
    lines = [orjson.dumps({"msg": "x", **record}), orjson.dumps(record), orjson.dumps({"a": record})]
    assert is_harmless(drawn(Layout(colour=True), web(*lines)))


def test_no_control_character_of_a_name_reaches_the_terminal() -> None:
    batch = make_batch("sys.a\x1b[31m", [b"x"], node="\x9bn", instance="\x1b]0;t\x07")
    assert is_harmless(drawn(Layout(colour=True, node=True), batch))
