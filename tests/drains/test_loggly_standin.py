"""The stand-in for Loggly does what Loggly documents; asked by clients that share nothing with ours."""

from __future__ import annotations

import email.message
import gzip
import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.servers.http_sink import Reply
from tests.servers.loggly import Loggly


@pytest.fixture
def loggly() -> Iterator[Loggly]:
    server = Loggly()
    server.up()
    yield server
    server.down()


def post(
    loggly: Loggly, body: bytes, path: str | None = None, method: str = "POST", **headers: str
) -> tuple[int, bytes, email.message.Message]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{loggly.port}{path or f'/bulk/{loggly.token}/tag/web,prod/'}",
        data=body,
        method=method,
        headers={"content-type": "text/plain", **{name.replace("_", "-"): value for name, value in headers.items()}},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def test_lines_become_events_with_the_tags_of_the_path(loggly: Loggly) -> None:
    status, answer, _ = post(loggly, b'Hello\n{"instance_index": 2, "user": {"id": 7}}\n')
    assert status == 200
    assert json.loads(answer) == {"response": "ok"}
    assert [(event.text, event.tags, event.fields) for event in loggly.events] == [
        (b"Hello", ("web", "prod"), None),
        (b'{"instance_index": 2, "user": {"id": 7}}', ("web", "prod"), {"instance_index": 2, "user": {"id": 7}}),
    ]
    assert loggly.values("json.instance_index") == [2]
    assert loggly.values("json.user.id") == [7]
    assert loggly.values("json.absent") == []


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed (Debian: apt-get install curl)")
def test_curl_sends_as_loggly_documents_it(loggly: Loggly) -> None:
    url = f"http://127.0.0.1:{loggly.port}/bulk/{loggly.token}/tag/bulk/"
    for arguments in (["-d", "Hello\nWorld"], ["-H", "Transfer-Encoding: chunked", "-d", "in\nchunks"]):
        done = subprocess.run(
            ["curl", "--silent", "--noproxy", "*", "-H", "content-type:text/plain", *arguments, url],
            capture_output=True,
            check=True,
            timeout=20,
        )
        assert json.loads(done.stdout) == {"response": "ok"}
    assert [event.text for event in loggly.events] == [b"Hello", b"World", b"in", b"chunks"]
    assert {event.tags for event in loggly.events} == {("bulk",)}


def test_gzip_is_understood(loggly: Loggly) -> None:
    assert post(loggly, gzip.compress(b'{"a":1}\n{"a":2}'), content_encoding="gzip")[0] == 200
    assert loggly.values("json.a") == [1, 2]


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/bulk/another-token/tag/web/", "POST", 403),
        ("/inputs/x/tag/web/", "POST", 404),
        ("/", "POST", 404),
        ("", "PUT", 405),
        ("/bulk/{token}/tag/a%20b/", "POST", 400),
        ("/bulk/{token}/tag/a,,b/", "POST", 400),
    ],
)
def test_what_is_wrong_is_refused_and_not_stored(loggly: Loggly, path: str, method: str, status: int) -> None:
    assert post(loggly, b"x", path.replace("{token}", loggly.token), method)[0] == status
    assert loggly.events == []
    assert loggly.refused == 1


def test_tags_may_be_left_out(loggly: Loggly) -> None:
    assert post(loggly, b"x", f"/bulk/{loggly.token}/")[0] == 200
    assert loggly.events[0].tags == ()


def test_limits_are_kept_to_the_byte(loggly: Loggly) -> None:
    loggly.max_request, loggly.max_event = 100, 60
    assert post(loggly, b"x" * 60)[0] == 200
    assert post(loggly, b"x" * 61)[0] == 413
    assert post(loggly, b"x" * 50 + b"\n" + b"y" * 49)[0] == 200
    assert post(loggly, b"x" * 50 + b"\n" + b"y" * 50)[0] == 413
    assert [len(event.text) for event in loggly.events] == [60, 50, 49]
    # What is compressed counts with the size that it has without.
    assert post(loggly, gzip.compress(b"x\n" * 60), content_encoding="gzip")[0] == 413


def test_it_misbehaves_as_told_and_then_no_more(loggly: Loggly) -> None:
    loggly.misbehave([Reply(429, b"slow down", {"Retry-After": "7"}), Reply(503)])
    loggly.misbehave([Reply(200, b'{"response":"error"}')], stores=True)
    status, body, headers = post(loggly, b"one")
    assert (status, body, headers["Retry-After"]) == (429, b"slow down", "7")
    assert post(loggly, b"two")[0] == 503
    assert post(loggly, b"three")[1] == b'{"response":"error"}'
    assert post(loggly, b"four")[0] == 200
    assert [event.text for event in loggly.events] == [b"three", b"four"]


def raw(loggly: Loggly, seconds: float = 20.0) -> bytes:
    """Everything that comes back to a hand-written request, until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", loggly.port), timeout=seconds) as connection:
        connection.sendall(f"POST /bulk/{loggly.token}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc".encode())
        received = b""
        while data := connection.recv(65536):
            received += data
        return received


def test_an_answer_can_break_off_after_the_events_were_stored(loggly: Loggly) -> None:
    loggly.misbehave([Reply(200, b'{"response" : "ok"}', breaks="reset")], stores=True)
    with pytest.raises(ConnectionResetError):
        raw(loggly)
    assert [event.text for event in loggly.events] == [b"abc"]


def test_an_answer_can_stall_or_never_come(loggly: Loggly) -> None:
    loggly.misbehave([Reply(200, b"0123456789", breaks="stall"), Reply(200, breaks="silence")])
    for _ in range(2):
        with pytest.raises(TimeoutError):
            raw(loggly, 0.2)
    loggly.misbehave([Reply(breaks="close")])
    assert raw(loggly) == b""
    assert loggly.events == []


def test_it_goes_and_comes_back_at_the_same_port(loggly: Loggly) -> None:
    loggly.down()
    with pytest.raises(OSError, match="refused"):
        raw(loggly)
    loggly.up()
    assert post(loggly, b"x")[0] == 200
