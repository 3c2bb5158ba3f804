"""What a cluster's node may take: seconds for a connection, most of the drain's limit for an answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from logyard.drain import Context, DrainURI
from logyard.errors import NotConnected
from logyard_drains import elasticsearch as drain_module
from tests.drains.records import numbered
from tests.servers.http_sink import HttpSink, Reply, Request

CONTEXT = Context(name="es", node="router1")
PRODUCT = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}
EMPTY = b'{"error":{"type":"action_request_validation_exception","reason":"Validation Failed"},"status":400}'
STORED = b'{"errors":false,"items":[{"create":{"status":201}}]}'


def answer(request: Request) -> Reply:
    return Reply(400, EMPTY, PRODUCT) if request.body == b"\n" else Reply(200, STORED, PRODUCT)


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    """A node that takes one document at a time."""
    made = HttpSink(answer)
    made.up()
    yield made
    made.down()


@pytest.fixture
def unreachable() -> Iterator[int]:
    """A port that takes no connection and refuses none, as behind a firewall: its queue is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        for one in (first, second):
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield port


def configured(hosts: str, **params: str) -> drain_module.Config:
    return drain_module.configure(DrainURI.parse(f"elasticsearch://{hosts}/", {"index": "logs", **params}))


async def test_an_answer_may_take_nearly_as_long_as_the_drain_allows(sink: HttpSink) -> None:
    config = configured(f"127.0.0.1:{sink.port}", timeout="2s")
    async with drain_module.open(config, CONTEXT) as drain:
        sink.answer = lambda _: Reply(breaks="silence")
        with pytest.raises(NotConnected, match=rf"127\.0\.0\.1:{sink.port}: no answer in 1\.8 s"):
            await drain.send([numbered(0, 1)])


async def test_a_node_that_takes_no_connection_is_passed_over(
    sink: HttpSink, unreachable: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logyard_drains.stream_socket.CONNECT_TIMEOUT", 0.3)
    config = configured(f"127.0.0.1:{unreachable},127.0.0.1:{sink.port}")
    async with drain_module.open(config, CONTEXT) as drain:
        for number in range(3):
            await drain.send([numbered(number, 1)])
    assert len([request for request in sink.requests if request.body != b"\n"]) == 3


async def test_when_no_node_takes_a_connection_it_is_told(unreachable: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logyard_drains.stream_socket.CONNECT_TIMEOUT", 0.3)
    with pytest.raises(NotConnected, match=rf"127\.0\.0\.1:{unreachable}: no connection in 0\.3 s"):
        async with drain_module.open(configured(f"127.0.0.1:{unreachable}"), CONTEXT):
            pass


async def test_a_node_that_answers_is_not_tried_each_time(sink: HttpSink) -> None:
    async with drain_module.open(configured(f"127.0.0.1:{sink.port}"), CONTEXT) as drain:
        before = sink.connections
        for number in range(10):
            await drain.send([numbered(number, 1)])
    assert sink.connections == before <= 2
