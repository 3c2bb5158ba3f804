"""``loggly://``: what Loggly gets, what its answers mean, and that nobody sees the token."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from logyard.drain import Context, Drain, DrainURI
from logyard.errors import (
    DrainError,
    NotConnected,
    PartialFailure,
    Permanent,
    Refused,
    RetryLater,
    TooLarge,
    UsageError,
)
from logyard_drains import loggly as loggly_drain
from tests.drains.records import batch_of, numbered, numbers_in
from tests.servers.http_sink import Reply
from tests.servers.loggly import OK, Loggly

CONTEXT = Context(name="loggly", node="router1")


@pytest.fixture
def loggly() -> Iterator[Loggly]:
    server = Loggly()
    server.up()
    yield server
    server.down()


@asynccontextmanager
async def opened(loggly: Loggly, token: str | None = None, **params: str) -> AsyncIterator[Drain]:
    uri = f"loggly+http://{token or loggly.token}@127.0.0.1:{loggly.port}"
    config = loggly_drain.configure(DrainURI.parse(uri, params))
    async with loggly_drain.open(config, CONTEXT) as drain:
        yield drain


async def failure(loggly: Loggly, token: str | None = None, **params: str) -> DrainError:
    async with opened(loggly, token, **params) as drain:
        with pytest.raises(DrainError) as caught:
            await drain.send([numbered(0, 10)])
    assert (token or loggly.token) not in f"{caught.value!r} {caught.value.__cause__!r}"
    return caught.value


async def test_an_apps_json_is_found_by_its_fields_and_its_tags(loggly: Loggly) -> None:
    async with opened(loggly, tag="web, prod") as drain:
        await drain.send([batch_of([b'{"instance_index": 2, "user": {"id": 7}}', b"plain text"])])
    assert loggly.values("json.instance_index") == [2]
    assert loggly.values("json.user.id") == [7]
    assert loggly.values("json.message") == ["plain text"]
    assert {event.tags for event in loggly.events} == {("web", "prod")}
    for moment in loggly.values("json.timestamp"):
        assert moment.startswith("20") and moment.endswith("Z") and "T" in moment
    (request,) = loggly.sink.requests
    assert request.target == f"/bulk/{loggly.token}/tag/web,prod/"
    assert request.headers["content-type"].startswith("text/plain")
    assert "authorization" not in request.headers


async def test_without_tags_there_is_no_tag(loggly: Loggly) -> None:
    async with opened(loggly) as drain:
        await drain.send([numbered(0, 1)])
    assert loggly.events[0].tags == ()


@pytest.mark.parametrize("compression", ["none", "gzip"])
async def test_no_request_is_larger_than_loggly_takes_and_none_is_needlessly_small(
    loggly: Loggly, compression: str
) -> None:
    # Short lines: as events they are several times as long.
    async with opened(loggly, compression=compression) as drain:
        await drain.send([numbered(number * 10_000, 10_000, 20) for number in range(8)])
    assert loggly.refused == 0
    assert numbers_in(b" ".join(event.text for event in loggly.events)) == list(range(80_000))
    sizes = [len(request.body) for request in loggly.sink.requests]
    assert len(sizes) > 1
    assert max(sizes) <= loggly.max_request
    assert min(sizes[:-1]) > loggly.max_request - 1000


async def test_an_event_that_is_too_long_is_cut_between_characters_marked_and_counted(loggly: Loggly) -> None:
    long = "ü".encode() * 600_000
    async with opened(loggly) as drain:
        receipt = await drain.send([batch_of([b"before", long, b"after"])])
    assert receipt is not None
    assert receipt.cut == 1
    assert loggly.refused == 0
    assert [len(event.text) <= loggly.max_event for event in loggly.events] == [True] * 3
    message = loggly.values("json.message")[1]
    assert set(message) == {"ü"}
    assert str(len(long)) in loggly.events[1].text.decode()


async def test_only_ok_is_success(loggly: Loggly) -> None:
    for body in (b"", b"ok", b'{"response":"error"}', b'["ok"]', b'{"response":["ok"]}', OK[:-1]):
        loggly.misbehave([Reply(200, body)])
        error = await failure(loggly)
        assert isinstance(error, RetryLater)
        assert 'answered 200, but not {"response":"ok"}' in str(error)
    loggly.misbehave([Reply(204)])
    assert isinstance(await failure(loggly), RetryLater)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_wrong_token_or_address_waits_for_a_person(loggly: Loggly, status: int) -> None:
    loggly.misbehave([Reply(status)])
    error = await failure(loggly)
    assert isinstance(error, Permanent)
    assert str(error).endswith("; the customer token or the host is wrong")


async def test_another_token_is_refused_and_masked_in_what_loggly_says(loggly: Loggly) -> None:
    assert isinstance(await failure(loggly, token="another-token"), Permanent)
    loggly.misbehave([Reply(403, b"no customer another-token")])
    assert "no customer ****" in str(await failure(loggly, token="another-token"))


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(413), TooLarge),
        (Reply(400), Refused),
        (Reply(429), RetryLater),
        (Reply(500), RetryLater),
        (Reply(503), RetryLater),
        (Reply(504), RetryLater),
        (Reply(405), Permanent),
        (Reply(301, headers={"Location": "https://elsewhere/"}), Permanent),
        (Reply(breaks="close"), NotConnected),
        (Reply(200, OK, breaks="reset"), NotConnected),
        (Reply(200, OK, breaks="stall"), NotConnected),
        (Reply(breaks="silence"), NotConnected),
    ],
)
async def test_each_answer_has_its_meaning(loggly: Loggly, reply: Reply, kind: type[DrainError]) -> None:
    loggly.misbehave([reply])
    timeout = "300ms" if reply.breaks in {"stall", "silence"} else "60s"
    assert type(await failure(loggly, timeout=timeout)) is kind


async def test_loggly_is_asked_again_when_it_says(loggly: Loggly) -> None:
    loggly.misbehave([Reply(429, headers={"Retry-After": "17"})])
    error = await failure(loggly)
    assert isinstance(error, RetryLater)
    assert error.delay == 17.0


async def test_of_several_requests_those_that_arrived_are_not_repeated(loggly: Loggly) -> None:
    async with opened(loggly) as drain:
        loggly.misbehave([Reply(200, OK)], stores=True)
        loggly.misbehave([Reply(503)])
        with pytest.raises(PartialFailure) as caught:
            await drain.send([numbered(number * 10_000, 10_000, 20) for number in range(8)])
    arrived = numbers_in(b" ".join(event.text for event in loggly.events))
    assert 0 < len(arrived) < 80_000
    assert caught.value.again == frozenset(range(len(arrived), 80_000))


async def test_several_requests_may_be_in_flight(loggly: Loggly) -> None:
    async with opened(loggly) as drain:
        assert drain.limits.in_flight == 4
        assert drain.limits.linger == 1.0
    async with opened(loggly, in_flight="2", linger="0") as drain:
        assert (drain.limits.in_flight, drain.limits.linger) == (2, 0.0)


def test_the_address_of_loggly_itself_is_https_and_the_token_is_nowhere_to_be_seen() -> None:
    uri = DrainURI.parse("loggly://s3cret-token@logs-01.loggly.com?tag=web")
    config = loggly_drain.configure(uri)
    assert config.endpoint.shown == "https://logs-01.loggly.com"
    assert config.endpoint.target.reveal() == "/bulk/s3cret-token/tag/web/"
    assert "s3cret" not in f"{config!r} {uri!r}"


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("loggly://logs-01.loggly.com", r"needs the customer token .*write loggly://TOKEN@logs-01\.loggly\.com"),
        ("loggly://@logs-01.loggly.com", "needs the customer token"),
        ("loggly://s3cret:x@logs-01.loggly.com", "needs the customer token"),
        ("loggly://s3cret%2Fx@logs-01.loggly.com", "needs the customer token"),
        ("loggly://s3cret%0A@logs-01.loggly.com", "needs the customer token"),
        ("loggly://s3cret@", "needs a host"),
        ("loggly://s3cret@h/bulk", "needs a host and nothing behind it"),
        ("loggly://s3cret@h?tag=a%20b", "tag='a b' cannot be a tag of Loggly: .*letters, digits"),
        ("loggly://s3cret@h?tag=a,,b", "tag='' cannot be a tag"),
        ("loggly://s3cret@h?tag=ümlaut", "cannot be a tag"),
        ("loggly://s3cret@h?tag=a/b", "cannot be a tag"),
        ("loggly://s3cret@h?tags=a", "no parameter 'tags'; it has: .*tag"),
        ("loggly://s3cret@h?format=raw", "format='raw' is not one of loggly"),
        ("loggly+http://s3cret@h?ca=/x", "no parameter 'ca'"),
        ("loggly://s3cret@h?compression=zstd", "is not one of none, gzip$"),
    ],
)
def test_wrong_settings_are_named_without_the_token(uri: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        loggly_drain.configure(DrainURI.parse(uri))
    assert "s3cret" not in str(caught.value)


def test_tags_are_letters_digits_and_three_marks() -> None:
    uri = DrainURI.parse("loggly://t@h", {"tag": "web, prod-1 ,a.b_C"})
    assert loggly_drain.configure(uri).endpoint.target.reveal() == "/bulk/t/tag/web,prod-1,a.b_C/"


async def test_records_that_loggly_gets_are_valid_json_whatever_they_hold(loggly: Loggly) -> None:
    lines = [
        b"\xff\xfe",
        b'{"a":1}{"b":2}',
        b'{"timestamp":"x","logyard":1}',
        b"\x00\x1b[31m",
        b"",
        b'{"a":1}\n{"b":2}',
    ]
    async with opened(loggly) as drain:
        await drain.send([batch_of(lines)])
    assert len(loggly.events) == len(lines)
    assert all(isinstance(json.loads(event.text), dict) for event in loggly.events)
