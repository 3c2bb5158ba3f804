"""``count`` and ``stats`` against the plainest way to compute the same, whatever the batches look like."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logyard.filters.pipes import Function
from logyard.pipes import groups
from logyard.pipes.buckets import Buckets, offset_in
from logyard.pipes.grouping import Grouping
from logyard.pipes.groups import Aggregate, Counts, Statistics
from logyard.pipes.table import Table
from logyard.pipes.values import Unit
from tests.pipes.records import SECOND, START, field, fields, look_up, select

MINUTE = 60 * SECOND

VALUES = st.one_of(
    st.integers(-5, 5),
    st.sampled_from(["a", "b", "3", "03", "-1", "", "é", "1.5", True, False, None, 1.0, 1.5, [1], {"x": 1}]),
)
RECORDS = st.lists(
    st.tuples(
        st.integers(0, 5 * 60 - 1),
        st.dictionaries(st.sampled_from(["p", "q", "n"]), VALUES, max_size=3),
    ),
    max_size=40,
)
CUTS = st.lists(st.integers(0, 40), max_size=5)


def every(width: int = MINUTE) -> Buckets:
    return Buckets(width, offset_in(UTC))


def batches(records: Sequence[tuple[int, dict[str, Any]]], cuts: Sequence[int]) -> list[Sequence[tuple[int, Any]]]:
    places = [0, *sorted(min(cut, len(records)) for cut in cuts), len(records)]
    return [records[low:high] for low, high in pairwise(places) if low < high]


def feed(aggregate: Aggregate, *some: Sequence[tuple[int, dict[str, Any]]]) -> None:
    for batch in some:
        times = [START + second * SECOND for second, _ in batch]
        aggregate.feed(select(*(record for _, record in batch)), times, look_up)


def plain(value: Any) -> Any:
    """What a value groups by, said in the plainest way."""
    text = None if value is None else value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    if text is not None and (text == "0" or (text.lstrip("-")[:1] in set("123456789") and text.lstrip("-").isdigit())):
        return int(text) if text.count("-") <= 1 else text
    return text


def rows(table: Table) -> set[tuple[object, ...]]:
    assert len(set(table.rows)) == len(table.rows)
    return set(table.rows)


@settings(max_examples=300)
@given(RECORDS, CUTS, st.booleans(), st.lists(st.sampled_from(["p", "q"]), max_size=2, unique=True))
def test_counts_are_those_of_counting_one_by_one(
    records: list[tuple[int, dict[str, Any]]], cuts: list[int], timed: bool, by: list[str]
) -> None:
    counts = Counts(Grouping(fields(*by), every() if timed else None))
    feed(counts, *batches(records, cuts))
    expected: defaultdict[tuple[object, ...], int] = defaultdict(int)
    for second, record in records:
        start = (START + second // 60 * MINUTE,) if timed else ()
        expected[(*start, *(plain(record.get(name)) for name in by))] += 1
    if not records and not timed and not by:
        expected[()] = 0
    assert rows(counts.table()) == {(*key, number) for key, number in expected.items()}


FUNCTIONS = (
    Function("count", None, None, "count"),
    Function("count", field("n"), None, "count(n)"),
    Function("sum", field("n"), None, "sum(n)"),
    Function("avg", field("n"), None, "avg(n)"),
    Function("min", field("n"), None, "min(n)"),
    Function("max", field("n"), None, "max(n)"),
    Function("percentile", field("n"), 90, "p90(n)"),
    Function("percentile", field("n"), 50, "median(n)"),
    Function("uniq", field("q"), None, "uniq(q)"),
)


def number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return value if isinstance(value, int | float) else None


def computed(members: list[dict[str, Any]]) -> tuple[object, ...]:
    found = sorted(value for record in members if (value := number(record.get("n"))) is not None)
    ranked = [found[max(0, math.ceil(share * len(found)) - 1)] if found else None for share in (0.9, 0.5)]
    return (
        len(members),
        sum(1 for record in members if record.get("n") is not None),
        sum(found) if found else None,
        sum(found) / len(found) if found else None,
        found[0] if found else None,
        found[-1] if found else None,
        *ranked,
        len({plain(record["q"]) for record in members if record.get("q") is not None}),
    )


@settings(max_examples=300)
@given(RECORDS, CUTS, st.booleans(), st.booleans())
def test_statistics_are_those_of_computing_over_all_records_of_a_group(
    records: list[tuple[int, dict[str, Any]]], cuts: list[int], timed: bool, by: bool
) -> None:
    statistics = Statistics(Grouping(fields("p") if by else (), every() if timed else None), FUNCTIONS)
    feed(statistics, *batches(records, cuts))
    members: defaultdict[tuple[object, ...], list[dict[str, Any]]] = defaultdict(list)
    for second, record in records:
        start = (START + second // 60 * MINUTE,) if timed else ()
        members[(*start, *((plain(record.get("p")),) if by else ()))].append(record)
    if not records and not timed and not by:
        members[()] = []
    expected = {(*key, *computed(some)) for key, some in members.items()}
    found = rows(statistics.table())
    assert {row[: len(row) - len(FUNCTIONS)] for row in found} == {row[: len(row) - len(FUNCTIONS)] for row in expected}
    for ours, theirs in zip(sorted(found, key=repr), sorted(expected, key=repr), strict=True):
        assert ours == pytest.approx(theirs)


@settings(max_examples=150)
@given(RECORDS, RECORDS, st.booleans())
def test_merging_gives_what_feeding_all_of_it_gives(
    first: list[tuple[int, dict[str, Any]]], second: list[tuple[int, dict[str, Any]]], timed: bool
) -> None:
    def made() -> Statistics:
        return Statistics(Grouping(fields("p"), every() if timed else None), FUNCTIONS)

    whole, one, other = made(), made(), made()
    feed(whole, *batches([*first, *second], []))
    feed(one, *batches(first, []))
    feed(other, *batches(second, []))
    one.merge(other)
    for ours, theirs in zip(one.table().rows, whole.table().rows, strict=True):
        assert ours == pytest.approx(theirs)
    counts, more, all_of_it = (Counts(Grouping(fields("p", "q"))) for _ in range(3))
    feed(counts, *batches(first, []))
    feed(more, *batches(second, []))
    feed(all_of_it, *batches([*first, *second], []))
    counts.merge(more)
    assert counts.table() == all_of_it.table()


def test_fields_of_the_batch_are_counted_without_unpacking_it() -> None:
    counts = Counts(Grouping(fields("app", "instance", "node", "key", "source")))

    def never(*_: object) -> list[list[object]]:
        raise AssertionError("nothing has to be looked up")

    packed = select({"a": 1}, {"a": 2}, instance="7").batch
    packed._block = None
    packed._payload, packed.codec = b"broken", b"zstd"
    counts.feed(type(select({}))(packed), (), never)
    assert counts.table().rows == [("web", 7, "n1", "app.web", "stdout", 2)]


def test_an_own_field_named_like_one_of_the_batch_is_the_records() -> None:
    counts = Counts(Grouping(fields("json.app")))
    feed(counts, [(0, {"app": "mine"})])
    assert counts.table().rows == [("mine", 1)]
    assert counts.table().columns[0].name == "json.app"


def test_without_time_the_largest_group_comes_first_and_ties_in_natural_order() -> None:
    counts = Counts(Grouping(fields("p")))
    feed(counts, [(0, {"p": value}) for value in ("b", 10, 9, "a", "a", None)])
    assert counts.table().rows == [("a", 2), (9, 1), (10, 1), ("b", 1), (None, 1)]


def test_further_groups_than_are_kept_are_told() -> None:
    counts = Counts(Grouping(fields("p")), limit=2)
    feed(counts, [(0, {"p": value}) for value in (1, 2, 3, 1, 4, 4)])
    table = counts.table()
    assert sorted(table.rows) == [(1, 2), (2, 1)]
    assert table.notes == ("more groups than are kept: 3 records of further groups are not in the table",)


def test_what_is_held_for_percentiles_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MOST_HELD", 3)
    statistics = Statistics(Grouping(fields("p")), (Function("percentile", field("n"), 50, "median(n)"),))
    for group in range(5):
        feed(statistics, [(0, {"p": group, "n": 1}), (0, {"p": group, "n": 2})])
    table = statistics.table()
    assert len(table.rows) == 2
    assert "6 records of further groups" in table.notes[0]


def test_numbers_with_units_keep_them() -> None:
    function = Function("avg", field("d"), None, "avg(d)")
    statistics = Statistics(Grouping(), (function,))
    feed(statistics, [(0, {"d": "250ms"}), (0, {"d": "1.75s"}), (0, {"d": "soon"})])
    table = statistics.table()
    assert table.rows == [(1.0,)]
    assert table.columns[0].unit is Unit.SECONDS


def test_old_buckets_can_be_forgotten() -> None:
    for aggregate in (
        Counts(Grouping(fields("p"), every())),
        Statistics(Grouping(fields("p"), every()), (Function("uniq", field("q"), None, "uniq(q)"),)),
    ):
        feed(aggregate, [(second, {"p": 1, "q": second}) for second in range(0, 300, 30)])
        aggregate.forget_before(START + 3 * MINUTE)
        assert [row[0] for row in aggregate.table().rows] == [START + 3 * MINUTE, START + 4 * MINUTE]
