"""Plots: what is drawn stands for the numbers, fits the screen, and can be told apart without colours."""

from __future__ import annotations

import re
from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logyard.pipes import Buckets, Column, Role, Series, Table, as_series, offset_in
from logyard.pipes.table import Cell
from logyard_cli.chart import Canvas, draw_bars, draw_series
from logyard_cli.table import width_of

MINUTE = 60 * 1_000_000_000
START = 1_790_000_040 * 1_000_000_000  # 2026-09-21T14:14:00Z
BUCKETS = Buckets(MINUTE, offset_in(UTC))
COUNT = Column("count", Role.VALUE, additive=True)
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def series(*lines: list[float | None], column: Column = COUNT, names: list[str] | None = None) -> Series:
    starts = [START + at * MINUTE for at in range(len(lines[0]))]
    return Series(starts, names or [f"s{at}" for at in range(len(lines))], list(lines), column)


def plain(lines: list[str]) -> list[str]:
    return [ESCAPE.sub("", line) for line in lines]


def heights(lines: list[str], fills: str) -> list[int]:
    """Of each column of the plot, how many rows are filled."""
    bodies = [line.partition("|")[2] if "|" in line else line.partition("+")[2] for line in lines]
    width = max(map(len, bodies))
    padded = [body.ljust(width) for body in bodies]
    return [sum(1 for body in padded if body[at] in fills) for at in range(width)]


def test_a_bar_is_as_tall_as_its_value() -> None:
    canvas = Canvas(columns=40, lines=16, ascii=True, zone=UTC)
    drawn = draw_series(series([0, 5, 10, 20]), BUCKETS, canvas)
    found = heights([line for line in drawn if line[:4].strip(" 0123456789") in {"|", "+"}][:-1], "#")
    bars = [found[at] for at in range(0, len(found), 8)]
    assert bars[0] == 0
    assert bars[3] == 2 * bars[2] == 4 * bars[1] > 0


def test_axes_say_how_much_and_when() -> None:
    drawn = plain(draw_series(series([3.0] * 30, [4.0] * 30), BUCKETS, Canvas(zone=UTC)))
    text = "\n".join(drawn)
    assert drawn[0] == "count, every 1m"
    assert "14:14" in text
    assert "2026-09-21" in text
    assert "8 ┤" in text
    assert "s0 90" in drawn[-1]
    assert "s1 120" in drawn[-1]


def test_series_are_told_apart_without_colours() -> None:
    values: list[list[float | None]] = [[8.0] * 4 for _ in range(4)]
    for ascii_only in (True, False):
        drawn = draw_series(series(*values), BUCKETS, Canvas(ascii=ascii_only, zone=UTC))
        marks = [part.split()[0] for part in re.split(r" {3}", drawn[-1])]
        assert len(set(marks)) == 4
        body = "".join(drawn[1:-3])
        assert all(mark in body for mark in marks)
        assert not ESCAPE.search("".join(drawn))
        if ascii_only:
            assert "".join(drawn).isascii()


def test_colours_give_each_series_its_own() -> None:
    drawn = draw_series(series([8.0] * 4, [8.0] * 4), BUCKETS, Canvas(colour=True, zone=UTC))
    assert len(set(re.findall(r"38;5;(\d+)m█ ", drawn[-1]) or re.findall(r"38;5;(\d+)m", drawn[-1]))) == 2


def test_severities_have_the_colours_that_people_expect() -> None:
    lines = draw_series(series([1.0], [1.0], names=["error", "warn"]), BUCKETS, Canvas(colour=True, zone=UTC))
    assert "\x1b[38;5;167m█\x1b[0m error" in lines[-1]


def test_more_buckets_than_columns_are_joined_and_that_is_said() -> None:
    drawn = plain(draw_series(series([1.0] * 500), BUCKETS, Canvas(columns=60, zone=UTC)))
    assert "10 to a bar" in drawn[0]
    assert max(map(width_of, drawn)) <= 60


def test_what_cannot_be_added_up_gets_a_strip_for_each_series_with_one_scale() -> None:
    column = Column("p95(ms)", Role.VALUE)
    drawn = plain(draw_series(series([1.0, None, 3.0], [100.0, 50.0, 20.0], column=column), BUCKETS, Canvas(zone=UTC)))
    assert [line.strip() for line in drawn if line.strip() in {"s0", "s1"}] == ["s0", "s1"]
    assert sum(1 for line in drawn if line.startswith("100 ┤")) == 2


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.integers(0, 1_000_000), min_size=40, max_size=40), min_size=1, max_size=9),
    st.integers(24, 200),
    st.integers(8, 60),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_a_plot_fits_wherever_it_is_drawn(
    values: list[list[int]], columns: int, lines: int, colour: bool, ascii_only: bool, additive: bool
) -> None:
    column = Column("count", Role.VALUE, additive=additive)
    drawn = draw_series(
        series(*[list[float | None](map(float, line)) for line in values], column=column),
        BUCKETS,
        Canvas(columns, lines, colour, ascii_only, UTC),
    )
    assert max(map(width_of, plain(drawn))) <= columns
    assert bool(ESCAPE.search("".join(drawn))) is colour


def test_only_the_largest_series_are_drawn_and_the_rest_is_added_up() -> None:
    rows: list[tuple[Cell, ...]] = [(START, at, at + 1) for at in range(12)]
    table = Table((Column("time", Role.TIME), Column("instance", Role.GROUP), COUNT), rows)
    found = as_series(table, BUCKETS)
    assert found is not None
    assert found.names == ["4", "5", "6", "7", "8", "9", "10", "11", "others (4)"]
    assert found.values[-1] == [1 + 2 + 3 + 4]


def test_the_window_is_shown_even_where_nothing_was_logged() -> None:
    table = Table((Column("time", Role.TIME), COUNT), [(START, 4)])
    found = as_series(table, BUCKETS, window=(START - 2 * MINUTE, START + MINUTE))
    assert found is not None
    assert found.values == [[0, 0, 4, 0]]


def test_bars_side_by_side_are_as_long_as_their_values() -> None:
    table = Table((Column("path", Role.GROUP), COUNT), [("/a", 40), ("/b", 10), (None, 0)])
    drawn = draw_bars(table, Canvas(columns=60, ascii=True))
    lengths = [line.count("#") for line in drawn[1:]]
    assert drawn[0] == "count by path"
    assert lengths[0] == 4 * lengths[1] > 0 == lengths[2]
    assert drawn[1].endswith(" 40")


def test_bars_that_do_not_fit_are_added_up() -> None:
    table = Table((Column("path", Role.GROUP), COUNT), [(f"/{at}", 2) for at in range(50)])
    drawn = draw_bars(table, Canvas(lines=13))
    assert len(drawn) == 11
    assert drawn[-1].startswith("others (41)")
    assert drawn[-1].endswith(" 82")


@pytest.mark.parametrize("number", [0, 1])
def test_nothing_to_plot_is_said(number: int) -> None:
    table = Table((Column("path", Role.GROUP), *([COUNT] if number else [])), [])
    assert draw_bars(table, Canvas()) == ["nothing to plot"]


def test_a_name_cannot_act_on_the_terminal() -> None:
    nasty = "\x1b[2J"
    table = Table((Column("path", Role.GROUP), COUNT), [(nasty, 1)])
    drawn = draw_bars(table, Canvas()) + draw_series(series([1.0], [2.0], names=[nasty, "b"]), BUCKETS, Canvas())
    assert "\x1b" not in "".join(drawn)
