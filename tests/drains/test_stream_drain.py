"""Connections without answers: nothing is confirmed that a receiver could still lose, and a broken one is noticed."""

from __future__ import annotations

import asyncio
import mmap
import re
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from logyard.drain import Context, Drain, DrainURI
from logyard.errors import NotConnected, UsageError
from logyard_drains import stream_socket, tcp
from logyard_drains.stream_drain import resend_window
from tests.drains.records import batch_of, numbered
from tests.drains.sinks import TcpSink
from tests.servers.processes import Processes, eventually, free_port

CONTEXT = Context(name="d", node="router1")
READER = """
# Reads slowly, and keeps count, in a file that outlives it, of the bytes that it has read.
import mmap, socket, struct, sys, time
port, path, pause = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
with socket.socket() as listener, open(path, "r+b") as file, mmap.mmap(file.fileno(), 8) as count:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    connection, _ = listener.accept()
    total = 0
    while data := connection.recv(16384):
        total += len(data)
        count[:] = struct.pack("q", total)
        time.sleep(pause)
    connection.close()
"""


@asynccontextmanager
async def opened(port: int, **params: str) -> AsyncIterator[Drain]:
    params.setdefault("format", "raw")
    async with tcp.open(tcp.configure(DrainURI.parse(f"tcp://127.0.0.1:{port}", params)), CONTEXT) as drain:
        yield drain


@pytest.fixture
async def sink() -> AsyncIterator[TcpSink]:
    made = TcpSink(buffer=32 * 1024)
    await made.start()
    yield made
    await made.stop()


class SlowReader:
    """A receiver in a process of its own, to be killed with bytes unread."""

    def __init__(self, processes: Processes, folder: Path, pause: float) -> None:
        self.port = free_port()
        self._count = folder / "count"
        self._count.write_bytes(bytes(8))
        command = [sys.executable, "-c", READER, str(self.port), str(self._count), str(pause)]
        self.process = processes.start("reader", command)

    @property
    def read(self) -> int:
        """Bytes that its program has read."""
        with self._count.open("r+b") as file, mmap.mmap(file.fileno(), 8) as count:
            return int(struct.unpack("q", count[:])[0])

    async def listening(self) -> None:
        # Connecting would use up its only connection.
        def listens() -> bool:
            sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            return any(local.endswith(f":{self.port:04X}") and state == "0A" for _, local, _, state, *_ in sockets)

        await eventually(listens, "the reader to listen")


@pytest.mark.parametrize("kilobytes", [500, 1500])
async def test_a_killed_receiver_has_read_all_that_was_confirmed(
    processes: Processes, tmp_path: Path, kilobytes: int
) -> None:
    reader = SlowReader(processes, tmp_path, pause=0.001)
    await reader.listening()
    told: list[int] = []
    async with opened(reader.port, resend_window="256KiB") as drain:
        with pytest.raises(NotConnected):
            await send_until_killed(drain, reader, kilobytes * 1000, told)
    assert told[-1] > 0
    assert told[-1] < len(told)
    assert told[-1] * SEND <= reader.read


SEND = 10 * 4097


async def send_until_killed(drain: Drain, reader: SlowReader, read: int, told: list[int]) -> None:
    """Send, noting after each send what is confirmed; kill the reader once it has read ``read`` bytes."""
    for number in range(100_000):
        if told and told[-1] > 0 and reader.read >= read and reader.process.alive:
            reader.process.kill()
        await drain.send([numbered(number * 10, 10, 4096)])
        told.append(drain.confirmed() or 0)
        await asyncio.sleep(0.0005)


async def test_a_receiver_that_never_reads_confirms_nothing(sink: TcpSink) -> None:
    sink.reading.clear()
    async with opened(sink.port) as drain:
        await drain.send([numbered(0, 1)])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(send_for_ever(drain), 0.3)
        with pytest.raises(NotConnected, match="interrupted"):
            drain.confirmed()


async def send_for_ever(drain: Drain) -> None:
    for number in range(1_000_000):
        await drain.send([numbered(number, 1, 65536)])
        assert drain.confirmed() == 0


def drain_is_open(drain: Drain) -> bool:
    try:
        drain.confirmed()
    except NotConnected:
        return False
    return True


async def test_a_window_of_newer_bytes_confirms_at_once(sink: TcpSink) -> None:
    async with opened(sink.port, resend_window="100KiB") as drain:
        await drain.send([numbered(0, 1, 1000)])
        await drain.send([numbered(1, 200, 1000)])
        await eventually(lambda: len(sink.data) > 200_000, "the sink to have it all")
        assert drain.confirmed() == 1


async def test_finish_confirms_without_waiting_for_the_settling_time(sink: TcpSink) -> None:
    async with opened(sink.port) as drain:
        for number in range(10):
            await drain.send([numbered(number, 1)])
        assert drain.confirmed() == 0
        await drain.finish()
        assert drain.confirmed() == 10


async def test_finish_confirms_nothing_when_the_peer_resets(sink: TcpSink) -> None:
    async with opened(sink.port) as drain:
        sink.reading.clear()
        await drain.send([numbered(0, 10, 1000)])
        await asyncio.wait_for(sink.accepted.wait(), 20)
        await sink.close_connections(reset=True)
        with pytest.raises(NotConnected):
            await drain.finish()
        assert drain.confirmed() == 0


async def test_a_closed_connection_with_unconfirmed_sends_is_told_though_nothing_is_sent(sink: TcpSink) -> None:
    async with opened(sink.port) as drain:
        await drain.send([numbered(0, 1)])
        await asyncio.wait_for(sink.accepted.wait(), 20)
        await sink.close_connections()

        def told() -> bool:
            return not drain_is_open(drain)

        await eventually(told, "confirmed() to raise")


async def test_a_peer_that_closed_is_noticed_before_the_next_write(sink: TcpSink) -> None:
    async with opened(sink.port) as drain:
        await drain.send([numbered(0, 1)])
        await eventually(lambda: sink.data, "the first record")
        await sink.close_connections()
        with pytest.raises(NotConnected, match=rf"127\.0\.0\.1:{sink.port}: the peer closed the connection"):
            await drain.send([numbered(1, 1)])


async def test_what_a_receiver_says_is_read_and_ignored() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello, " * 100_000)
        while await reader.read(65536):
            pass
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server, opened(server.sockets[0].getsockname()[1]) as drain:
        for number in range(20):
            await drain.send([numbered(number, 1, 10_000)])
        await drain.finish()
        assert drain.confirmed() == 20


async def test_newlines_in_a_record_do_not_end_its_line(sink: TcpSink) -> None:
    async with opened(sink.port) as drain:
        await drain.send([batch_of([b"one\ntwo", b"three"])])
        await drain.finish()
    assert sink.data == b"one\\ntwo\nthree\n"


async def test_every_address_of_a_host_is_tried(sink: TcpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    unused = free_port()

    async def found(_host: str, port: int, kind: socket.SocketKind) -> object:
        assert kind is socket.SOCK_STREAM
        return [
            (socket.AF_INET6, ("::1", unused, 0, 0)),
            (socket.AF_INET, ("127.0.0.1", unused)),
            (socket.AF_INET, ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(stream_socket, "resolve", found)
    (await stream_socket.connect("logs.example", sink.port)).close()
    with pytest.raises(NotConnected) as caught:
        await stream_socket.connect("logs.example", unused)
    assert str(caught.value).startswith(f"cannot connect to logs.example:{unused}: ::1: ")
    assert "127.0.0.1: Connection refused" in str(caught.value)


async def test_an_unknown_host_and_a_name_that_is_none_are_told() -> None:
    for name in ("no-such-host.invalid", "a" * 70 + ".invalid"):
        with pytest.raises(NotConnected, match=re.escape(name)):
            await stream_socket.connect(name, 1)


def test_an_ipv6_address_is_shown_in_brackets() -> None:
    assert stream_socket.address_text("::1", 514) == "[::1]:514"
    assert stream_socket.address_text("h", 514) == "h:514"


@pytest.mark.parametrize("uri", ["tcp://h", "tcp://:1", "tcp://h:1/x", "tcp://u@h:1"])
def test_a_wrong_address_is_refused(uri: str) -> None:
    with pytest.raises(UsageError, match="tcp://"):
        tcp.configure(DrainURI.parse(uri))


@pytest.mark.parametrize(
    ("tcp_rmem", "window"),
    [
        ("4096\t131072\t33554432\n", 34 * 1024 * 1024),
        ("4096 131072 6291456\n", 8 * 1024 * 1024),
        ("4096 131072 212992\n", 8 * 1024 * 1024),
        ("", 8 * 1024 * 1024),
        (None, 8 * 1024 * 1024),
    ],
)
def test_the_resend_window_is_larger_than_a_receive_buffer_of_this_machine(
    tmp_path: Path, tcp_rmem: str | None, window: int
) -> None:
    file = tmp_path / "tcp_rmem"
    if tcp_rmem is not None:
        file.write_text(tcp_rmem)
    assert resend_window(file) == window
