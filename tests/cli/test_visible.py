"""Nothing in a log line can act on a terminal, and nothing harmless is changed."""

from __future__ import annotations

import unicodedata

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard_cli.visible import UNSAFE, decoded, visible, visible_json

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("a\x00b\x07c", "a␀b␇c"),
        ("\x7f", "␡"),
        ("\x9b31m", "\\x9b31m"),
        ("\x85", "\\x85"),
        ("user\u202egnp.exe", "user\\u202egnp.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("one\rtwo", "one␍two"),
        ("pass\u200bword", "pass\\u200bword"),
        ("if (env\u3164)", "if (env\\u3164)"),
        ("soft\u00adhyphen \ufeff", "soft\\u00adhyphen \\ufeff"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("one\ntwo", "one␊two"),
        ("a\tb", "a    b"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("text", ["", "grüße", "日本語", "👩‍👩‍👧 ok", "e\u0301", "नमस्ते", "\u00a0", "a b"])
def test_letters_of_every_script_stay_as_they_are(text: str) -> None:
    assert visible(text) == text


@given(st.text(st.characters(exclude_categories=())) | st.text("\x1b[\x9b\x07\x85m;\r\n\t\u202e\x7f\ud800a"))
def test_no_control_character_is_left(text: str) -> None:
    shown = visible(text)
    assert not [char for char in shown if unicodedata.category(char) in {"Cc", "Cs"} or char in BIDI]
    shown.encode()


@given(st.text(st.characters(exclude_categories=())))
def test_a_block_keeps_its_lines_and_only_those(text: str) -> None:
    shown = visible(text, newlines=True)
    assert shown.split("\n") == [visible(line) for line in text.split("\n")]


@given(st.binary())
def test_any_bytes_can_be_shown(data: bytes) -> None:
    shown = visible(decoded(data)).encode()
    assert not any(byte < 0x20 or byte == 0x7F for byte in shown)
    assert not UNSAFE.search(shown.decode())


def test_bytes_that_are_no_utf8_are_shown_by_their_number() -> None:
    assert decoded(b"caf\xe9 \x9b31m") == "caf\\xe9 \\x9b31m"


@given(st.text(st.characters(codec="utf-8")) | st.text("a\u200b\U000e0041\u3164日"))
def test_json_made_safe_is_the_same_json(text: str) -> None:
    document = orjson.dumps({"text": text}).decode()
    safe = visible_json(document)
    assert orjson.loads(safe) == {"text": text}
    assert not UNSAFE.search(safe)
