"""Tables are aligned, whatever is in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logyard_cli.colour import RED, RESET
from logyard_cli.table import Cell, table, width_of
from logyard_cli.visible import UNSAFE


def test_columns_are_aligned_and_nothing_trails() -> None:
    shown = table(("NAME", "LAG", "STATE"), [("a", "1,000", "running"), ("日本", "2", "x")], right=("LAG",))
    assert shown == "NAME    LAG  STATE\na     1,000  running\n日本      2  x\n"


def test_colours_take_no_room() -> None:
    rows: list[tuple[str | Cell, str]] = [(Cell("failed", RED), "x"), ("ok", "y")]
    coloured = table(("S", "T"), rows, colour=True)
    assert f"{RED}failed{RESET}  x\n" in coloured
    assert table(("S", "T"), rows) == "S       T\nfailed  x\nok      y\n"


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_a_cell_is_one_safe_line(texts: list[str]) -> None:
    lines = table(("A", "B"), [(text, "end") for text in texts]).split("\n")
    assert len(lines) == len(texts) + 2
    assert not any(UNSAFE.search(line) for line in lines)
    assert len({width_of(line) for line in lines[1:-1]}) == 1


def test_what_is_drawn_over_other_characters_takes_no_column() -> None:
    assert [width_of(text) for text in ("ab", "日本", "e\u0301", "☀\ufe0f", "ن\u200cم", "")] == [2, 4, 1, 1, 2, 0]
