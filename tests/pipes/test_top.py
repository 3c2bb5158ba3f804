from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from logyard.pipes.top import Top
from tests.pipes.records import fields, look_up, select


def fed(top: Top, *values: object) -> Top:
    top.feed(select(*({"p": value} for value in values)), (), look_up)
    return top


def test_the_most_frequent_values_with_their_share() -> None:
    table = fed(Top(2, fields("p")), "a", "b", "a", "c", None, "a", "b").table()
    assert table.rows == [("a", 3, 50.0), ("b", 2, 33.33)]
    assert table.left_out == 1


def test_a_value_that_comes_late_is_found_among_more_than_are_kept() -> None:
    top = Top(1, fields("p"), kept=10)
    for start in range(0, 200, 20):
        fed(top, *range(start, start + 20))
    fed(top, *["late"] * 50)
    table = top.table()
    assert table.rows[0][:2] == ("late", 50)
    assert "too low" in table.notes[0]


@given(st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=30), min_size=1, max_size=8), st.integers(1, 8))
def test_a_count_is_never_too_high_and_too_low_by_no_more_than_it_says(batches: list[list[int]], kept: int) -> None:
    top, other = Top(5, fields("p"), kept=kept), Top(5, fields("p"), kept=kept)
    for number, batch in enumerate(batches):
        fed(top if number % 2 else other, *batch)
    top.merge(other)
    real = Counter(value for batch in batches for value in batch)
    for value, count, _ in top.table().rows:
        assert isinstance(value, int)
        assert isinstance(count, int)
        assert real[value] - top._forgotten <= count <= real[value]
