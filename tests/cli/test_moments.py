"""Points in time as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from logyard.errors import UsageError
from logyard_cli.moments import parse_moment

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 29, 15, 0, 0, 250_000, tzinfo=BERLIN)  # the day on which daylight saving began


def ns(*parts: int, zone: ZoneInfo | None = BERLIN) -> int:
    moment = datetime(*parts, tzinfo=zone or UTC)  # type: ignore[arg-type,misc]
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", ns(2026, 3, 29, 15, 0, 0, 250_000)),
        ("10m", ns(2026, 3, 29, 14, 50, 0, 250_000)),
        ("10m ago", ns(2026, 3, 29, 14, 50, 0, 250_000)),
        ("1h30m", ns(2026, 3, 29, 13, 30, 0, 250_000)),
        ("0.5s", ns(2026, 3, 29, 14, 59, 59, 750_000)),
        ("1d", ns(2026, 3, 28, 14, 0, 0, 250_000)),  # 24 hours, and the clock went forward in between
        ("today", ns(2026, 3, 29)),
        ("yesterday", ns(2026, 3, 28)),
        ("Yesterday 14:30", ns(2026, 3, 28, 14, 30)),
        ("14:30", ns(2026, 3, 29, 14, 30)),
        ("14:30:05.25", ns(2026, 3, 29, 14, 30, 5, 250_000)),
        ("23:00", ns(2026, 3, 28, 23)),  # not yet today: the last one there was
        ("2026-03-01", ns(2026, 3, 1)),
        ("2026-03-01 14:30", ns(2026, 3, 1, 14, 30)),
        ("2026-03-01T14:30:00Z", ns(2026, 3, 1, 14, 30, zone=None)),
        ("2026-03-01T14:30:00.5+02:00", ns(2026, 3, 1, 12, 30, 0, 500_000, zone=None)),
        ("1700000000", 1_700_000_000_000_000_000),
        ("1700000000.123456789", 1_700_000_000_123_456_789),
        ("1700000000123", 1_700_000_000_123_000_000),
    ],
)
def test_a_point_in_time_is_understood(text: str, expected: int) -> None:
    assert parse_moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "soon", "10x", "25:00", "2026-13-01", "yesterday evening", "+10m"])
def test_what_is_none_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match=r"10m, 2h"):
        parse_moment(text, NOW)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("10", "give it a unit, as in 10m"),
        ("-10m", "write 10m, without the minus"),
        ("10 minutes ago", "write 10m"),
        ("2 hours", "write 2h"),
        ("2pm", "write 14:00"),
        ("12:30 am", "write 00:30"),
        ("11:15PM", "write 23:15"),
    ],
)
def test_what_was_probably_meant_is_proposed(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_moment(text, NOW, "--since")
    assert str(refused.value) == f"--since {text!r} is no point in time: {hint}" + (
        ", 10h or 10d" if text == "10" else ""
    )


def test_the_future_is_refused() -> None:
    with pytest.raises(UsageError, match="future"):
        parse_moment("2026-03-30", NOW)


def test_a_fixed_offset_stands_for_the_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``datetime.now().astimezone()`` gives has the offset of today, which a day in another season has not."""
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC).astimezone()
    assert parse_moment("2026-01-15 08:00", summer) == int(datetime(2026, 1, 15, 8).astimezone().timestamp()) * 10**9
