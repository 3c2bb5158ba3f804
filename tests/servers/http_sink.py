"""An HTTP server that does what a test tells it: answers, stalls, breaks off, closes. It shares no code with ours.

HTTP/1.1 by RFC 9112: bodies with a length or in chunks, kept connections. Bodies are decompressed (gzip, zstd).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import zstandard

from tests.servers.processes import free_port

__all__ = ["HttpSink", "Reply", "Request"]

_HEAD_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """Attributes:
    headers: by name in lower case.
    body: decompressed.
    sent: bytes of the body as it came.
    connection: which one it came over, counted from 1.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    sent: int
    connection: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server does with a request that it has read.

    Attributes:
        breaks: ``reset``: a reset in the middle of the answer; ``stall``: half an answer and then nothing;
            ``silence``: no answer, and the connection stays; ``close``: the connection is closed without one.
        delay: seconds before the answer.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks: Literal["", "reset", "stall", "silence", "close"] = ""
    delay: float = 0.0


class HttpSink:
    """Serves from a thread of its own.

    Args:
        answer: decides over a request; called in the server's thread, one call at a time.
        tls: for HTTPS.

    Attributes:
        port: of 127.0.0.1, the same for its whole life.
        requests: all that were read, in order.
        connections: how many were ever accepted.
        open: how many there are now.
    """

    def __init__(
        self, answer: Callable[[Request], Reply] = lambda _: Reply(), tls: ssl.SSLContext | None = None
    ) -> None:
        self.port = free_port()
        self.requests: list[Request] = []
        self.connections = 0
        self.open = 0
        self.answer = answer
        self._tls = tls
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._reading = asyncio.Event()
        self._reading.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[BaseException] = []

    @property
    def body(self) -> bytes:
        """All bodies so far, connection by connection.

        A request of a connection that its client has left may be read later than those of the next one.
        """
        return b"".join(request.body for request in sorted(self.requests, key=lambda one: one.connection))

    def up(self) -> None:
        """Listen and serve."""
        if self._thread is not None:
            return
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="http-sink")
        self._thread.start()
        started.result()

    def down(self) -> None:
        """Stop listening and break every connection. Raises what went wrong in the server itself."""
        if self._thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._thread = None
        if self._errors:
            raise self._errors[0]

    def stall(self) -> None:
        """Read no more, and keep the connections."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._reading.clear)

    def go_on(self) -> None:
        """End the stalling."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._reading.set)

    def _run(self, started: Future[None]) -> None:
        try:
            asyncio.run(self._serve(started))
        except BaseException as error:  # told by `down`, in the test's thread
            self._errors.append(error)
            if not started.done():
                started.set_exception(error)

    async def _serve(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        # Not asyncio's server: connections that it is just accepting when it stops are never closed.
        with socket.create_server(("127.0.0.1", self.port), backlog=128) as listener:
            listener.setblocking(False)
            self._loop.add_reader(listener, self._accept, listener)
            started.set_result(None)
            await self._stop.wait()
            self._loop.remove_reader(listener)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reading.set()

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.setblocking(False)
        self.connections += 1
        self.open += 1
        task = asyncio.ensure_future(self._talk(connection, self.connections))
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._ended(task, connection))

    def _ended(self, task: asyncio.Task[None], connection: socket.socket) -> None:
        self.open -= 1
        self._tasks.discard(task)
        connection.close()  # of a task that was cancelled before it had begun; others have done it

    async def _talk(self, connection: socket.socket, number: int) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_HEAD_LIMIT)
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=self._tls)
        except (OSError, ssl.SSLError):
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            while await self._one(reader, writer, number):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # clients may go whenever they like
        except asyncio.CancelledError:
            _reset(writer)
        except Exception as error:
            self._errors.append(error)
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        """One request and its answer; whether the connection goes on."""
        await self._reading.wait()
        request = await self._read(reader, number)
        if request is None:
            return False
        await self._reading.wait()
        self.requests.append(request)
        reply = self.answer(request)
        if reply.delay:
            await asyncio.sleep(reply.delay)
        lines = [f"HTTP/1.1 {reply.status} Whatever", f"Content-Length: {len(reply.body)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        answer = "\r\n".join((*lines, "", "")).encode() + reply.body
        if reply.breaks in {"reset", "stall"}:
            writer.write(answer[: len(answer) - max(1, len(reply.body) // 2)])
            await writer.drain()
        if reply.breaks in {"stall", "silence"}:
            await reader.read()  # until the client gives up
            return False
        if reply.breaks == "reset":
            _reset(writer)
        if reply.breaks:
            return False
        writer.write(answer)
        await writer.drain()
        return request.headers.get("connection", "").lower() != "close"

    async def _read(self, reader: asyncio.StreamReader, number: int) -> Request | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, target, version = first.split(" ")
        assert version == "HTTP/1.1", version
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        assert len(headers) == len(lines), f"a header came twice: {lines}"
        if headers.get("transfer-encoding", "").lower() == "chunked":
            sent = await self._chunks(reader)
        else:
            sent = await self._exactly(reader, int(headers.get("content-length", "0")))
        return Request(
            method, target, headers, _decompress(sent, headers.get("content-encoding", "")), len(sent), number
        )

    async def _exactly(self, reader: asyncio.StreamReader, size: int) -> bytes:
        body = bytearray()
        while len(body) < size:
            await self._reading.wait()
            piece = await reader.read(min(size - len(body), 65536))
            if not piece:
                raise asyncio.IncompleteReadError(bytes(body), size)
            body += piece
        return bytes(body)

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        body = bytearray()
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readline()
        return bytes(body)


def _decompress(body: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return zlib.decompress(body, wbits=31)
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    assert not encoding, encoding
    return body


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
