"""What the benchmarks measure with is right itself."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import subprocess
import time
from pathlib import Path

import pytest

from bench.lines import make_lines, write_lines
from bench.programs import BenchError, Program, Sink, build, wait_until
from bench.report import Figure

pytestmark = pytest.mark.needs("gcc", "linux")


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    build("sink", folder)
    build("writer", folder)
    return folder


def frames(*texts: bytes) -> bytes:
    return b"".join(b"%d %s" % (len(text), text) for text in texts)


def test_the_sink_counts_frames_however_they_are_cut(programs: Path) -> None:
    data = frames(b"one", b"two with a\nnewline", b"x" * 1234, b"four")
    with Sink(programs / "sink", 4) as sink:
        with socket.create_connection(("127.0.0.1", sink.port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for position in range(len(data)):
                connection.sendall(data[position : position + 1])
            arrival = sink.wait(30, [])
        assert arrival.bytes == len(data)
        assert arrival.first <= arrival.last <= time.monotonic()
        assert sink.end() == 0


def test_the_sink_counts_lines_over_several_connections(programs: Path) -> None:
    with Sink(programs / "sink", 6, framing="lf") as sink:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", sink.port)) as connection:
                connection.sendall(b"one\ntwo\nhalf")
        sink.wait(30, [])
        assert sink.end() == 0


def test_the_sink_tells_of_lines_that_came_twice(programs: Path) -> None:
    with Sink(programs / "sink", 2) as sink:
        with socket.create_connection(("127.0.0.1", sink.port)) as connection:
            connection.sendall(frames(b"one", b"two", b"two"))
            sink.wait(30, [])
        assert sink.end() == 1


@pytest.fixture(scope="session")
def http_sink(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("http_sink", tmp_path_factory.mktemp("bench-http"), "z")


def request(
    sink: Sink, path: str, body: bytes | list[bytes], *, cut: int = 1 << 20, **headers: str
) -> tuple[int, bytes]:
    """The answer to one request, its bytes sent ``cut`` at a time; a list is sent in chunks."""
    parts = {"Content-Length": str(len(body))} if isinstance(body, bytes) else {"Transfer-Encoding": "chunked"}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in {**parts, **headers}.items()]
    data = "\r\n".join((f"POST {path} HTTP/1.1", "Host: x", *lines, "", "")).encode()
    if isinstance(body, bytes):
        data += body
    else:
        data += b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*body, b""))
    with socket.create_connection(("127.0.0.1", sink.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(data), cut):
            connection.sendall(data[at : at + cut])
        answer = http.client.HTTPResponse(connection, method="POST")
        answer.begin()
        return answer.status, answer.read()


@pytest.mark.needs("zlib")
def test_the_http_sink_counts_lines_however_they_come(http_sink: Path) -> None:
    with Sink(http_sink, 8, framing="lines") as sink:
        assert request(sink, "/", b"one\ntwo\n", cut=1)[0] == 200
        assert request(sink, "/", [b"three\nfo", b"ur\n"], cut=1)[0] == 200
        assert request(sink, "/", gzip.compress(b"five\nsix\n"), Content_Encoding="gzip")[0] == 200
        assert (
            request(sink, "/", gzip.compress(b"se") + gzip.compress(b"ven\neight\n"), Content_Encoding="gzip")[0] == 200
        )
        arrival = sink.wait(30, [])
        assert arrival.first <= arrival.last <= time.monotonic()
        assert request(sink, "/", b"nine\n")[0] == 200
        assert sink.end() == 1


@pytest.mark.needs("zlib")
def test_the_http_sink_answers_for_each_document_of_a_bulk(http_sink: Path) -> None:
    body = b'{"create":{}}\n{"a":1}\n' * 3
    with Sink(http_sink, 6, framing="bulk") as sink:
        for sent, encoding in ((body, "identity"), (gzip.compress(body), "gzip")):
            status, answer = request(sink, "/_bulk?filter_path=errors", sent, Content_Encoding=encoding)
            assert (status, json.loads(answer)) == (
                200,
                {"errors": False, "items": [{"create": {"status": 201}}] * 3},
            )
        sink.wait(30, [])
        status, answer = request(sink, "/_bulk", b"\n")
        assert (status, "error" in json.loads(answer)) == (400, True)
        assert sink.end() == 0


def test_waiting_ends_when_a_watched_program_has_ended(programs: Path, tmp_path: Path) -> None:
    with (
        Sink(programs / "sink", 1) as sink,
        Program("broken", ["sh", "-c", "echo it broke; exit 3"], tmp_path / "log") as program,
        pytest.raises(BenchError, match="broken ended with 3:\nit broke"),
    ):
        sink.wait(30, [program])


def test_writer_and_sink_agree_on_the_time_of_a_line(programs: Path, tmp_path: Path) -> None:
    sample, file = tmp_path / "sample.log", tmp_path / "live.log"
    write_lines(sample, 5)
    subprocess.run([programs / "writer", sample, file, "1000", "12"], check=True, capture_output=True)
    lines = file.read_bytes().splitlines()
    written = [json.loads(line) for line in lines]
    assert len(written) == 12
    assert [line["request_id"] for line in written[:2]] == [line["request_id"] for line in written[5:7]]
    times = [line["sent"] for line in written]
    assert times == sorted(times)
    assert times[-1] - times[0] >= 11_000_000, "1000 lines a second"
    with Sink(programs / "sink", 12, skip=2) as sink:
        with socket.create_connection(("127.0.0.1", sink.port)) as connection:
            connection.sendall(frames(*lines))
            arrival = sink.wait(30, [])
        assert arrival.latency is not None
        p50, _, p99, most = arrival.latency
        assert arrival.last - times[2] / 1e9 == pytest.approx(most, abs=1e-6)
        assert p50 <= p99 <= most
        sink.end()


def test_the_cpu_of_a_program_counts_its_children(tmp_path: Path) -> None:
    code = "while true; do sh -c 'n=0; while [ $n -lt 20000 ]; do n=$((n+1)); done'; done"
    with Program("busy", ["sh", "-c", code], tmp_path / "log") as program:
        wait_until(lambda: program.cpu() > 0.1, "some CPU seconds", [program])
        assert program.peak_rss() > 100_000
        assert program.stop() > 0.1


def test_the_workload_is_what_the_documents_say(tmp_path: Path) -> None:
    size = write_lines(tmp_path / "web.log", 100_000)
    assert size / 100_000 == pytest.approx(277, abs=2)
    lines = (tmp_path / "web.log").read_bytes().splitlines()
    assert len(lines) == 100_000
    assert list(make_lines(10)) == list(make_lines(10))
    assert {json.loads(line)["level"] for line in lines[:5000]} == {"debug", "info", "warn", "error"}


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("rate", 3.6, "x", at_least=3.5), True),
        (Figure("rate", 3.4, "x", at_least=3.5), False),
        (Figure("memory", 65.0, "bytes", at_most=65), True),
        (Figure("memory", 66.0, "bytes", at_most=65), False),
    ],
)
def test_a_figure_knows_whether_it_met_its_target(figure: Figure, met: bool) -> None:
    assert figure.met is met
