"""A filter asked about batches."""

from __future__ import annotations

import pytest

from logyard.batch import Batch, decode, encode
from logyard.errors import WireError
from logyard.filters import Highlight, compile_filter, parse_query
from tests.formats.sample_batches import SYSTEM, batch_of

LINES = (
    b'{"level":"error","status":503,"msg":"no answer"}',
    b'{"level":"info","status":200,"msg":"ok"}',
    b"ERROR text",
)


def damaged(**changes: str) -> Batch:
    """A batch whose block cannot be read: looking into it fails."""
    batch = batch_of(*LINES * 100, **changes)
    fields = encode(batch)
    assert b"zstd" in fields
    fields[-1] = fields[-1][:20] + b"damaged"
    return decode(batch.key, "1-0", fields)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("app:web", True),
        ("app:api", False),
        ("app:(api OR web) -key:sys.*", True),
        ("app:api error", False),
        ("app:web OR error", True),
        ("-app:web error", False),
        ("instance>=3 node:NODE-* source=stdout", True),
        ('key~"^sys"', False),
        ("-app:*", False),
        ("", True),
        ("(app:api error) OR (node:x status:5)", False),
    ],
)
def test_what_the_envelope_decides_is_decided_without_reading_the_block(text: str, verdict: bool) -> None:
    chosen, batch = compile_filter(text), damaged()
    assert chosen.batch_verdict(batch) is verdict
    found = chosen.select(batch)
    assert (found is not None) is verdict
    assert found is None or found.whole
    with pytest.raises(WireError):
        compile_filter("error").select(batch)


def test_what_the_envelope_leaves_open_is_decided_for_each_record() -> None:
    chosen, batch = compile_filter("app:web level:error -status:*"), batch_of(*LINES)
    assert chosen.batch_verdict(batch) is None
    found = chosen.select(batch)
    assert found is not None
    assert found.positions == [2]
    assert found.lines == [b"ERROR text"]


def test_a_filter_serves_batches_of_many_streams() -> None:
    chosen = compile_filter("app:web OR (key:sys.* text)")
    for number in range(2000):
        assert chosen.batch_verdict(batch_of(*LINES, app=f"app-{number}")) is False
    web, system = chosen.select(batch_of(*LINES)), chosen.select(batch_of(*LINES, **SYSTEM))
    assert web is not None
    assert web.whole
    assert system is not None
    assert system.positions == [2]


def test_a_selection_of_all_records_is_whole() -> None:
    found = compile_filter("e").select(batch_of(b"e", b"E"))
    assert found is not None
    assert found.whole
    assert compile_filter("x").select(batch_of(b"e", b"E")) is None


def test_a_missing_field_of_the_envelope_matches_nothing() -> None:
    batch = batch_of(*LINES, **SYSTEM)
    assert compile_filter("app:*").batch_verdict(batch) is False
    assert compile_filter("-app:*").batch_verdict(batch) is True
    assert compile_filter("instance<9").batch_verdict(batch) is False


@pytest.mark.parametrize(
    ("text", "key", "verdict"),
    [
        ("key:sys.nginx*", "sys.nginx-2", True),
        ("key:sys.nginx*", "app.web", False),
        ("app:web", "app.web", True),
        ("app:web", "sys.web", False),
        ("app:web error", "app.web", None),
        ("app:web error", "app.api", False),
        ("node:x", "app.api", None),
        ("error", "app.api", None),
    ],
)
def test_the_name_of_a_stream_may_decide(text: str, key: str, verdict: bool | None) -> None:
    assert compile_filter(text).keys(key) is verdict


def test_each_term_tells_whether_a_record_passes_it() -> None:
    chosen = compile_filter("app:web (level:>=error OR @slow) -msg:*answer", {"slow": "took>1s"})
    batch = batch_of(*LINES)
    expected = [("app:web", True), ("level:>=error", True), ("took>1s", False), ("-msg:*answer", False)]
    assert chosen.explain(batch, 0) == expected
    assert chosen.explain(batch, 2)[-1] == ("-msg:*answer", True)


def test_what_is_looked_for_in_the_text_can_be_highlighted() -> None:
    chosen = compile_filter('error "no answer" time*out -debug ~"a+" app:web msg:ok* status:503 error path~"x"')
    assert chosen.literals == (
        Highlight("error"), Highlight("no answer"), Highlight("time"), Highlight("out"), Highlight("a+", regex=True),
        Highlight("ok"), Highlight("503"),
    )  # fmt: skip
    import re2

    assert re2.search(Highlight("a.b").expression, "xA.B") is not None
    assert re2.search(Highlight("a.b").expression, "aab") is None


def test_filters_are_joined_by_and() -> None:
    both = compile_filter("a OR b") & compile_filter("c")
    assert both.text == "(a OR b) c"
    assert (compile_filter("") & both).text == (both & compile_filter("*")).text == both.text
    assert compile_filter("").everything
    assert not both.everything


def test_equal_filters_are_equal_however_they_are_written() -> None:
    assert compile_filter("level:err AND (a)") == compile_filter("level:50 a")
    assert len({compile_filter("level:err AND (a)"), compile_filter("level:50 a")}) == 1
    assert compile_filter("a") != compile_filter("b")


def test_saved_filters_come_from_a_mapping_or_a_function() -> None:
    assert compile_filter("@x", {"x": "a OR b"}).text == "a OR b"
    assert compile_filter("@x c", {"x": "a OR b"}.get).text == "(a OR b) c"
    assert parse_query("@x | count", {"x": "a"}).filter.text == "a"


def test_the_fields_that_are_asked_for_are_known() -> None:
    assert [str(path) for path in compile_filter("a app:x (json.app:y OR user.id>5) -a:1").paths] == [
        "app", "json.app", "user.id", "a",
    ]  # fmt: skip
