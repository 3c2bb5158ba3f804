from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from logyard.pipes import Buckets, Column, Role, Table, Unit, offset_in
from logyard.pipes.table import Cell
from logyard_cli.tables import Look, cut, encode_rows, number_texts, pretty_table, stamp

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
START = 1_790_000_040 * SECOND  # 2026-09-21T14:14:00Z
TIME = Column("time", Role.TIME)
PATH = Column("path", Role.GROUP)
COUNT = Column("count", Role.VALUE, additive=True)
MINUTES = Buckets(MINUTE, offset_in(UTC))

CELLS = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


def lines(table: Table, look: Look) -> list[str]:
    return pretty_table(table, look).splitlines()


def test_groups_stand_below_each_other_and_numbers_are_aligned() -> None:
    table = Table((PATH, COUNT), [("/cart", 1200), (None, 3)])
    assert lines(table, Look()) == ["path   count", "/cart  1,200", "-          3"]


def test_over_time_each_group_is_a_column_and_empty_buckets_are_shown() -> None:
    rows: list[tuple[Cell, ...]] = [(START, "a", 1), (START, "b", 2), (START + 2 * MINUTE, "a", 3)]
    table = Table((TIME, PATH, COUNT), rows)
    assert lines(table, Look(buckets=MINUTES)) == [
        "count by path",
        "time   a  b  total",
        "14:14  1  2      3",
        "14:15  0  0      0",
        "14:16  3  0      3",
    ]


def test_columns_that_do_not_fit_are_written_below_each_other() -> None:
    table = Table((TIME, PATH, COUNT), [(START, f"a-long-name-{at}", at) for at in range(10)])
    found = lines(table, Look(buckets=MINUTES, width=60))
    assert found[0] == "time   path           count"
    assert max(map(len, found)) <= 60


def test_times_are_in_the_zone_with_the_date_where_days_differ() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    buckets = Buckets(6 * 3600 * SECOND, offset_in(tokyo))
    first = buckets.start(START)
    table = Table((TIME, COUNT), [(first, 1), (buckets.next(first), 2)])
    found = lines(table, Look(buckets=buckets, zone=tokyo))
    assert found[1].split() == ["2026-09-21", "18:00", "1"]


def test_long_texts_are_cut_on_a_terminal() -> None:
    table = Table((PATH, COUNT), [("/x" * 100, 1)])
    found = lines(table, Look(width=40))
    assert max(map(len, found)) <= 40
    assert "…" in found[1]
    assert cut("日本語", 5) == "日本…"


def test_numbers_of_a_column_are_alike() -> None:
    assert number_texts([1, 2.5, None], Unit.NONE) == ["1.00", "2.50", "-"]
    assert number_texts([1200.0, 7.0], Unit.NONE) == ["1,200", "7"]
    assert number_texts([0.25, 3600.0], Unit.SECONDS) == ["250 ms", "1 h"]
    assert number_texts([2048], Unit.BYTES) == ["2.0 KiB"]
    assert number_texts([33.33], Unit.PERCENT) == ["33.33 %"]


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_comma_separated_values_can_be_read_back(rows: list[tuple[Cell, ...]]) -> None:
    text = "".join(encode_rows((PATH, COUNT), rows, "csv", UTC))
    read = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert read[0] == ["path", "count"]
    assert [row[0] for row in read[1:]] == ["" if row[0] is None else _text(row[0]) for row in rows]


def _text(value: Cell) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_json_lines_can_be_read_back(rows: list[tuple[Cell, ...]]) -> None:
    found = [json.loads(line) for line in encode_rows((PATH, COUNT), rows, "json", UTC)]
    assert found == [{"path": path, "count": count} for path, count in rows]


def test_programs_get_complete_times_and_no_missing_pairs() -> None:
    rows: list[tuple[Cell, ...]] = [(START, "a b", 1), (START, None, 2)]
    assert encode_rows((TIME, PATH, COUNT), rows, "logfmt", UTC) == [
        'time=2026-09-21T14:14:00Z path="a b" count=1\n',
        "time=2026-09-21T14:14:00Z count=2\n",
    ]
    assert stamp(START + 1_500_000, ZoneInfo("Asia/Tokyo")) == "2026-09-21T23:14:00.001500+09:00"


def test_nothing_of_a_value_acts_on_a_terminal() -> None:
    table = Table((PATH, COUNT), [("\x1b[2J\u202e\x9b", 1)])
    shown = [pretty_table(table, Look(colour=True))]
    shown += ["".join(encode_rows(table.columns, table.rows, output, UTC, terminal=True))
              for output in ("json", "csv", "logfmt")]  # fmt: skip
    for text in shown:
        assert not re.search("[\x00-\x09\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202e]", text.replace("\r\n", "\n"))
        assert "\x1b[2J" not in text
