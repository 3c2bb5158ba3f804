"""``http://`` and ``https://``: bodies, limits, and what becomes of records when some requests fail."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest

from logyard.batch import Selection
from logyard.drain import Context, Drain, DrainURI
from logyard.errors import NotConnected, PartialFailure, Permanent, Refused, RetryLater, TooLarge, UsageError
from logyard.formats import make_format
from logyard_drains import http as http_drain
from logyard_drains.http_drain import REFUSED_IN_A_ROW
from tests.drains.records import batch_of, numbered, numbers_in
from tests.servers.http_sink import HttpSink, Reply, Request

CONTEXT = Context(name="hook", node="router1")


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    made = HttpSink()
    made.up()
    yield made
    made.down()


@asynccontextmanager
async def opened(sink: HttpSink, path: str = "/in", **params: str) -> AsyncIterator[Drain]:
    config = http_drain.configure(DrainURI.parse(f"http://127.0.0.1:{sink.port}{path}", params))
    async with http_drain.open(config, CONTEXT) as drain:
        yield drain


def only(accepts: Callable[[Request], bool], reply: Reply) -> Callable[[Request], Reply]:
    return lambda request: Reply(204) if accepts(request) else reply


async def test_lines_are_json_objects_with_a_newline_behind_each(sink: HttpSink) -> None:
    selections = [numbered(0, 3), numbered(3, 4).part(1, 3)]
    async with opened(sink) as drain:
        await drain.send(selections)
    (request,) = sink.requests
    assert request.body == b"".join(make_format("json").block(selection) for selection in selections)
    assert (request.method, request.target) == ("POST", "/in")
    assert request.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["text"][:8] for line in request.body.splitlines()] == [
        "record-0", "record-1", "record-2", "record-4", "record-5",
    ]  # fmt: skip


async def test_an_array_is_one_json_value(sink: HttpSink) -> None:
    async with opened(sink, body="array", compression="gzip") as drain:
        await drain.send([numbered(0, 3), numbered(3, 2)])
    (request,) = sink.requests
    assert numbers_in(request.body) == [0, 1, 2, 3, 4]
    assert len(json.loads(request.body)) == 5
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-encoding"] == "gzip"


async def test_single_is_a_request_for_each_record_in_order(sink: HttpSink) -> None:
    async with opened(sink, body="single") as drain:
        assert drain.limits.in_flight == 1
        await drain.send([numbered(0, 30), batch_of([b"with\nnewline"])])
    assert sink.connections == 2
    assert [json.loads(request.body)["text"][:9] for request in sink.requests[:30]] == [
        f"record-{number}-"[:9] for number in range(30)
    ]
    assert json.loads(sink.requests[30].body)["text"] == "with\nnewline"
    assert sink.requests[0].headers["content-type"] == "application/json"


async def test_singles_overtake_each_other_only_when_that_is_asked_for(sink: HttpSink) -> None:
    sink.answer = lambda _: Reply(delay=0.005)
    async with opened(sink, body="single", in_flight="8", format="raw") as drain:
        await drain.send([numbered(0, 64)])
    assert sorted(numbers_in(sink.body)) == list(range(64))
    assert 2 < sink.connections <= 9


async def test_raw_records_are_sent_as_they_are_and_newlines_in_them_escaped(sink: HttpSink) -> None:
    async with opened(sink, format="raw", method="PUT", content_type="text/csv") as drain:
        await drain.send([batch_of([b"a,\xff,b", b""]), batch_of([b"two\nlines"])])
    (request,) = sink.requests
    assert request.body == b"a,\xff,b\n\ntwo\\nlines\n"
    assert (request.method, request.headers["content-type"]) == ("PUT", "text/csv")


@pytest.mark.parametrize("body", ["ndjson", "array"])
async def test_no_body_is_larger_than_allowed_and_none_has_more_records(sink: HttpSink, body: str) -> None:
    async with opened(sink, body=body, max_bytes="4096", max_records="10") as drain:
        await drain.send([numbered(0, 57), numbered(57, 3, 3000), batch_of([b"x" * 5000])])
    assert numbers_in(sink.body) == list(range(60))
    assert len(sink.requests) >= 7
    for request in sink.requests[:-1]:
        assert len(request.body) <= 4096
        assert len(numbers_in(request.body)) <= 10
    assert sink.requests[-1].body.count(b"x" * 5000) == 1


async def test_what_arrived_before_a_failure_is_not_sent_again(sink: HttpSink) -> None:
    sink.answer = only(lambda request: 25 not in numbers_in(request.body), Reply(503, headers={"Retry-After": "3"}))
    async with opened(sink, max_records="10", format="raw") as drain:
        with pytest.raises(PartialFailure, match="503 Service Unavailable") as caught:
            await drain.send([numbered(0, 50)])
        assert caught.value.refused == {}
        assert caught.value.again == frozenset(range(20, 50))
        assert len(sink.requests) == 3, "after a failure nothing more is tried"
        with pytest.raises(RetryLater) as later:
            await drain.send([numbered(20, 30)])
    assert later.value.delay == 3.0


@pytest.mark.parametrize("in_flight", ["1", "4"])
async def test_of_single_records_the_refused_ones_alone_are_dead(sink: HttpSink, in_flight: str) -> None:
    bad = {3, 7}
    sink.answer = only(lambda request: not bad & set(numbers_in(request.body)), Reply(400, b"no such field"))
    async with opened(sink, body="single", format="raw", in_flight=in_flight) as drain:
        with pytest.raises(PartialFailure) as caught:
            await drain.send([numbered(0, 10)])
    assert set(caught.value.refused) == bad
    assert caught.value.refused[3] == f"http://127.0.0.1:{sink.port} answered 400 Bad Request: no such field"
    assert caught.value.again == frozenset()
    assert set(numbers_in(sink.body)) == set(range(10))


async def test_a_broken_connection_repeats_only_what_was_not_answered(sink: HttpSink) -> None:
    sink.answer = lambda request: Reply(breaks="reset", body=b"xx") if 4 in numbers_in(request.body) else Reply()
    async with opened(sink, body="single", format="raw") as drain:
        with pytest.raises(PartialFailure) as caught:
            await drain.send([numbered(0, 10)])
        assert caught.value.again == frozenset(range(4, 10))
        with pytest.raises(NotConnected):
            await drain.send([numbered(4, 6)])


@pytest.mark.parametrize(("status", "kind"), [(400, Refused), (413, TooLarge), (401, Permanent), (500, RetryLater)])
async def test_a_whole_batch_that_is_not_taken_is_told_as_such(
    sink: HttpSink, status: int, kind: type[Exception]
) -> None:
    sink.answer = lambda _: Reply(status)
    async with opened(sink) as drain:
        with pytest.raises(kind):
            await drain.send([numbered(0, 10)])


async def test_an_endpoint_that_refuses_every_record_waits_for_a_person(sink: HttpSink) -> None:
    sink.answer = lambda _: Reply(400, b"expected an array")
    async with opened(sink, format="raw") as drain:
        for number in range(REFUSED_IN_A_ROW):
            with pytest.raises(PartialFailure):
                await drain.send([numbered(number, 1)])
        with pytest.raises(Permanent, match="expected an array; it refused 100 records one after the other: check"):
            await drain.send([numbered(100, 1)])


async def test_records_refused_among_others_are_only_those(sink: HttpSink) -> None:
    sink.answer = only(lambda request: numbers_in(request.body)[0] % 2 == 0, Reply(422))
    async with opened(sink, format="raw") as drain:
        for number in range(3 * REFUSED_IN_A_ROW):
            if number % 2:
                with pytest.raises(PartialFailure):
                    await drain.send([numbered(number, 1)])
            else:
                await drain.send([numbered(number, 1)])


async def test_the_endpoints_own_parameters_are_sent_and_no_others(sink: HttpSink) -> None:
    async with opened(sink, "/a%20b?query.source=web&query.x=1%262", timeout="10s") as drain:
        await drain.send([numbered(0, 1)])
    assert sink.requests[0].target == "/a%20b?source=web&x=1%262"


async def test_the_text_asked_for_fits_the_bodies(sink: HttpSink) -> None:
    async with opened(sink, format="raw", max_bytes="1MiB", in_flight="7", linger="50ms") as drain:
        assert (drain.limits.max_bytes, drain.limits.in_flight, drain.limits.linger) == (1 << 20, 7, 0.05)
    async with opened(sink, max_bytes="1MiB", timeout="5s") as drain:
        assert drain.limits.max_bytes == 1 << 19
        assert drain.limits.timeout > 5


async def test_a_send_does_not_hold_up_the_event_loop_while_it_compresses(sink: HttpSink) -> None:
    # 8 MiB by zstd and gzip: whoever compresses in the loop's own thread is told here by the thread it ran in.
    import threading

    from logyard_drains import http_compression

    threads: list[threading.Thread] = []
    compress = http_compression.compress

    def noting(pieces: Sequence[bytes], how: http_compression.Compression) -> Sequence[bytes]:
        threads.append(threading.current_thread())
        return compress(pieces, how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_compression, "compress", noting)
        async with opened(sink, compression="gzip", format="raw", max_bytes="16MiB") as drain:
            await drain.send([batch_of([b"x" * (1 << 20)] * 8)])
    assert threads
    assert threading.current_thread() not in threads


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("http://", "needs a host"),
        ("https://h?body=lines", "is not one of ndjson, array, single"),
        ("https://h?method=GET", "is not one of POST, PUT"),
        ("https://h?body=array&format=raw", "body=array needs records that are JSON: leave out format=raw"),
        ("https://h?format=xml", "'xml' is not a format"),
        ("https://h?success=ok", "write status codes and ranges"),
        ("https://h?max_bytes=10", "at least 1024"),
        ("https://h?max_records=0", "at least 1"),
        ("https://h?content_type=a%0D%0Ab", "one line of ASCII text"),
        ("https://h?header.=x", r"header\.= needs a name: write header\.NAME=value"),
        ("https://h?query.=x", r"query\.= needs a name"),
        ("https://h?token=x", r"no parameter 'token'; .*The endpoint's own are written query\.token="),
        ("http://h?ca=/x", "no parameter 'ca'"),
        ("https://h?header.X=1&source=x", r"The endpoint's own are written query\.source="),
        ("https://u:p@h?bearer=t", "not both"),
    ],
)
def test_wrong_settings_are_named(uri: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        http_drain.configure(DrainURI.parse(uri))


def test_checking_an_address_loads_no_client() -> None:
    code = (
        "import sys; from logyard.drain import DrainURI; from logyard.registry import configure;"
        "configure(DrainURI.parse('https://h/?compression=zstd')); configure(DrainURI.parse('loggly://t@h'));"
        "sys.exit(' '.join({'aiohttp', 'multidict', 'yarl', 'isal'} & sys.modules.keys()) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)


def test_secrets_are_in_no_representation() -> None:
    uri = "https://u:s3cret@h/hooks/s3cret?header.X=s3cret&query.key=s3cret"
    assert "s3cret" not in repr(http_drain.configure(DrainURI.parse(uri)))
    assert "s3cret" not in repr(http_drain.configure(DrainURI.parse("https://h?bearer=s3cret")))


async def test_many_records_cost_no_more_requests_than_needed(sink: HttpSink) -> None:
    selections: list[Selection] = [numbered(number * 1000, 1000, 200) for number in range(4)]
    async with opened(sink, format="raw") as drain:
        await drain.send(selections)
    assert len(sink.requests) == 1
    assert numbers_in(sink.body) == list(range(4000))
