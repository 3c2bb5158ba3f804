"""Time zones as people name them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from logyard.errors import UsageError
from logyard_cli.zones import parse_zone, stamps_in
from tests.servers.publishing import SECOND, START

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Europe/Berlin", BERLIN),
        ("europe/berlin", BERLIN),
        ("America/New York", ZoneInfo("America/New_York")),
        ("utc", UTC),
        ("Z", UTC),
        ("+02:00", timezone(timedelta(hours=2))),
        ("-0530", timezone(timedelta(hours=-5, minutes=-30))),
        ("+2", timezone(timedelta(hours=2))),
    ],
)
def test_a_zone_is_understood(name: str, zone: tzinfo) -> None:
    assert parse_zone(name) == zone


def test_local_is_the_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    assert stamps_in(parse_zone("local"), [START]) == ["2026-09-21T23:13:20+09:00"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Berln", "did you mean Europe/Berlin"),
        ("Berlin", "did you mean Europe/Berlin"),
        ("new york", "America/New_York"),
        ("qqqqqqqqqq", "write a name such as Europe/Berlin"),
        ("", "write a name such as Europe/Berlin"),
        ("+99:00", "there is no time zone '+99:00'"),
    ],
)
def test_an_unknown_zone_is_refused_with_near_names(name: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_zone(name)
    assert hint in str(refused.value)


def test_times_are_written_on_the_clock_of_the_zone_summer_time_included() -> None:
    winter, summer = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp()) * SECOND for month in (1, 7))
    assert stamps_in(BERLIN, [winter, summer + 120_000_000, summer + 1]) == [
        "2026-01-01T01:00:00+01:00",
        "2026-07-01T02:00:00.120+02:00",
        "2026-07-01T02:00:00.000000001+02:00",
    ]
    assert stamps_in(None, [START]) == stamps_in(UTC, [START]) == ["2026-09-21T14:13:20Z"]
    assert stamps_in(timezone(timedelta(hours=-9, minutes=-30)), [START]) == ["2026-09-21T04:43:20-09:30"]
