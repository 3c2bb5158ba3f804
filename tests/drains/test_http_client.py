"""Requests, and every way in which an answer does not come."""

from __future__ import annotations

import asyncio
import logging
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from logyard.drain import DrainURI
from logyard.errors import DrainError, NotConnected, Permanent, UsageError
from logyard.secret import Secret
from logyard_drains.http_client import Endpoint, HttpClient, open_endpoint
from tests.drains.sinks import TcpSink
from tests.servers.certificates import Certificates, KeyPair
from tests.servers.http_sink import HttpSink, Reply
from tests.servers.processes import eventually, free_port
from tests.servers.syslog_receiver import BlackHole

SECRET = "a-secret-of-the-tests"


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    made = HttpSink()
    made.up()
    yield made
    made.down()


def endpoint(sink: HttpSink | BlackHole | TcpSink, **changes: object) -> Endpoint:
    return replace(Endpoint("http", "127.0.0.1", sink.port), **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def client(sink: HttpSink | BlackHole | TcpSink, **changes: object) -> AsyncIterator[HttpClient]:
    async with open_endpoint(endpoint(sink, **changes)) as opened:
        yield opened


async def failure(sink: HttpSink | BlackHole | TcpSink, **changes: object) -> DrainError:
    async with client(sink, **changes) as opened:
        with pytest.raises(DrainError) as caught:
            await opened.send([b"x"])
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r}"
    return caught.value


async def test_a_request_is_as_it_should_be(sink: HttpSink) -> None:
    uri = DrainURI.parse(f"http://u:p@127.0.0.1:{sink.port}/?header.X-A=b&header.user-agent=me")
    made = Endpoint.of(uri, tls=False, path="/in put/ü%", query={"a b": "c&d", "e": ""}, content_type="text/plain")
    async with open_endpoint(made) as opened:
        answer = await opened.send([b"body"])
    assert answer.status == 200
    (request,) = sink.requests
    assert (request.method, request.target, request.body) == ("POST", "/in%20put/%C3%BC%25?a%20b=c%26d&e=", b"body")
    assert request.headers == {
        "host": f"127.0.0.1:{sink.port}", "user-agent": "me", "content-type": "text/plain", "x-a": "b",
        "authorization": "Basic dTpw", "content-length": "4", "accept": "*/*", "accept-encoding": "identity",
    }  # fmt: skip


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
async def test_large_bodies_arrive_whole(sink: HttpSink, compression: str) -> None:
    body = b"".join(b"%d," % number for number in range(700_000))
    async with client(sink, compression=compression) as opened:
        await opened.send([body])
    (request,) = sink.requests
    assert request.body == body
    assert request.headers.get("content-encoding", "none") == compression
    assert (request.sent < len(body) // 2) == (compression != "none")


async def test_connections_are_kept_and_not_more_than_allowed(sink: HttpSink) -> None:
    async with client(sink, in_flight=3) as opened:
        await opened.send([b"0"])
        await opened.send([b"1"])
        assert sink.connections == 2, "one tries the address, one is kept"
        sink.answer = lambda _: Reply(delay=0.01)
        await asyncio.gather(*(opened.send([b"x"]) for _ in range(20)))
        assert sink.connections <= 4


async def noticed(opened: HttpClient) -> None:
    """Wait until the client's kept connections have told it that they are over."""
    connector = opened._session.connector
    assert connector is not None

    def gone() -> bool:
        return not any(protocol.is_connected() for kept in connector._conns.values() for protocol, _ in kept)

    await eventually(gone, "the end of the connections")


async def test_a_closed_connection_is_replaced(sink: HttpSink) -> None:
    async with client(sink) as opened:
        await opened.send([b"0"])
        sink.down()
        sink.up()
        await noticed(opened)
        await opened.send([b"1"])
    assert sink.body == b"01"


async def test_the_environments_proxies_are_not_used(sink: HttpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with client(sink) as opened:
        await opened.send([b"x"])
    assert sink.body == b"x"


async def test_cookies_are_not_kept(sink: HttpSink) -> None:
    sink.answer = lambda _: Reply(headers={"Set-Cookie": "a=b"})
    async with client(sink) as opened:
        await opened.send([b"x"])
        await opened.send([b"y"])
    assert "cookie" not in sink.requests[1].headers


async def test_a_redirect_is_not_followed(sink: HttpSink) -> None:
    sink.answer = lambda _: Reply(307, headers={"Location": f"http://127.0.0.1:{sink.port}/other"})
    error = await failure(sink)
    assert isinstance(error, Permanent)
    assert len(sink.requests) == 1


async def test_codes_of_success_can_be_chosen(sink: HttpSink) -> None:
    from logyard_drains.http_answer import StatusCodes

    sink.answer = lambda _: Reply(409)
    async with client(sink, success=StatusCodes.parse("200-299,409")) as opened:
        assert (await opened.send([b"x"])).status == 409


async def test_a_server_that_is_away_is_told_with_its_address() -> None:
    port = free_port()
    with pytest.raises(NotConnected, match=rf"cannot connect to 127\.0\.0\.1:{port}: .*Connection refused"):
        async with open_endpoint(Endpoint("http", "127.0.0.1", port)):
            pass


async def test_a_server_that_goes_away_is_told_with_its_address(sink: HttpSink) -> None:
    async with client(sink) as opened:
        sink.down()
        with pytest.raises(NotConnected, match=rf"http://127\.0\.0\.1:{sink.port}: Connection refused"):
            await opened.send([b"x"])


async def test_a_name_that_does_not_exist_is_told() -> None:
    with pytest.raises(NotConnected, match=r"nowhere\.invalid: "):
        async with open_endpoint(Endpoint("http", "nowhere.invalid")):
            pass


async def test_a_server_that_never_answers_is_given_up(sink: HttpSink) -> None:
    sink.answer = lambda _: Reply(breaks="silence")
    error = await failure(sink, timeout=2.0)
    assert isinstance(error, NotConnected)
    assert str(error) == f"http://127.0.0.1:{sink.port}: no answer in 2 s"


async def test_a_server_that_takes_nothing_is_given_up(black_hole: BlackHole) -> None:
    async with client(black_hole, timeout=2.0) as opened:
        with pytest.raises(NotConnected, match=r"no answer in 2 s"):
            await opened.send([b"x" * 10_000_000])
        sockets = list(opened._sockets)
        assert sockets
    # What it has not taken keeps no connection open: each attempt would leave another one behind.
    assert all(sock.fileno() < 0 for sock in sockets)


async def test_half_an_answer_is_no_answer(sink: HttpSink) -> None:
    sink.answer = lambda _: Reply(200, b'{"response":"ok"}', breaks="stall")
    assert isinstance(await failure(sink, timeout=0.3), NotConnected)


async def test_a_reset_in_the_middle_of_an_answer_is_no_answer(sink: HttpSink) -> None:
    sink.answer = lambda _: Reply(200, b'{"response":"ok"}', breaks="reset")
    error = await failure(sink)
    assert isinstance(error, NotConnected)


async def test_a_connection_closed_without_an_answer_is_told(sink: HttpSink) -> None:
    sink.answer = lambda _: Reply(breaks="close")
    assert "without an answer" in str(await failure(sink))


async def test_what_is_no_http_is_told() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello, this is SMTP\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, open_endpoint(Endpoint("http", "127.0.0.1", port)) as opened:
        with pytest.raises(NotConnected, match="what came is no answer of HTTP"):
            await opened.send([b"x"])


async def test_a_long_answer_is_not_read_to_its_end_and_costs_its_connection(sink: HttpSink) -> None:
    sink.answer = lambda _: Reply(500, b"all work and no play " * 100_000)
    error = await failure(sink)
    assert len(str(error)) < 300
    sink.answer = lambda _: Reply(200, b"x" * 1_000_000)
    async with client(sink) as opened:
        assert len((await opened.send([b"x"])).text) == 64 * 1024
        await opened.send([b"y"])
        assert sink.requests[-1].connection != sink.requests[-2].connection


async def test_what_a_server_repeats_of_our_secrets_is_masked(sink: HttpSink, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    uri = DrainURI.parse(f"http://user:{SECRET}1@127.0.0.1:{sink.port}?header.X-Key={SECRET}2")
    made = Endpoint.of(uri, tls=False, path=f"/{SECRET}3", query={"key": f"{SECRET}4"}, content_type="text/plain")
    sink.answer = lambda request: Reply(500, f"{request.target} {dict(request.headers)}".encode())
    async with open_endpoint(made) as opened:
        with pytest.raises(DrainError) as caught:
            await opened.send([b"x"])
        sink.answer = lambda _: Reply(500, f"the password is {SECRET}1, the parameter {SECRET}4".encode())
        with pytest.raises(DrainError) as second:
            await opened.send([b"x"])
    for shown in (str(caught.value), repr(caught.value), str(second.value), repr(made), repr(opened), caplog.text):
        assert SECRET not in shown
        assert made.headers["Authorization"].reveal().split(" ")[1] not in shown
    assert "the password is ****, the parameter ****" in str(second.value)


async def test_an_unexpected_failure_of_the_client_tells_no_secret(
    sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client(sink, target=Secret(f"/{SECRET}")) as opened:

        def explode(*args: object, **kwargs: object) -> None:
            raise ValueError(f"cannot use {args}")

        monkeypatch.setattr(opened._session, "request", explode)
        with pytest.raises(NotConnected, match="ValueError: cannot use") as caught:
            await opened.send([b"x"])
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


# TLS


@asynccontextmanager
async def tls_server(pair: KeyPair, clients: Path | None = None) -> AsyncIterator[HttpSink]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    sink = HttpSink(tls=context)
    sink.up()
    try:
        yield sink
    finally:
        await asyncio.to_thread(sink.down)


def https(sink: HttpSink, host: str = "localhost", **params: object) -> Endpoint:
    uri = DrainURI.parse(f"https://{host}:{sink.port}", {name: str(value) for name, value in params.items()})
    return Endpoint.of(uri, tls=True, content_type="text/plain")


async def test_certificates_are_checked_both_ways(certificates: Certificates) -> None:
    pair = certificates.client
    async with tls_server(certificates.server, certificates.ca) as sink:
        for host in ("localhost", "127.0.0.1"):
            async with open_endpoint(https(sink, host, ca=certificates.ca, cert=pair.cert, key=pair.key)) as opened:
                await opened.send([b"secret" * 100_000])
        assert sink.body == b"secret" * 200_000


async def refused(made: Endpoint) -> str:
    # A server that only hangs up, instead of sending an alert, is tried again.
    with pytest.raises((Permanent, NotConnected)) as caught:
        async with open_endpoint(made) as opened:
            await opened.send([b"x"])
    return str(caught.value)


@pytest.mark.usefixtures("patient_with_refusals")
async def test_a_wrong_certificate_is_told_with_what_to_set(certificates: Certificates) -> None:
    async with tls_server(certificates.server, certificates.ca) as sink:
        assert "set ca=" in await refused(https(sink))
        assert "set ca=" in await refused(https(sink, ca=certificates.other_ca))
        assert "cert= and key=" in await refused(https(sink, ca=certificates.ca))
        foreign = certificates.foreign_client
        assert "cert= and key=" in await refused(https(sink, ca=certificates.ca, cert=foreign.cert, key=foreign.key))
        assert sink.requests == []
    async with tls_server(certificates.wrong_host) as sink:
        assert "set servername=" in await refused(https(sink, ca=certificates.ca))
        async with open_endpoint(https(sink, ca=certificates.ca, servername="other.example")) as opened:
            await opened.send([b"x"])
    async with tls_server(certificates.expired) as sink:
        assert "has expired" in await refused(https(sink, ca=certificates.ca))


async def test_a_certificate_that_goes_bad_while_sending_is_told_as_well(certificates: Certificates) -> None:
    async with tls_server(certificates.server) as sink, open_endpoint(https(sink, ca=certificates.ca)) as opened:
        await opened.send([b"x"])
        sink.down()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates.wrong_host.cert, certificates.wrong_host.key)
        sink._tls = context
        sink.up()
        await noticed(opened)
        with pytest.raises(Permanent, match="is not for 'localhost': set servername="):
            await opened.send([b"y"])


async def test_certificates_are_read_again_when_they_change(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logyard_drains.http_client._LOOK_AT_FILES", 0.0)
    ca = tmp_path / "ca.crt"
    shutil.copy(certificates.ca, ca)
    async with tls_server(certificates.server) as sink, open_endpoint(https(sink, ca=ca)) as opened:
        await opened.send([b"x"])
        shutil.copy(certificates.other_ca, ca)
        with pytest.raises(Permanent, match="set ca="):
            await opened.send([b"y"])
        shutil.copy(certificates.ca, ca)
        await opened.send([b"z"])
        assert sink.body == b"xz"


async def test_a_server_without_tls_is_told() -> None:
    async def complain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(complain, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(Permanent, match="does not speak TLS"):
            async with open_endpoint(Endpoint("https", "127.0.0.1", port)):
                pass


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (Endpoint("http", "h"), "http://h"),
        (Endpoint("https", "h", 443), "https://h"),
        (Endpoint("https", "h", 80), "https://h:80"),
        (Endpoint("http", "::1"), "http://[::1]"),
        (Endpoint("http", "::1", 8080, Secret("/token")), "http://[::1]:8080"),
    ],
)
def test_a_server_is_shown_without_its_path(made: Endpoint, shown: str) -> None:
    assert made.shown == shown


async def test_an_ipv6_address_can_be_sent_to() -> None:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):  # of the connection that only tries the address
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    try:
        server = await asyncio.start_server(take, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with server, open_endpoint(Endpoint("http", "::1", server.sockets[0].getsockname()[1])) as opened:
        assert (await opened.send([b""])).status == 204


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("https://", "needs a host"),
        ("https://b\u00fccher.example", r"as name servers know it \(xn--"),
        ("https://h?timeout=0", "more than nothing"),
        ("https://h?timeout=soon", "is not a duration"),
        ("https://h?compression=brotli", "is not one of none, gzip, zstd"),
        ("https://h?in_flight=0", "at least 1"),
        ("https://h?in_flight=1000", "at most 64"),
        ("https://h?ca=ours.crt", "absolute path"),
        ("https://h?key=/k", "key= is given without cert="),
        ("https://u:p@h?header.authorization=x", "give one of them"),
    ],
)
def test_wrong_settings_are_named(uri: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        Endpoint.of(DrainURI.parse(uri), tls=True, content_type="text/plain")
