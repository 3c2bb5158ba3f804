"""What follows a filter."""

from __future__ import annotations

import pytest

from logyard.filters import (
    Context,
    Count,
    FieldPath,
    Fields,
    Function,
    Limit,
    Pipe,
    Sort,
    Stats,
    Top,
    parse_query,
)

MINUTE = 60_000_000_000
APP, PATH, TOOK = FieldPath("app", envelope=True), FieldPath("path"), FieldPath("took.ms")


@pytest.mark.parametrize(
    ("text", "pipe"),
    [
        ("count", Count()),
        ("COUNT by app", Count((APP,))),
        ("count by app,json.path every 1m30s", Count((APP, PATH), 90 * MINUTE // 60)),
        ("count every 500ms", Count((), 500_000_000)),
        ("count by json.app", Count((FieldPath("app"),))),
        ('count by "my field", "by"', Count((FieldPath("my field"), FieldPath("by")))),
        ("stats count()", Stats((Function("count", None, None, "count()"),))),
        ("stats count(path) as n", Stats((Function("count", PATH, None, "n"),))),
        (
            "stats avg(took.ms), p95(took.ms) as slow, uniq(app) by path every 1m",
            Stats(
                (
                    Function("avg", TOOK, None, "avg(took.ms)"),
                    Function("percentile", TOOK, 95.0, "slow"),
                    Function("uniq", APP, None, "uniq(app)"),
                ),
                (PATH,),
                MINUTE,
            ),
        ),
        ("stats median(path)", Stats((Function("percentile", PATH, 50.0, "median(path)"),))),
        ("stats p99.9(path)", Stats((Function("percentile", PATH, 99.9, "p99.9(path)"),))),
        (
            "stats sum(path), min(path), max(path)",
            Stats(tuple(Function(name, PATH, None, f"{name}(path)") for name in ("sum", "min", "max"))),
        ),
        ("top 10 path", Top(10, PATH)),
        ("top 3 by app", Top(3, APP)),
        ("fields app, path,took.ms", Fields((APP, PATH, TOOK))),
        ("context 5", Context(5, 5)),
        ("context 0 10", Context(0, 10)),
        ("sort by n desc", Sort("n", descending=True)),
        ("sort n asc", Sort("n")),
        ("sort by p95(took.ms)", Sort("p95(took.ms)")),
        ("limit 20", Limit(20)),
    ],
)  # fmt: skip
def test_a_pipe_says_what_was_asked_for(text: str, pipe: Pipe) -> None:
    assert parse_query(f"error -debug | {text}").pipes == (pipe,)


def test_pipes_follow_one_another_and_a_filter_or_none() -> None:
    query = parse_query("app:web|count by path|sort by count desc|limit 3")
    assert query.filter.text == "app:web"
    assert query.pipes == (Count((PATH,)), Sort("count", descending=True), Limit(3))
    assert parse_query("| count").filter.everything
    assert parse_query("").pipes == ()


def test_a_pipe_in_quotes_or_behind_a_backslash_is_text() -> None:
    assert parse_query('"a | count"').pipes == ()
    assert parse_query(r"a\|b").filter.text == '"a|b"'
