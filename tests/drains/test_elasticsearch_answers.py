"""What is read from answers, where no real server can be made to give them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from logyard.errors import DrainError, NotConnected, Permanent, RetryLater, TooLarge
from logyard_drains.elasticsearch_answers import all_created, judge, request_failure
from logyard_drains.elasticsearch_conflicts import explained

CREATED = {"create": {"status": 201}}


def answer(*items: dict[str, Any]) -> bytes:
    errors = any(item["create"]["status"] >= 300 for item in items)
    return json.dumps({"errors": errors, "items": items}, separators=(",", ":")).encode()


def refused(status: int, kind: str, reason: str = "no", **more: Any) -> dict[str, Any]:
    return {"create": {"status": status, "error": {"type": kind, "reason": reason, **more}}}


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_only_the_answer_that_everything_was_created_is_taken_unread(count: int) -> None:
    good = answer(*[CREATED] * count)
    assert all_created(good, count)
    assert not all_created(good, count + 1)
    assert not all_created(good, count - 1)
    assert not all_created(good[:-1], count)
    assert not all_created(good.replace(b"201", b"429", 1), count)
    assert not all_created(good.replace(b"false", b"true", 1), count)
    assert judge(good, [count], "es").again == {}


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"<html>", b'{"errors":false}', b'{"errors":false,"items":[{"index":{"status":201}}]}', b"\xff"],
)
def test_an_answer_of_another_kind_says_nothing_about_the_records(body: bytes) -> None:
    with pytest.raises(NotConnected, match="no answer of _bulk"):
        judge(body, [1], "es")


def test_an_answer_for_too_few_or_too_many_records_is_not_believed() -> None:
    for count in (1, 3):
        with pytest.raises(NotConnected, match=rf"answered for 2 documents of {count}"):
            judge(answer(CREATED, CREATED), [count], "es")


def test_other_successes_and_duplicates_are_delivered() -> None:
    verdicts = judge(
        answer({"create": {"status": 200}}, refused(409, "version_conflict_engine_exception"), CREATED), [3], "es"
    )
    assert not (verdicts.refused or verdicts.again or verdicts.rewritable or verdicts.failing)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_whatever_the_server_says_for_now_is_for_later(status: int) -> None:
    assert judge(answer(CREATED, refused(status, "anything_exception", "busy")), [2], "es").again == {
        1: "anything_exception: busy"
    }


def test_an_unknown_refusal_is_the_documents_fault_only_beside_others_of_its_batch_that_got_in() -> None:
    odd = refused(422, "odd_exception")
    alone = judge(answer(odd, odd, CREATED), [2, 1], "es")
    assert list(alone.again) == [0, 1]
    assert not alone.refused
    beside = judge(answer(odd, CREATED, CREATED), [2, 1], "es")
    assert beside.refused == {0: "422 odd_exception: no"}
    assert not beside.again


def test_another_conflict_than_of_versions_is_no_delivery() -> None:
    assert judge(answer(refused(409, "odd_exception")), [1], "es").again == {0: "409 odd_exception: no"}


def test_reasons_of_waiting_are_one_short_line_without_documents() -> None:
    reason = '[a][0] primary shard is not active Timeout: [1m], request: [index {source[{"card":"4711"}]}]\n\x1b[31m'
    text = judge(answer(refused(503, "unavailable_shards_exception", reason)), [1], "es").again[0]
    assert text == "unavailable_shards_exception: [a][0] primary shard is not active Timeout: [1m]"
    long = judge(answer(refused(503, "odd", "x\x1b\n" * 1000)), [1], "es").again[0]
    assert len(long) <= 310
    assert long.isprintable()


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (413, None, TooLarge),
        (429, {"type": "es_rejected_execution_exception", "reason": "rejected"}, RetryLater),
        (
            429,
            {
                "type": "es_rejected_execution_exception",
                "reason": "rejected execution of coordinating operation [coordinating_and_primary_bytes=0,"
                " coordinating_operation_bytes=400, max_coordinating_and_primary_bytes=256]",
            },
            TooLarge,
        ),
        (
            429,
            {
                "type": "es_rejected_execution_exception",
                "reason": "rejected execution of coordinating operation [coordinating_and_primary_bytes=200,"
                " coordinating_operation_bytes=100, max_coordinating_and_primary_bytes=256]",
            },
            RetryLater,
        ),
        (502, None, RetryLater),
        (503, "no master", RetryLater),
        (401, {"type": "security_exception", "reason": "missing"}, Permanent),
        (403, None, Permanent),
        (404, None, Permanent),
        (400, {"type": "illegal_argument_exception", "reason": "contains unrecognized parameter"}, Permanent),
    ],
)
def test_a_request_that_failed_as_a_whole(status: int, error: object, kind: type[DrainError]) -> None:
    body = b"<html>" if error is None else json.dumps({"error": error, "status": status}).encode()
    failure = request_failure(status, body, "es:9200", 7.0)
    assert type(failure) is kind
    assert str(failure).startswith(f"es:9200 answered {status}")
    if isinstance(failure, RetryLater):
        assert failure.delay == 7.0


@pytest.mark.parametrize(
    ("reason", "document", "said"),
    [
        ("failed to parse field [a.b.c] of type [long] in document", {"a": {"b.c": [True]}}, "array"),
        ("failed to parse field [a.b] of type [long] in document", {"a": [{"x": 1}, {"b": False}]}, "boolean"),
        ("failed to parse field [a.b] of type [long] in document", {"a.b": {"c": 1}}, "object"),
        ("failed to parse field [a.b] of type [long] in document", {"other": 1}, ""),
        ("mapper [a] cannot be changed from type [long] to [text]", {"a": 1.5}, "text"),
    ],
)
def test_the_type_in_the_record_is_found_wherever_the_field_is(reason: str, document: object, said: str) -> None:
    found = explained(reason, json.dumps(document).encode())
    assert found.endswith(f": {reason}")
    assert "is long in the index" in found
    assert (f"and {said} in this record" in found) == bool(said)
    assert explained("something else", b"{}") == "something else"
