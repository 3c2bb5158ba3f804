"""A progress bar tells how far it is in as much room as there is."""

from __future__ import annotations

import pytest

from logyard_cli.bar import bar, plain


@pytest.mark.parametrize(
    ("done", "total", "seconds", "columns", "shown"),
    [
        (0, 1000, 0.0, 60, "  ]   0%  0 of 1,000"),
        (500, 1000, 5.0, 60, "=>        ]  50%  500 of 1,000  100/s  5.0 s left"),
        (1000, 1000, 5.0, 50, "===] 100%  1,000 of 1,000  200/s"),
        (0, 0, 1.0, 30, "===] 100%  0 of 0"),
        (500, 1000, 5.0, 20, " 50%  500 of 1,000 "),
    ],
)
def test_it_fits(done: int, total: int, seconds: float, columns: int, shown: str) -> None:
    drawn = bar(done, total, seconds, columns)
    assert drawn.endswith(shown) and drawn.startswith(("[=", "[>", " "))
    assert all(len(bar(done, total, seconds, width)) < width for width in range(1, 200))


def test_in_words() -> None:
    assert plain(500, 1000, 5.0) == "500 of 1,000, 100/s"
    assert plain(0, 1000, 5.0) == "0 of 1,000"
