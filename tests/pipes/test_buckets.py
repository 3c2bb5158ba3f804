from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.pipes.buckets import DAY, HOUR, SECOND, Buckets, offset_in

BERLIN = ZoneInfo("Europe/Berlin")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
MOMENTS = st.integers(0, 4_000_000_000 * SECOND)
WIDTHS = st.sampled_from(
    [SECOND // 10, SECOND, 10 * SECOND, 60 * SECOND, 15 * 60 * SECOND, HOUR, 6 * HOUR, DAY, 7 * DAY]
)
ZONES: list[tzinfo] = [UTC, BERLIN, KATHMANDU, timezone(timedelta(hours=-3, minutes=-30))]


def ns(text: str, zone: tzinfo = UTC) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("width", "zone", "moment", "start"),
    [
        (60 * SECOND, UTC, "2026-11-22T14:30:59", "2026-11-22T14:30:00"),
        (15 * 60 * SECOND, KATHMANDU, "2026-11-22T14:44:59", "2026-11-22T14:30:00"),
        (6 * HOUR, BERLIN, "2026-07-01T11:59:59", "2026-07-01T06:00:00"),
        (DAY, BERLIN, "2026-07-01T00:30:00", "2026-07-01T00:00:00"),
        (DAY, BERLIN, "2026-10-25T23:30:00", "2026-10-25T00:00:00"),
        (7 * DAY, BERLIN, "2026-11-22T12:00:00", "2026-11-16T00:00:00"),
    ],
)
def test_buckets_begin_where_the_clock_on_the_wall_says(width: int, zone: tzinfo, moment: str, start: str) -> None:
    assert Buckets(width, offset_in(zone)).start(ns(moment, zone)) == ns(start, zone)


@given(st.lists(MOMENTS, min_size=1, max_size=30), WIDTHS, st.sampled_from(ZONES))
def test_many_at_once_are_as_one_by_one(moments: list[int], width: int, zone: tzinfo) -> None:
    buckets = Buckets(width, offset_in(zone))
    found = buckets.starts(moments)
    one_by_one = list(map(buckets.start, moments))
    assert found == one_by_one if isinstance(found, list) else {found} == set(one_by_one)


@given(MOMENTS, WIDTHS, st.sampled_from(ZONES))
def test_every_moment_is_in_its_bucket_and_the_next_one_begins_behind_it(moment: int, width: int, zone: tzinfo) -> None:
    buckets = Buckets(width, offset_in(zone))
    start = buckets.start(moment)
    assert start <= moment < buckets.next(start)
    assert buckets.start(start) == start
    assert buckets.start(buckets.next(start)) == buckets.next(start)


def test_days_of_a_changing_clock_have_23_and_25_hours() -> None:
    buckets = Buckets(DAY, offset_in(BERLIN))
    spring = buckets.between(ns("2026-03-28T00:00:00", BERLIN), ns("2026-03-30T00:00:00", BERLIN))
    autumn = buckets.between(ns("2026-10-24T00:00:00", BERLIN), ns("2026-10-26T00:00:00", BERLIN))
    assert [(later - start) // HOUR for start, later in pairwise(spring)] == [24, 23]
    assert [(later - start) // HOUR for start, later in pairwise(autumn)] == [24, 25]


def test_the_hour_that_exists_twice_is_two_hours() -> None:
    buckets = Buckets(HOUR, offset_in(BERLIN))
    first = ns("2026-10-25T00:00:00")  # 02:00, before clocks are set back
    assert [buckets.start(first), buckets.start(first + HOUR)] == [first, first + HOUR]


def test_the_machines_zone_is_used_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert offset_in(None)(0) == 9 * HOUR
    finally:
        monkeypatch.undo()
        time.tzset()
