"""Pipes one behind the other, and what is said when they do not go together."""

from __future__ import annotations

from datetime import UTC

import pytest

from logyard.errors import UsageError
from logyard.filters import parse_pipes
from logyard.pipes import Table, make_plan, offset_in
from logyard.pipes.plan import Plan
from tests.pipes.records import SECOND, START, look_up, select

RECORDS = (
    {"path": "/a", "status": 200, "ms": 5},
    {"path": "/b", "status": 500, "ms": 50},
    {"path": "/a", "status": 200, "ms": 7.5},
    {"status": 404},
)


def plan(text: str) -> Plan:
    return make_plan(parse_pipes(text)[1])


def run(text: str) -> Table:
    made = plan(text)
    aggregate = made.aggregate(offset_in(UTC))
    aggregate.feed(select(*RECORDS), [START + at * 40 * SECOND for at in range(4)], look_up)
    return made.finish(aggregate.table())


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("| count", [(4,)]),
        ("| count by path", [("/a", 2), ("/b", 1), (None, 1)]),
        ("| count by path | sort path desc", [("/b", 1), ("/a", 2), (None, 1)]),
        ("| count by path | limit 1", [("/a", 2)]),
        ("| count by path | fields count", [(2,), (1,), (1,)]),
        ("| count every 1m", [(START, 2), (START + 60 * SECOND, 1), (START + 120 * SECOND, 1)]),
        (
            "| stats max(ms) as slowest, count() by path | sort slowest",
            [("/a", 7.5, 2), ("/b", 50, 1), (None, None, 1)],
        ),
        ("| top 1 status", [(200, 2, 50.0)]),
        ("| fields status, path | sort status desc | limit 2", [(500, "/b"), (404, None)]),
        ("| fields time, ms | limit 1", [(START, 5)]),
    ],
)
def test_pipes_give(text: str, rows: list[tuple[object, ...]]) -> None:
    assert run(text).rows == rows


def test_what_a_limit_leaves_out_is_told() -> None:
    assert run("| count by path | limit 1").left_out == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("| count by path | sort cuont", "did you mean count?"),
        ("| count by path | sort status", "it has path, count"),
        ("| count by path | fields statsu", "no column 'statsu'"),
        ("| count | count", "only one of them"),
        ("| top 3 path | stats avg(ms)", "only one of them"),
        ("| sort path", "write count, stats, top or fields before it"),
        ("| count | context 3", "write it before"),
        ("| context 3 | count", "leave context out"),
    ],
)
def test_pipes_that_do_not_go_together_are_explained(text: str, says: str) -> None:
    with pytest.raises(UsageError, match="\\|") as caught:
        run(text)
    assert says in str(caught.value)


def test_what_is_done_to_records_is_known() -> None:
    made = plan("error | limit 5 | context 2")
    assert made.records == 5
    assert made.context is not None
    assert made.source is None
    assert plan("| fields a,b | limit 7").streams_rows
    assert plan("| fields a,b | limit 7").row_limit == 7
    assert not plan("| fields a,b | sort a").streams_rows
