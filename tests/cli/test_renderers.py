"""The output formats: untouched for programs, harmless for terminals."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from zoneinfo import ZoneInfo

import orjson
import pytest

from logyard.batch import Selection
from logyard.errors import UsageError
from logyard_cli.chosen import make_fields
from logyard_cli.highlight import MARK, make_highlighter
from logyard_cli.pretty import Layout
from logyard_cli.renderers import OUTPUTS, Part, make_renderer
from tests.servers.publishing import START, make_batch

LAYOUT = Layout()
RECORD = b'{"level":"error","msg":"boom, \\"x\\"","user":{"id":7,"name":"\xe6\x97\xa5"},"n":null}'
NASTY = b"\x1b[31mred\x1b[0m \xc2\x9b31m \xff \xe2\x80\xae\x7f"


def rendered(
    output: str,
    *records: bytes,
    terminal: bool = False,
    encoding: str = "utf-8",
    layout: Layout = LAYOUT,
    template: str = "",
) -> list[bytes]:
    batch = make_batch("app.web", records, app="web", instance="3", entry="1-1")
    times = [START] * len(records)
    renderer = make_renderer(output, terminal=terminal, layout=layout, encoding=encoding, template=template, width=40)
    (lines,) = renderer.render([Part(Selection(batch), times, times)], START)
    return lines


def test_raw_gives_a_program_the_very_bytes() -> None:
    assert rendered("raw", NASTY, b"", b"\r", b"a\nb") == [NASTY + b"\n", b"\n", b"\r\n", b"a\nb\n"]


def test_raw_keeps_the_lines_of_a_record_on_a_terminal() -> None:
    assert rendered("raw", b"a\n\tb\r", terminal=True) == [b"a\n    b\n"]


@pytest.mark.parametrize("output", [*OUTPUTS, "expanded", "template"])
def test_nothing_that_a_terminal_obeys_is_sent_to_one(output: str) -> None:
    shown = b"".join(
        rendered(output, NASTY, b'{"msg":"\\u001b[31m\\u009b","k":"\\u202e"}', terminal=True, template="{text}")
    )
    text = shown.decode().replace("\n", "")
    assert not [char for char in text if ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or char == "\u202e"]
    assert "red" in text


def test_json_is_one_envelope_a_line_and_the_same_on_a_terminal() -> None:
    (line,) = rendered("json", NASTY)
    (shown,) = rendered("json", NASTY, terminal=True)
    envelope = orjson.loads(line)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert (envelope["key"], envelope["app"], envelope["instance"], envelope["node"]) == ("app.web", "web", 3, "node-1")
    assert orjson.loads(shown) == envelope
    assert b"\xc2\x9b" not in shown


@pytest.mark.parametrize("output", ["json", "text"])
def test_a_record_of_several_lines_is_one_line_for_programs(output: str) -> None:
    (line,) = rendered(output, b"a\nb")
    assert line.count(b"\n") == 1 and b"a\\nb" in line


def test_a_terminal_that_is_not_utf8_gets_its_own_encoding_and_no_control_bytes() -> None:
    (line,) = rendered("raw", "grüße 日 \u009b".encode(), terminal=True, encoding="iso8859-1")
    assert line == b"gr\xfc\xdfe \\u65e5 \\x9b\n"


def test_csv_has_a_header_and_reads_back_as_it_was() -> None:
    renderer = make_renderer("csv", terminal=False, layout=LAYOUT)
    text = (renderer.header + b"".join(rendered("csv", RECORD, b'say "a,b"\nsecond'))).decode()
    first, second = csv.DictReader(io.StringIO(text, newline=""))
    assert (first["time"], first["key"], first["instance"]) == ("2026-09-21T14:13:20Z", "app.web", "3")
    assert (first["level"], first["text"]) == ("error", 'boom, "x"')
    assert (second["level"], second["text"]) == ("", 'say "a,b"\nsecond')


def test_the_columns_of_csv_are_the_fields_asked_for() -> None:
    layout = Layout(fields=make_fields(["user.id,nope,user", "level"], []))
    assert make_renderer("csv", terminal=False, layout=layout).header == b"user.id,nope,user,level\n"
    (row,) = csv.reader([rendered("csv", RECORD, layout=layout)[0].decode()])
    assert row == ["7", "", '{"id":7,"name":"日"}', "error"]


def test_logfmt_and_json_show_only_the_fields_asked_for() -> None:
    layout = Layout(fields=make_fields(["level,user.id"], []))
    assert rendered("logfmt", RECORD, layout=layout) == [b"level=error user.id=7\n"]
    assert rendered("json", RECORD, layout=layout) == [b'{"level":"error","user.id":7}\n']
    hidden = Layout(fields=make_fields([], ["user.name,id,time,key,node,app,instance,source"]))
    assert orjson.loads(rendered("json", RECORD, layout=hidden)[0]) == {
        "level": "error", "text": 'boom, "x"', "msg": 'boom, "x"', "user": {"id": 7}, "n": None,
    }  # fmt: skip


def test_pretty_shows_only_the_fields_asked_for_behind_the_message() -> None:
    layout = Layout(fields=make_fields(["user.id"], []))
    assert rendered("pretty", RECORD, layout=layout)[0].endswith(b'ERROR  boom, "x"  user.id=7\n')
    bare = Layout(fields=make_fields([], ["time,source,level,user,n"]))
    assert rendered("pretty", RECORD, b"plain", layout=bare) == [b'boom, "x"\n', b"plain\n"]
    no_text = Layout(fields=make_fields(["n"], ["text", "time"]))
    assert rendered("pretty", b'{"msg":"m","n":1}', b"plain", layout=no_text) == [b"web.3  n=1\n", b"web.3  \n"]


def test_a_template_writes_what_it_names() -> None:
    layout = Layout(zone=ZoneInfo("Asia/Tokyo"))
    template = "{time} {app}.{instance} {json.user.id|text}"
    expected = [b"2026-09-21T23:13:20+09:00 web.3 7\n", b"2026-09-21T23:13:20+09:00 web.3 two\\nlines\n"]
    assert rendered("template", RECORD, b"two\nlines", layout=layout, template=template) == expected
    with pytest.raises(UsageError, match=r"character 8: 'tme' is not a placeholder; there are time"):
        make_renderer("template", terminal=False, layout=LAYOUT, template="{text} {tme}")


@pytest.mark.parametrize("output", ["json", "logfmt", "csv", "text", "pretty", "expanded"])
def test_every_format_writes_times_in_the_zone_asked_for(output: str) -> None:
    line = rendered(output, b"x", layout=Layout(zone=ZoneInfo("Asia/Tokyo")))[0]
    assert b"2026-09-21T23:13:20" in line and b"+09:00" in line


def test_expanded_shows_one_field_a_line_and_wide_names_in_line() -> None:
    record = '{"level":"warn","msg":"m","日本":"wide","user":{"id":7},"stack":"a\\n\\tb"}'.encode()
    layout = Layout(fields=make_fields([], ["id"]))
    assert rendered("expanded", record, layout=layout)[0].decode() == (
        "── 2026-09-21T14:13:20.000Z  web.3  WARN ──\n"
        "key       app.web\n"
        "node      node-1\n"
        "app       web\n"
        "instance  3\n"
        "source    stdout\n"
        "text      m\n"
        "日本      wide\n"
        "user.id   7\n"
        "stack     a\n"
        "              b\n"
    )


def test_expanded_shows_only_what_is_asked_for() -> None:
    layout = Layout(fields=make_fields(["text,user.id"], []))
    assert rendered("expanded", RECORD, layout=layout)[0].decode().split("\n")[1:] == [
        'text     boom, "x"', "user.id  7", "",
    ]  # fmt: skip


@pytest.mark.parametrize("output", ["pretty", "expanded", "raw", "text", "logfmt_is_not_marked"])
def test_what_was_looked_for_is_marked_on_a_coloured_terminal(output: str) -> None:
    layout = Layout(colour=True, highlight=make_highlighter(["boom"]))
    shown = b"".join(rendered(output.partition("_")[0], b"ERROR boom", layout=layout, terminal=True)).decode()
    marked = f"{MARK}boom\x1b[0m" in shown
    assert marked is (output != "logfmt_is_not_marked")
    plain = rendered(output.partition("_")[0], b"ERROR boom", layout=replace(layout, colour=False), terminal=True)
    assert b"\x1b" not in b"".join(plain)


def test_context_is_dim_beside_what_was_looked_for() -> None:
    batch = make_batch("app.web", [b"before", b"it"], app="web")
    part = Part(Selection(batch), [START] * 2, [START] * 2, matched=(False, True))
    renderer = make_renderer("pretty", terminal=True, layout=Layout(colour=True))
    before, it = (re.sub(r"^.*web\x1b\[0m  ", "", line.decode()) for line in renderer.render([part], START)[0])
    assert (before, it) == ("\x1b[2mbefore\x1b[0m\n", "it\n")
