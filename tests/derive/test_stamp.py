"""Times as text."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from logyard.derive.stamp import SECOND, rfc3339, second_text, stamps

NOW = 1_795_339_800 * SECOND


def test_a_time_has_as_many_digits_as_it_needs() -> None:
    assert rfc3339(NOW) == "2026-11-22T09:30:00Z"
    assert rfc3339(NOW + 5_000_000) == "2026-11-22T09:30:00.005Z"
    assert rfc3339(NOW + 5_000) == "2026-11-22T09:30:00.000005Z"
    assert rfc3339(NOW + 5) == "2026-11-22T09:30:00.000000005Z"
    assert rfc3339(0) == "1970-01-01T00:00:00Z"


def test_times_beyond_four_digit_years_become_the_nearest_end() -> None:
    assert second_text(10**15) == "9999-12-31T23:59:59"
    assert second_text(-1) == "1970-01-01T00:00:00"


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999))
def test_a_stamp_reads_back_as_the_same_time(second: int, micro: int) -> None:
    text = rfc3339(second * SECOND + micro * 1000)
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo == UTC
    assert (int(moment.replace(microsecond=0).timestamp()), moment.microsecond) == (second, micro)


units = st.sampled_from([1, 1000, 1_000_000, SECOND])


@given(st.lists(st.builds(lambda n, unit: n * unit, st.integers(0, 4_000_000_000), units)))
def test_a_column_is_stamped_like_each_time_alone(column: list[int]) -> None:
    assert stamps(column) == [rfc3339(ns) for ns in column]


@given(st.lists(st.integers(0, 4 * 10**15)))
def test_a_column_of_microseconds_is_stamped_like_each_time_alone(micros: list[int]) -> None:
    assert stamps([micro * 1000 for micro in micros]) == [rfc3339(micro * 1000) for micro in micros]
