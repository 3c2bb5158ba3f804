"""Searching blocks finds just what looking at each record finds; here where the two could differ."""

from __future__ import annotations

import pytest

from logyard.batch import Batch
from logyard.filters import compile_filter
from tests.formats.sample_batches import batch_of


def passing(text: str, *records: bytes, times: int = 1, **changes: object) -> list[int]:
    """The records that pass, of a batch in which the given ones are repeated."""
    batch = batch_of(*records * times, **changes)
    chosen = compile_filter(text)
    found = chosen.select(batch)
    positions = [] if found is None else list(range(batch.count) if found.positions is None else found.positions)
    assert positions == [at for at in range(batch.count) if chosen.matches(batch, at)]
    if times == 1:
        assert positions == passing_many(text, records, 100, changes)
    return positions


def passing_many(text: str, records: tuple[bytes, ...], times: int, changes: dict[str, object]) -> list[int]:
    """The same in a batch so large that frequent words are searched otherwise."""
    found = passing(text, *records, times=times, **changes)
    assert [at % len(records) for at in found] == [at % len(records) for at in found[: len(found) // times]] * times
    return [at for at in found if at < len(records)]


def test_letters_outside_of_ascii_are_the_same_as_those_inside() -> None:
    lines = ("Kelvin \u212a2".encode(), "ma\u017f\u017f".encode(), b"k2", b"mass", b"nothing")
    assert passing("k2", *lines) == [0, 2]
    assert passing("MASS", *lines) == [1, 3]
    assert passing("\u212a2", *lines) == [0, 2]
    assert passing("n", *lines) == [0, 4]


def test_the_turkish_letters_are_only_themselves() -> None:
    lines = ("İzmir".encode(), "ılık".encode(), b"izmir", b"IZMIR")
    assert passing("izmir", *lines) == [2, 3]
    assert passing("İzmir", *lines) == [0]
    assert passing("ı", *lines) == [1]


def test_sharp_s_has_a_capital_and_is_not_two_letters() -> None:
    lines = tuple(f'{{"a":"{one}"}}'.encode() for one in ("straße", "STRAẞE", "strasse"))
    assert passing("straße", *lines) == passing("a:straße", *lines) == [0, 1]
    assert passing("a:STRASSE", *lines) == [2]


def test_bytes_that_are_no_text_count_as_the_replacement_character() -> None:
    lines = (b"a \xff b", "a \ufffd b".encode(), b"a b", b'{"a":"x\xe2\x84"}')
    assert passing("\ufffd", *lines) == [0, 1, 3]
    assert passing('~"a . b"', *lines) == [0, 1]
    assert passing("a:x\ufffd", *lines) == [3]
    assert passing("-a:*", *lines) == [0, 1, 2]


def test_a_search_never_reaches_over_the_end_of_a_record() -> None:
    lines = (b"first", b"second x", b"", b"y")
    assert passing('"first\\nsecond"', *lines) == []
    assert passing("first*second", *lines) == []
    assert passing(r'~"\s"', *lines) == [1]
    assert passing(r'~"[^x]y"', *lines) == []
    assert passing('~"^$"', *lines) == [2]
    assert passing('~"^second"', *lines) == [1]
    assert passing('~"(?s)t.s"', *lines) == []
    assert passing(r'~"t\ns"', *lines) == []


def test_anchors_of_the_text_are_those_of_a_record() -> None:
    lines = (b"alpha", b"beta", b"alphabet")
    assert passing(r'~"\Aalpha"', *lines) == [0, 2]
    assert passing(r'~"beta\z"', *lines) == [1]
    assert passing(r'~"alpha$"', *lines) == [0]
    assert passing(r'~"(?-m)^b"', *lines) == [1]
    assert passing(r'~"(?-s:a.*t)"', *lines) == [2]


def test_records_that_hold_newlines_are_searched_as_a_whole() -> None:
    records = (b"Traceback\n  File x\nValueError", b"one line")
    assert passing('"Traceback\\n  File"', *records) == [0]
    assert passing("trace*valueerror", *records) == [0]
    assert passing('~"^ValueError"', *records) == []
    assert passing('~"(?m)^ValueError$"', *records) == [0]
    assert passing('~"x$"', *records) == []
    assert passing("e", *records) == [0, 1]


@pytest.mark.parametrize("separator", [b"\x00", b"\x1e", b"\xff", b"\xfd"])
def test_any_byte_may_separate_records(separator: bytes) -> None:
    records = ["K \u212a", "two\nlines", '{"a":"\ufffd"}', ""]
    batch = Batch(
        key="app.web", node="n", source="s", time_ns=0, count=4, origin="0.0", first=0, last=9,
        block=separator.join(record.encode() for record in records), separator=separator,
    )  # fmt: skip

    def positions(text: str) -> list[int]:
        found = compile_filter(text).select(batch)
        return [] if found is None else list(range(4) if found.positions is None else found.positions)

    assert positions("k") == [0]
    assert positions('"two\\nlines"') == [1]
    assert positions("\ufffd") == [2]
    assert positions("a:\ufffd") == [2]
    assert positions('~"^$"') == [3]
    assert positions(r'~"\S"') == [0, 1, 2]


def test_a_value_is_found_however_json_writes_it() -> None:
    lines = (
        b'{"name":"jos\xc3\xa9"}', b'{"name":"jos\\u00e9"}', b'{"na\\u006de":"JOS\\u00c9"}', b'{"name":"jose"}',
    )  # fmt: skip
    assert passing("name:josé", *lines) == [0, 1, 2]
    assert passing("name=josé", *lines) == [0, 1]
    assert passing("path:/api/orders*", b'{"path":"\\/api\\/orders\\/7"}', b'{"path":"/x"}') == [0]
    assert passing('name:"say \\"hi\\" twice"', b'{"name":"say \\"hi\\" twice"}', b"{}") == [0]
    assert passing('name:"tab\\there"', b'{"name":"tab\\there"}', b"{}") == [0]


def test_a_number_is_found_however_it_is_written() -> None:
    lines = (b'{"n":500}', b'{"n":5e2}', b'{"n":500.0}', b'{"n":"500"}', b'{"n":0.5E+3}', b'{"n":"5e2"}', b'{"n":501}')
    assert passing("n:500", *lines) == passing("n=500", *lines) == [0, 1, 2, 3, 4]
    assert passing("n>=500", *lines) == [0, 1, 2, 3, 4, 5, 6]
    assert passing("n:500*", *lines) == [0, 1, 2, 3, 4]
    assert passing("n:1000*", b'{"n":1e3}', b'{"n":1}') == [0]
    assert passing("n:inf", b'{"n":1e999}', b'{"n":"INF"}', b'{"n":1}') == [0, 1]
    assert passing("n:1e+30", b'{"n":1e30}', b'{"n":1000000000000000000000000000000.0}', b'{"n":1}') == [0, 1]


def test_a_value_may_be_negative() -> None:
    lines = (b'{"n":-5}', b'{"n":"-5"}', b'{"n":5}', b'{"n":3}')
    assert passing("n:-5", *lines) == passing("n=-5", *lines) == [0, 1]
    assert passing("n:(-5 OR 3)", *lines) == [0, 1, 3]
    assert passing("n<-4.5", *lines) == [0, 1]


def test_integers_of_any_size_keep_their_digits() -> None:
    lines = (
        b'{"id":123456789012345678901234567890}',
        b'{"id":123456789012345678901234567891}',
        b'{"id":' + b"9" * 5000 + b"}",
    )
    assert passing("id:123456789012345678901234567890", *lines) == [0]
    assert passing("id>123456789012345678901234567890", *lines) == [1, 2]


def test_what_only_looks_like_json_has_no_fields() -> None:
    lines = (
        b'{"a":1}', b' {"a":1} ', b'{"a":1', b'{"a":1}}', b"[1]", b'"a"', b"1", b'{"a":NaN}', b'{"a":1,"b":"\\ud800"}',
        b'{"a":1,"b":"\x01"}', b"{'a':1}", b'{"a":01}', b"",
    )  # fmt: skip
    assert passing("a:1", *lines) == passing("a:*", *lines) == [0, 1]


def test_nesting_too_deep_for_json_is_text() -> None:
    deep = b'{"a":1,"b":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert passing("-a:1", deep, b'{"a":1}', times=2) == [0, 2]


def test_a_path_is_a_name_with_dots_or_names_within_each_other() -> None:
    lines = (
        b'{"a.b":1}', b'{"a":{"b":1}}', b'{"a.b":2,"a":{"b":1}}', b'{"a.b":null,"a":{"b":1}}', b'{"a":[{"b":1}]}',
        b'{"a":[0,1]}', b'{"a":{"0":1}}', b'{"a":1}', b'{"a":{"b":2},"a":{"b":1}}',
    )  # fmt: skip
    assert passing("a.b:1", *lines) == passing("json.a.b:1", *lines) == [0, 1, 3, 8]
    assert passing("a.0.b:1", *lines) == [4]
    assert passing("a.1:1", *lines) == [5]
    assert passing("a.0:1", *lines) == [6]
    assert passing("a:*", *lines) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_severities_are_found_in_any_kind_of_line() -> None:
    lines = (
        b'{"level":"error"}', b'{"level": "ERR" }', b'{"lvl":50}', b'{"l\\u0065vel":"error"}', b"<11>x", b"ERROR x",
        b"level=error", b'{"level":"info","msg":"error"}', b"an error", b'{"a":1}',
    )  # fmt: skip
    assert passing("level:>=error", *lines) == [0, 1, 2, 3, 4, 5, 6]
    assert passing("level:error", *lines) == passing("level:(err OR fatal)", *lines) == [0, 1, 2, 3, 4, 5, 6]
    assert passing("level:>error", *lines) == []
    assert passing("level:*", *lines) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert passing("-level:*", *lines) == [8, 9]
    assert passing("level:e*", *lines) == passing('level~"^e"', *lines) == [0, 1, 2, 3, 4, 5, 6]
    assert passing("level<error", *lines) == [7]


def test_an_expression_that_could_run_forever_elsewhere_does_not_here() -> None:
    assert passing('~"(a+)+$"', b"a" * 5000 + b"!", b"a" * 5000) == [1]
    assert passing('x~"(a|aa)+$"', b'{"x":"' + b"a" * 5000 + b'!"}', b'{"x":"a"}') == [1]


def test_empty_records_count() -> None:
    assert passing("*", b"", b"", b"x") == [0, 1, 2]
    assert passing('text:""', b"", b"", b"x") == [0, 1]
    assert passing('~"x*$"', b"", b"", b"x") == [0, 1, 2]
