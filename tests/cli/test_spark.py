"""The status line: what came in the last minute, by severity, in one line that fits."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.derive.severity import Level
from logyard_cli.spark import Rates, sparkline, status_line
from logyard_cli.table import width_of


@pytest.mark.parametrize(
    ("counts", "width", "shown"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, "▁▂▃▄▅▆▇█"),
        ([0] * 60, 5, "▁▁▁▁▁"),
        ([4, 4, 2, 2], 2, "█▅"),
        ([9], 4, "▁▁▁█"),
        ([0, 0, 1000, 1], 4, "▁▁█▂"),  # little is not nothing
        ([], 4, ""),
    ],
)
def test_bars_are_as_high_as_the_counts(counts: list[int], width: int, shown: str) -> None:
    assert sparkline(counts, width) == shown


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60), st.integers(1, 60))
def test_there_are_as_many_bars_as_were_asked_for(counts: list[int], width: int) -> None:
    assert len(sparkline(counts, width)) == width


def test_counts_are_kept_by_second_for_a_minute() -> None:
    rates = Rates(100.0)
    rates.add([Level.ERROR, Level.CRITICAL, Level.INFO, None], 100.5)
    rates.add([Level.ERROR], 102.2)
    assert rates.seconds("error", 103.0) == [2, 0, 1]
    assert rates.seconds("info", 103.0) == [1, 0, 0]
    assert sum(rates.seconds("error", 159.9)) == 3
    assert sum(rates.seconds("error", 161.0)) == 1
    assert sum(rates.seconds("error", 100_000.0)) == 0


def test_the_line_names_what_came_and_the_second_that_runs_does_not_count() -> None:
    rates = Rates(0.0)
    for second in range(4):
        rates.add([Level.ERROR] * 2 + [Level.WARN] + [Level.INFO] * 27, second + 0.5)
    rates.add([Level.ERROR] * 999, 4.1)
    line = status_line(rates, 4.2, 120, colour=False, notes="3 dropped")
    assert re.fullmatch(r"30/s ▁*█+  3 dropped  error 2\.0/s ▁*█+  warn 1\.0/s ▁*█+  info 27/s ▁*█+", line), line
    assert "debug" not in line


@given(st.integers(1, 200), st.booleans())
def test_the_line_fits(columns: int, colour: bool) -> None:
    rates = Rates(0.0)
    rates.add([*Level, None] * 1000, 0.5)
    line = status_line(rates, 2.0, columns, colour=colour, notes="12,345 dropped")
    assert width_of(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= columns
