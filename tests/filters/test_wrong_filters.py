"""Every answer to a wrong filter shows the place, says what was expected, and what to write instead."""

from __future__ import annotations

import pytest

from logyard.errors import UsageError
from logyard.filters import FilterError, compile_filter, parse_query

SAVED = {"a": "@b", "b": "x @a", "wrong": "level:wran", "piped": "x | count", "errors": "level:>=error"}

WRONG = [
    # filter, characters that are pointed at, what is said, what is proposed
    ("app:(web api)", "api", "expected OR between the values of app", "write app:(web OR api)"),
    ("app:(web, api)", ",", "expected OR, not a comma", "write app:(web OR api)"),
    ("app:(web|api)", "|", "expected OR between the values of app", "write app:(web OR api)"),
    ("app:(web AND api)", "AND", "expected OR between the values of app", "write app:(web OR api)"),
    ("app:(web OR -api)", "-", "expected a value of app, not -", "-app:c for what is left out"),
    ("app:(web", "(", 'expected ")"', 'add ")"'),
    ("app:()", ")", "expected values", "write app:(one OR another)"),
    ("app:(a OR )", ")", "expected another value behind OR", "write app:(one OR another)"),
    ("level:wran", "wran", "expected one of trace debug info notice warn", "did you mean warn?"),
    ("level:>=eror", "eror", "eror is no level", "did you mean error?"),
    ("level:gold", "gold", "gold is no level", "json.level is a field of the record's own"),
    ("level:>emergency", "emergency", "no level is above emergency", "write level:>=emergency"),
    ("level:<trace", "trace", "no level is below trace", "write level:<=trace"),
    ("level >= warn", ">=", "expected no space around >=", "write level>=warn"),
    ("status = 500", "=", "expected no space around =", "write status=500"),
    ("status : 500", ":", "expected no space around :", "write status:500"),
    ("status==500", "==", "== is no operator here", "write status:500 for any case, status=500 for exactly this"),
    ("foo: bar", "foo:", "expected a value right behind foo:", 'write foo:bar without a space; "foo:" in quotes'),
    ("error:", "error:", "expected a value right behind error:", 'error:* for records that have the field'),
    ("status>=", "status>=", "expected a value right behind status>=", "write status>=500"),
    (">=500", ">=", "expected the name of a field before >=", "write field>=value"),
    ("a && b", "&&", "&& is no operator here", "write AND, or just a space"),
    ("a & b", "&", "& is no operator here", "write AND, or just a space"),
    ("a || b", "||", "|| is no operator here", "write OR"),
    ("!healthz", "!", "! is no operator here", "write -healthz"),
    ("error and timeout", "and", "expected AND in capitals", '"and" in quotes'),
    ("error or timeout", "or", "expected OR in capitals", "write OR"),
    ("not timeout", "not", "expected NOT in capitals", "write NOT"),
    ("(a OR b", "(", 'expected ")" to close this group', 'add ")"'),
    ("a OR b)", ")", 'this ")" closes nothing', "remove it"),
    ("a OR", "OR", "expected something to search for behind OR", "remove it"),
    ("OR b", "OR", "expected something to search for before OR", '"OR" in quotes'),
    ("a OR OR b", "OR", "expected something to search for behind OR", "remove it"),
    ("a AND", "AND", "expected something to search for behind AND", "remove it"),
    ("a NOT", "NOT", "expected a term or a group behind NOT", "write NOT word"),
    ("()", "()", "expected a filter inside the parentheses", "write something in them"),
    ("main()", "(", "a parenthesis stands in the middle of a word", 'write "main()"'),
    ('say"hi"', '"', "a quote stands in the middle of a word", 'write "say\\"hi\\""'),
    ('name:say"hi"', '"', "a quote stands in the middle of a value", 'write name:"say\\"hi\\""'),
    ('"Connection reset', '"', 'expected " to close the text', 'add " where the text ends'),
    ('"reset”', '"', 'expected " to close the text', "quotes are straight"),
    ("“reset”", "“", "expected straight quotes, not “", 'write "reset"'),
    ("name:“bob”", "“", "expected straight quotes, not “", 'write "bob"'),
    ('name:"a"*', "*", "expected a space behind the closing quote", "* is a wildcard outside of quotes only"),
    ("/err.*or/", "/err.*or/", "/.../ is a path here", 'write ~"err.*or"'),
    ("path:/v[0-9]+/", "/v[0-9]+/", "/.../ is a path here", 'write path~"v[0-9]+"'),
    ("path~/api/", "/api/", "expected a regular expression in quotes", 'write path~"api"'),
    ("~error", "error", "expected a regular expression in quotes", 'write ~"error"'),
    ('~"(a"', "(a", "RE2 cannot read this expression: missing )", "write a backslash before"),
    ('~"a[b"', "[b", "RE2 cannot read this expression: missing ]", "write a backslash before"),
    ('~"*a"', "*", "RE2 cannot read this expression: no argument for repetition", "write a backslash before"),
    ('~"(?=x)"', "(?=", "RE2 cannot read this expression: invalid perl operator", "no look-around"),
    ('x~"(a)\\1"', "\\1", "RE2 cannot read this expression: invalid escape sequence", "no back-references"),
    ("time:>10m", "time", "time is never in the filter", "use --since and --until"),
    ("time>2026-11-22", "time", "time is never in the filter", "use --since and --until"),
    ("ts>2026-11-22", "2026-11-22", "expected a number behind >", "--since, --until"),
    ("--since 10m error", "--since", "--since is an option of the command", "write it outside of the quotes"),
    ("--verbose", "--", "expected one minus", 'write "--verbose" to search'),
    ("error - timeout", "-", "right behind the minus", "write -word without a space"),
    ("took>fast", "fast", "fast is not a number", 'write "took>fast" in quotes'),
    ("took>10parsecs", "10parsecs", "parsecs is no unit: expected one of time (ns us ms s m h d)", "in quotes"),
    ("size<10KiBs", "10KiBs", "KiBs is no unit", "in quotes"),
    ("@nope", "@nope", "there is no saved filter @nope", 'to search for the text write "@nope"'),
    ("@erors", "@erors", "there is no saved filter @erors", "did you mean @errors?"),
    ("@a", "@a", "the saved filter @a contains itself: @a → @b → @a", "change one of them"),
    ("x @wrong", "wran", "wran is no level", "did you mean warn?"),
    ("a\x1bb", "\x1b", "not a control character", "remove it"),
]  # fmt: skip

WRONG_PIPES = [
    ("x | cuont", "cuont", "there is no pipe cuont: expected one of count, stats", "did you mean | count?"),
    ("x | where y", "where", "there is no pipe where", "before the first |"),
    ("x | head 5", "head", "there is no pipe head", "did you mean | limit?"),
    ("error|warning", "warning", "there is no pipe warning", "a OR b"),
    ("x |", "|", "expected a pipe's name behind |", "for instance | count by level"),
    ("x | | count", "|", "expected a pipe's name behind |", "for instance | count by level"),
    ("x | count by", "", "expected the name of a field at the end", "the form is: | count [by FIELD, ...] [every 1m]"),
    ("x | count by app level", "level", "expected a comma", "write app, level"),
    ("x | count every 5", "5", "expected a duration", "write the unit: 5s or 5m"),
    ("x | count every 5parsecs", "5parsecs", "5parsecs is no duration", "write every 30s"),
    ("x | count app", "app", "expected by or every", "the form is: | count"),
    ("x | stats p95(took) by path by app", "by", "expected a comma or every", "the form is: | stats"),
    ("x | stats mean(took)", "mean", "there is no function mean", "did you mean avg(took)?"),
    ("x | stats p101(took)", "p101", "there is no percentile 101", "write p95"),
    ("x | stats avg()", "avg", "avg() needs a field", "write avg("),
    ("x | stats took", "took", "expected a function", "write took(...)"),
    ("x | stats count(), count()", "count", "two columns have the name count()", "as other_name"),
    ("x | top path", "path", "expected a whole number", "the form is: | top 10 FIELD"),
    ("x | top 10", "", "expected the name of a field", "the form is: | top 10 FIELD"),
    ("x | top 0 path", "0", "expected a number from 1 to 1,000,000", "write 10"),
    ("x | limit 99999999999999999999", "99999999999999999999", "expected a number from 1", "write 1000000"),
    ("x | fields", "", "expected the name of a field", "the form is: | fields"),
    ("x | fields a,,b", ",", "expected the name of a field", "the form is: | fields"),
    ("x | context five", "five", "expected a whole number", "the form is: | context 5"),
    ("x | sort by n down", "down", "expected another pipe or the end or asc or desc", "the form is: | sort"),
    ("x | count by $app", "$app", "expected a name or a number", "stand in quotes"),
]  # fmt: skip


def pointed(error: FilterError) -> str:
    """What the carets stand below."""
    lines = str(error).splitlines()
    at = next(place for place, line in enumerate(lines) if line.strip() and not line.strip("^ "))
    carets = lines[at]
    return lines[at - 1][carets.index("^") : carets.rindex("^") + 1]


def check(error: FilterError, wrong: str, problem: str, hint: str) -> None:
    assert isinstance(error, UsageError)
    told = str(error)
    assert problem in told, told
    assert hint in told, told
    assert pointed(error) == wrong.replace("\x1b", " "), told
    assert told.splitlines()[-1] == error.hint != ""


@pytest.mark.parametrize(("text", "wrong", "problem", "hint"), WRONG)
def test_a_wrong_filter_gets_an_answer_that_helps(text: str, wrong: str, problem: str, hint: str) -> None:
    for read in (compile_filter, parse_query):
        with pytest.raises(FilterError) as caught:
            read(text, SAVED)
        check(caught.value, wrong, problem, hint)


@pytest.mark.parametrize(("text", "wrong", "problem", "hint"), WRONG_PIPES)
def test_a_wrong_pipe_gets_an_answer_that_helps(text: str, wrong: str, problem: str, hint: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_query(text)
    check(caught.value, wrong, problem, hint)


def test_a_filter_has_no_pipes_and_says_where_they_belong() -> None:
    for text, saved in (("x | count", False), ("@piped", True)):
        with pytest.raises(FilterError, match="without pipes here") as caught:
            compile_filter(text, SAVED)
        assert "logyard query" in str(caught.value)
        assert str(caught.value).startswith("in the saved filter @piped:") is saved


def test_a_mistake_in_a_saved_filter_shows_the_saved_filter() -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter("x @wrong", SAVED)
    assert str(caught.value).splitlines()[:2] == ["in the saved filter @wrong:", "  level:wran"]


def test_of_a_long_filter_the_part_around_the_mistake_is_shown() -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(f"{'word ' * 200}level:wran {'other ' * 200}")
    lines = str(caught.value).splitlines()
    assert max(map(len, lines[:2])) <= 110
    assert pointed(caught.value) == "wran"
    assert lines[0].startswith("  …")
    assert lines[0].endswith("…")


def test_the_caret_stands_right_below_wide_characters() -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter("日本語 level:wran")
    shown, carets, *_ = str(caught.value).splitlines()
    assert carets.index("^") == shown.index("wran") + len("日本語")


def test_a_mistake_never_moves_the_cursor_of_a_terminal() -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter("a\x1b[2J\nb")
    shown = str(caught.value).splitlines()[0]
    assert shown.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "x " * 40_000,
        "(" * 1000 + "x" + ")" * 1000,
        "app:(" + "a OR " * 3000 + "b)",
        "(" * 51 + "x" + ")" * 51,
        'x~"' + "a" * 20_000 + '"',
        '~"((a{100}){100}){100}"',
    ],
)
def test_what_is_too_large_is_refused_by_name(text: str) -> None:
    with pytest.raises(FilterError):
        compile_filter(text)


def test_fifty_parentheses_and_any_number_of_negations_are_read() -> None:
    assert compile_filter("(" * 50 + "x" + ")" * 50).text == "x"
    assert compile_filter("-(" * 50 + "x" + ")" * 50).text == "x"
    assert compile_filter("NOT " * 3001 + "x").text == "-x"
    assert compile_filter(" OR ".join(["a b"] * 900)).text.count("OR") == 899
    nested = "x"
    for _ in range(50):
        nested = f"-(y ({nested} OR z))" if len(nested) < 300 else nested
    assert compile_filter(nested).node is not None


def test_saved_filters_cannot_grow_without_bounds() -> None:
    doubling = {f"f{level}": f"@f{level + 1} OR @f{level + 1}" for level in range(40)} | {"f40": "x y"}
    with pytest.raises(FilterError, match="more than 2,000 terms"):
        compile_filter("@f0", doubling)
    nesting = {f"f{level}": f"{'y (z OR ' * 40}@f{level + 1}{')' * 40}" for level in range(40)} | {"f40": "x"}
    with pytest.raises(FilterError, match="nested too deeply"):
        compile_filter("@f0", nesting)
