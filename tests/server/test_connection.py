"""One pipelined connection: answers in order, and every way it can end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from logyard.errors import ConnectionLost, ServerError
from logyard.server import connection as module
from logyard.server.connection import Connection
from tests.servers.redis import RedisServer


@pytest.fixture
async def connection(valkey: RedisServer) -> AsyncIterator[Connection]:
    opened = await Connection.open("the server", path=str(valkey.socket))
    yield opened
    opened.close()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Listen = Callable[[Serve], Awaitable[Connection]]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """Connects to a server of the test's own."""
    servers: list[asyncio.Server] = []
    opened: list[Connection] = []

    async def start(serve: Serve) -> Connection:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve(reader, writer)
            finally:
                writer.close()

        servers.append(await asyncio.start_server(handle, "127.0.0.1", 0))
        opened.append(await Connection.open("a fake", address=servers[-1].sockets[0].getsockname()))
        return opened[-1]

    yield start
    for one in opened:
        one.close()
    for server in servers:
        server.close()
        await server.wait_closed()


async def test_commands_in_flight_are_answered_in_order(connection: Connection) -> None:
    answers = await asyncio.gather(*(connection.call("ECHO", str(number)) for number in range(500)))
    assert answers == [str(number).encode() for number in range(500)]


async def test_a_refused_command_fails_alone(connection: Connection) -> None:
    good, bad, after = connection.calls([("PING",), ("NOSUCHCOMMAND",), ("PING",)])
    assert await good == b"PONG"
    with pytest.raises(ServerError, match="unknown command") as caught:
        await bad
    assert not isinstance(caught.value, ConnectionLost)
    assert await after == b"PONG"


async def test_a_cancelled_command_does_not_shift_the_answers(connection: Connection) -> None:
    first, cancelled, third = (connection.call("ECHO", word) for word in ("one", "two", "three"))
    cancelled.cancel()
    assert (await first, await third) == (b"one", b"three")


async def test_a_small_write_is_carried_out_even_when_memory_is_used_up(make_redis: Callable[..., RedisServer]) -> None:
    from logyard.server import connect

    full = make_redis()
    async with connect(full.url) as server:
        full.call("CONFIG", "SET", "maxmemory", 1)
        link = server.link("global")
        with pytest.raises(ServerError, match="OOM"):
            await link.call("HSET", "h", "a", 1)
        assert await link.call_even_full("HSET", "h", "a", 1) == 1


async def test_when_the_server_closes_everything_in_flight_fails(listen: Listen) -> None:
    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"+OK\r\n")

    fake = await listen(answer_once)
    first, second = fake.call("A"), fake.call("B")
    assert await first == b"OK"
    with pytest.raises(ConnectionLost, match="lost a fake"):
        await second
    with pytest.raises(ConnectionLost):
        await fake.call("C")
    assert isinstance(fake.lost, ConnectionLost)


async def test_a_server_that_speaks_something_else_is_told(listen: Listen) -> None:
    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    fake = await listen(http)
    with pytest.raises(ConnectionLost, match="does not speak Redis's protocol"):
        await fake.call("PING")


async def test_a_server_that_never_answers_is_given_up(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_WITHIN", 0.05)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    fake = await listen(hang)
    with pytest.raises(ConnectionLost, match="has not answered for"):
        await fake.call("PING")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("MOVED 1 127.0.0.1:1", "MOVED"),
        ("READONLY no", "READONLY"),
        ("LOADING wait", "is loading what it holds"),
        ("CLUSTERDOWN no", "CLUSTERDOWN"),
    ],
)
async def test_a_server_that_is_not_the_one_any_more_counts_as_lost(listen: Listen, answer: str, told: str) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(f"-{answer}\r\n".encode())
        await reader.read()

    with pytest.raises(ConnectionLost, match=told):
        await (await listen(refuse)).call("SET", "a", 1)


async def test_what_cannot_be_reached_says_why() -> None:
    with pytest.raises(ConnectionLost, match="cannot reach nowhere"):
        await Connection.open("nowhere", path="/nonexistent/socket")
    with pytest.raises(ConnectionLost, match="cannot reach nowhere"):
        await Connection.open("nowhere", address=("127.0.0.1", 1))
