"""Numbers with units."""

from __future__ import annotations

import pytest

from logyard.filters.units import duration_ns, field_factor, plain_number, quantity, written_quantity

S = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("5", 5, "plain"), ("-5.5", -5.5, "plain"), ("1e3", 1000.0, "plain"), ("007", 7, "plain"),
        ("250ms", S // 4, "time"), ("1.5s", 1.5 * S, "time"), ("2us", 2000, "time"), ("2µs", 2000, "time"),
        ("3ns", 3, "time"), ("1h30m", 5400 * S, "time"), ("-1m30s", -90 * S, "time"), ("2d", 172_800 * S, "time"),
        ("10KiB", 10_240, "size"), ("10kb", 10_000, "size"), ("10KB", 10_000, "size"), ("7B", 7, "size"),
        ("1.5MiB", 1_572_864, "size"), ("1GB", 10**9, "size"), ("2TiB", 2**41, "size"), ("1pb", 10**15, "size"),
    ],
)  # fmt: skip
def test_numbers_are_read_with_their_units(text: str, value: float, kind: str) -> None:
    found = quantity(text)
    assert (found.value, found.kind) == (value, kind)


OTHER = (
    "", "x", "5x", "5 ms", "1,000", ".5", "5.", "+5", "0x10", "inf", "nan",
    "1_000", "٣", "5M", "1m30", "5MS",
)  # fmt: skip


@pytest.mark.parametrize("text", OTHER)
def test_other_text_is_no_number(text: str) -> None:
    assert written_quantity(text) is None
    assert plain_number(text) is None
    with pytest.raises(ValueError, match=r"is not a number|is no unit"):
        quantity(text)


def test_durations_are_times_only() -> None:
    assert duration_ns("1m30s") == 90 * S
    assert duration_ns("5") is None
    assert duration_ns("5KB") is None


@pytest.mark.parametrize(
    ("name", "kind", "factor"),
    [
        ("duration_ms", "time", 10**6), ("elapsedMs", "time", 10**6), ("latency_seconds", "time", S),
        ("t_s", "time", S),
        ("duration", "time", None), ("items", "time", None), ("TIMEMS", "time", None), ("duration_ms", "size", None),
        ("size_kb", "size", 1000), ("heap_mib", "size", 2**20), ("heapBytes", "size", 1), ("size_kb", "time", None),
        ("wait_time_us", "time", 1000), ("size", "size", None),
    ],
)  # fmt: skip
def test_the_name_of_a_field_may_say_its_unit(name: str, kind: str, factor: int | None) -> None:
    assert field_factor(name, kind) == factor  # type: ignore[arg-type]
