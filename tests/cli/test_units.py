"""Numbers for people."""

from __future__ import annotations

import pytest

from logyard_cli.units import ago, count, duration, plural, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 ms"), (0.0084, "8 ms"), (4.24, "4.2 s"), (12, "12 s"), (59.6, "1 min"), (200, "3 min 20 s"),
        (3600, "1 h"), (18_120, "5 h 2 min"), (86400 * 4 + 3600 * 3, "4 d 3 h"),
    ],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (512, "512 B"), (1536, "1.5 KiB"), (24 << 20, "24 MiB"), (3 << 50, "3072 TiB")]
)
def test_sizes(number: int, text: str) -> None:
    assert size(number) == text


def test_counts() -> None:
    assert count(1234567) == "1,234,567"
    assert plural(1, "line") == "1 line"
    assert plural(2000, "line") == "2,000 lines"
    assert plural(0, "entry", "entries") == "0 entries"
    assert ago(0.2) == "now"
    assert ago(12) == "12 s ago"
