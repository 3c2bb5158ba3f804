"""Records divided into requests, to the byte, and what is told when one of several fails."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.errors import NotConnected, PartialFailure, Refused, RetryLater
from logyard_drains.http_parts import Outcome, Part, pack


def test_what_fits_is_one_body() -> None:
    assert pack([b"a", b"bb"], 4) == [Part([b"a\nbb"], 2)]
    assert pack([], 4) == []
    assert pack([b"a", b"b"], 5, before=b"[", between=b",", after=b"]") == [Part([b"[a,b]"], 2)]


def test_a_document_that_is_too_large_is_alone() -> None:
    assert pack([b"a", b"xxxxxxxx", b"b", b"c"], 4) == [Part([b"a"], 1), Part([b"xxxxxxxx"], 1), Part([b"b\nc"], 2)]


def test_records_are_counted_as_well() -> None:
    assert pack([b"a"] * 5, 100, most_records=2) == [Part([b"a\na"], 2), Part([b"a\na"], 2), Part([b"a"], 1)]


@given(
    st.lists(st.binary(max_size=12).map(lambda text: text.replace(b"\n", b".")), max_size=40),
    st.integers(2, 60),
    st.sampled_from([(b"", b"\n", b""), (b"", b"\n", b"\n"), (b"[", b",", b"]")]),
    st.one_of(st.none(), st.integers(1, 9)),
)
def test_every_document_is_there_once_in_order_and_no_body_is_larger_than_it_must_be(
    documents: list[bytes], most: int, marks: tuple[bytes, bytes, bytes], most_records: int | None
) -> None:
    before, between, after = marks
    parts = pack(documents, most, before=before, between=between, after=after, most_records=most_records)
    at = 0
    for part in parts:
        mine = documents[at : at + part.count]
        body = b"".join(part.pieces)
        assert body == before + between.join(mine) + after
        assert part.count == 1 or len(body) <= most
        assert part.count <= (most_records or part.count)
        following = documents[at + part.count : at + part.count + 1]
        if following and part.count != most_records:
            assert len(body) + len(between) + len(following[0]) > most
        at += part.count
    assert at == len(documents)


def test_nothing_that_arrived_leaves_the_error_as_it_is() -> None:
    outcome = Outcome()
    outcome.raise_failure()
    error = RetryLater("later", 7.0)
    outcome.failed(range(5), error, for_good=False)
    with pytest.raises(RetryLater) as caught:
        outcome.raise_failure()
    assert caught.value is error


def test_what_arrived_is_not_sent_again() -> None:
    outcome = Outcome(delivered=3)
    outcome.failed(range(3, 5), NotConnected("gone"), for_good=False)
    with pytest.raises(PartialFailure, match="gone") as caught:
        outcome.raise_failure()
    assert caught.value.again == {3, 4}
    assert caught.value.refused == {}


def test_a_record_refused_for_good_is_told_with_its_reason() -> None:
    outcome = Outcome()
    outcome.failed(range(1, 2), Refused("no such field"), for_good=True)
    outcome.failed(range(2, 3), RetryLater("later"), for_good=False)
    with pytest.raises(PartialFailure) as caught:
        outcome.raise_failure()
    assert caught.value.refused == {1: "no such field"}
    assert caught.value.again == {2}
