"""The output formats: untouched for programs, harmless for terminals."""

from __future__ import annotations

import orjson
import pytest

from logyard.batch import Selection
from logyard_cli.pretty import Layout
from logyard_cli.renderers import OUTPUTS, Part, make_renderer
from tests.servers.publishing import START, make_batch

NASTY = b"\x1b[31mred\x1b[0m \xc2\x9b31m \xff \xe2\x80\xae\x7f"


def rendered(output: str, *records: bytes, terminal: bool = False, encoding: str = "utf-8") -> list[bytes]:
    batch = make_batch("app.web", records, app="web", instance="3", entry="1-1")
    times = [START] * len(records)
    renderer = make_renderer(output, terminal=terminal, layout=Layout(), encoding=encoding)
    (lines,) = renderer.render([Part(Selection(batch), times, times)], START)
    return lines


def test_raw_gives_a_program_the_very_bytes() -> None:
    assert rendered("raw", NASTY, b"", b"\r", b"a\nb") == [NASTY + b"\n", b"\n", b"\r\n", b"a\nb\n"]


def test_raw_keeps_the_lines_of_a_record_on_a_terminal() -> None:
    assert rendered("raw", b"a\n\tb\r", terminal=True) == [b"a\n    b\n"]


@pytest.mark.parametrize("output", OUTPUTS)
def test_nothing_that_a_terminal_obeys_is_sent_to_one(output: str) -> None:
    shown = b"".join(rendered(output, NASTY, b'{"msg":"\\u001b[31m\\u009b","k":"\\u202e"}', terminal=True))
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
