"""What was looked for is marked, and the text is not changed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.errors import UsageError
from logyard_cli.highlight import MARK, make_highlighter

OURS = re.compile(r"\x1b\[[0-9;]*m")


def marked(text: str, *expressions: str, looked_for: tuple[str, ...] = ()) -> list[str]:
    """The parts of ``text`` that are marked."""
    found = make_highlighter(expressions, looked_for)
    assert found is not None
    shown = found.marked(text)
    assert OURS.sub("", shown) == text
    return re.findall(re.escape(MARK) + r"(.*?)\x1b\[0m", shown)


def test_every_match_is_marked_in_any_case_unless_it_has_capitals() -> None:
    assert marked("Error: an ERROR, an error", "error") == ["Error", "ERROR", "error"]
    assert marked("Error: an ERROR, an error", "ERROR") == ["ERROR"]


def test_what_a_filter_looks_for_is_marked_beside_what_was_asked_for() -> None:
    assert marked("GET /api/7 a.b axb A.B 500", "get", looked_for=(r"/api/\d+", r"(?i:a\.b)")) == [
        "GET", "/api/7", "a.b", "A.B",
    ]  # fmt: skip


def test_text_that_is_not_ascii_is_marked_where_it_is() -> None:
    assert marked("grüße 日本 x7", r"本 x\d") == ["本 x7"]


def test_nothing_to_mark_is_no_highlighter() -> None:
    assert make_highlighter([], []) is None
    assert make_highlighter([""]) is None


def test_the_colour_around_a_match_goes_on_behind_it() -> None:
    found = make_highlighter(["b"])
    assert found is not None
    assert found.marked("abc", "\x1b[2m") == f"a{MARK}b\x1b[0m\x1b[2mc"


@given(st.text(), st.sampled_from(["a*", "(b|c)+", r"\w\b", "x"]))
def test_marking_never_changes_the_text(text: str, expression: str) -> None:
    plain = OURS.sub("", text)
    marked(plain, expression)


@pytest.mark.parametrize(
    ("expression", "place", "message"),
    [
        ("a(b", 1, "missing )"),
        ("ab)c", 2, "unexpected )"),
        ("x[a", 1, "missing ]"),
        ("a**", 1, "bad repetition"),
        ("a(?=b)", 1, "neither look-around nor back-references"),
        (r"a\1", 1, "neither look-around nor back-references"),
        (r"ab\(c(d", 5, "missing )"),
    ],
)
def test_a_wrong_expression_is_shown_with_a_caret(expression: str, place: int, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        make_highlighter([expression])
    said, shown, caret = str(refused.value).split("\n")
    assert said.startswith("--highlight is not a regular expression") and message in said
    assert shown.index(expression) + place == caret.index("^")
