"""Lines that begin alike mean the same read together and one by one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.derive import derive
from logyard.derive.crowd import read_crowd
from logyard.derive.stamp import SECOND

OBSERVED = 1_800_000_000 * SECOND
LEVELS = ("info", "WARN", "error", "Debug", "fatal", "nonsense", "")
moments = st.datetimes(datetime(1960, 1, 1), datetime(2040, 1, 1)) | st.datetimes(
    datetime(2026, 1, 1),
    datetime(2026, 2, 1),
)


def meant(lines: list[bytes]) -> tuple[list[int | None], list[int]] | None:
    """What a crowd says of each line; None when it leaves any of them to be looked at alone."""
    crowd = read_crowd(lines, OBSERVED)
    if crowd is None:
        return None
    levels = [crowd.level(text) for text in crowd.levels]
    seconds = [crowd.second(text) for text in crowd.seconds]
    if None in levels or None in seconds:
        return None
    fractions = [int(digits.ljust(9, b"0")) if digits else 0 for digits in crowd.fractions]
    return list(levels), [
        second * SECOND + part for second, part in zip(seconds, fractions, strict=True) if second is not None
    ]


def stamp(moment: datetime, digits: int, zone: str) -> str:
    text = moment.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return text + (f".{moment.microsecond:06d}"[: digits + 1] if digits else "") + zone


@given(
    st.lists(st.tuples(moments, st.sampled_from(LEVELS)), min_size=1, max_size=20),
    st.integers(0, 6),
    st.sampled_from(["Z", "+01:00", "-0330", ""]),
    st.booleans(),
)
def test_a_crowd_means_what_its_lines_mean(
    records: list[tuple[datetime, str]], digits: int, zone: str, level_first: bool
) -> None:
    order = '{{"level":"{1}","time":"{0}","n":1}}' if level_first else '{{"time":"{0}","n":"x","level":"{1}"}}'
    lines = [order.format(stamp(moment, digits, zone), level).encode() for moment, level in records]
    found = meant(lines)
    if found is not None:
        assert found == derive(lines, OBSERVED)


def test_an_ordinary_batch_is_a_crowd() -> None:
    lines = [b'{"time":"2026-01-02T03:04:%02d.%03dZ","level":"info","msg":"x"}' % (n % 60, n) for n in range(100)]
    assert meant(lines) == derive(lines, OBSERVED)
    assert meant(lines[:1]) == derive(lines[:1], OBSERVED)


@given(
    st.lists(
        st.tuples(
            moments,
            st.sampled_from(LEVELS),
            st.sampled_from(
                ["{0} {1} x", "{0} [{1}] x", "{0} app.{1}: x", "{0} level={1}", "{0} [a] INFO: {1}", "{1}"]
            ),
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(0, 6),
)
def test_a_crowd_of_text_means_what_its_lines_mean(records: list[tuple[datetime, str, str]], digits: int) -> None:
    lines = [form.format(stamp(moment, digits, ""), level.upper()).encode() for moment, level, form in records]
    found = meant(lines)
    if found is not None:
        assert found == derive(lines, OBSERVED)


@pytest.mark.parametrize("mark", [b"ERROR", b"[error]"])
def test_an_ordinary_batch_of_text_is_a_crowd(mark: bytes) -> None:
    lines = [b"2026-01-02 03:04:%02d,%03d main %b x" % (n % 60, n, mark) for n in range(100)]
    assert meant(lines) is not None
    assert meant(lines) == derive(lines, OBSERVED)


@pytest.mark.parametrize(
    "line",
    [
        b'{"time":"2026-01-02T03:04:05.000Z","level":"info" ',
        b'{"time":"2026-01-02T03:04:05.00Z","level":"info"}',
        b'{"time":"2026-01-02T03:04\\u003a5.000Z","level":"info"}',
        b'{"Time":"2026-01-02T03:04:05.000Z","level":"info"}',
        b"plain text",
        b"",
    ],
)
def test_a_line_that_begins_otherwise_makes_it_no_crowd(line: bytes) -> None:
    lines = [b'{"time":"2026-01-02T03:04:05.000Z","level":"info"}'] * 50
    assert meant(lines) is not None
    found = meant([*lines, line])
    assert found is None or found == derive([*lines, line], OBSERVED)


@pytest.mark.parametrize(
    "line",
    [
        b'{"time":"1970-01-01T00:00:00.000Z","level":"info"}',
        b'{"time":"2026-01-02T03:04:05.000Z","level":"?"}',
        b'{"time":"2026-13-02T03:04:05.000Z","level":"info"}',
    ],
)
def test_absurd_times_and_unknown_levels_are_looked_at_alone(line: bytes) -> None:
    assert meant([b'{"time":"2026-01-02T03:04:05.000Z","level":"info"}'] * 20 + [line]) is None
