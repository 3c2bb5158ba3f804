"""One record a datagram: cut to fit, refused ports noticed, and the sender paced by the kernel."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator

import pytest

from logyard.drain import Context, DrainURI
from logyard.errors import NotConnected, Permanent, UsageError
from logyard_drains import datagram_drain, udp
from tests.drains.records import batch_of, numbered
from tests.drains.sinks import UdpSink
from tests.servers.processes import eventually, free_port

CONTEXT = Context(name="d", node="router1")


@pytest.fixture
async def sink() -> AsyncIterator[UdpSink]:
    made = UdpSink()
    await made.start()
    yield made
    await made.stop()


def configured(port: int, **params: str) -> udp.Config:
    return udp.configure(DrainURI.parse(f"udp://127.0.0.1:{port}", {"format": "raw", **params}))


async def test_each_record_is_a_datagram_that_ends_with_a_newline(sink: UdpSink) -> None:
    async with udp.open(configured(sink.port), CONTEXT) as drain:
        assert await drain.send([batch_of([b"one", b"", b"two\nlines"])]) is None
    await eventually(lambda: len(sink.datagrams) == 3, "the datagrams")
    assert sink.datagrams == [b"one\n", b"\n", b"two\nlines\n"]


async def test_long_records_are_cut_between_characters_and_counted(sink: UdpSink) -> None:
    async with udp.open(configured(sink.port, max_size="64"), CONTEXT) as drain:
        receipt = await drain.send([batch_of(["é".encode() * 50, b"x" * 63, b"y" * 64])])
    assert receipt is not None
    assert receipt.cut == 2
    await eventually(lambda: len(sink.datagrams) == 3, "the datagrams")
    assert sink.datagrams == ["é".encode() * 31 + b"\n", b"x" * 63 + b"\n", b"y" * 63 + b"\n"]


async def test_the_largest_datagram_of_ipv4_goes_out_whole(sink: UdpSink) -> None:
    async with udp.open(configured(sink.port), CONTEXT) as drain:
        receipt = await drain.send([batch_of([b"x" * 100_000])])
    assert receipt is not None
    assert receipt.cut == 1
    await eventually(lambda: sink.datagrams, "the datagram")
    assert len(sink.datagrams[0]) == datagram_drain.LARGEST


async def test_a_port_that_nobody_listens_at_is_noticed_by_the_first_send() -> None:
    port = free_port()
    async with udp.open(configured(port), CONTEXT) as drain:
        with pytest.raises(NotConnected, match=rf"127\.0\.0\.1:{port}: nobody listens on this UDP port"):
            await drain.send([numbered(0, 1)])


class StubbornSocket:
    """A socket whose kernel refuses some datagrams before it takes them."""

    def __init__(self, real: socket.socket, refusals: list[int]) -> None:
        self._real = real
        self._refusals = refusals

    def send(self, data: bytes) -> int:
        if self._refusals:
            code = self._refusals.pop(0)
            raise OSError(code, os.strerror(code))
        return self._real.send(data)

    def getsockopt(self, level: int, option: int) -> int:
        return self._real.getsockopt(level, option)

    def fileno(self) -> int:
        return self._real.fileno()


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.ENOBUFS])
async def test_a_full_send_buffer_is_waited_for_and_nothing_is_skipped(sink: UdpSink, code: int) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", sink.port))
        stubborn = StubbornSocket(sock, [code, code])
        drain = datagram_drain.DatagramDrain(stubborn, "h:1", lambda selection: (selection.lines, 0))  # type: ignore[arg-type]
        await drain.send([batch_of([b"a", b"b"])])
    await eventually(lambda: len(sink.datagrams) == 2, "the datagrams")
    assert sink.datagrams == [b"a", b"b"]


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [(errno.EMSGSIZE, Permanent, "set a smaller max_size="), (errno.ENETUNREACH, NotConnected, "unreachable")],
)
async def test_refusals_of_the_kernel_are_told(sink: UdpSink, code: int, error: type[Exception], text: str) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", sink.port))
        drain = datagram_drain.DatagramDrain(StubbornSocket(sock, [code]), "h:1", lambda s: (s.lines, 0))  # type: ignore[arg-type]
        with pytest.raises(error, match=text):
            await drain.send([numbered(0, 1)])


async def test_a_large_send_lets_others_have_their_turn(sink: UdpSink) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with udp.open(configured(sink.port), CONTEXT) as drain:
        busy = asyncio.create_task(others())
        await drain.send([numbered(0, 2000)])
        busy.cancel()
    assert turns > 10


@pytest.mark.parametrize("uri", ["udp://h", "udp://:1", "udp://h:1/x", "udp://u@h:1"])
def test_a_wrong_address_is_refused(uri: str) -> None:
    with pytest.raises(UsageError, match="udp://"):
        udp.configure(DrainURI.parse(uri))
