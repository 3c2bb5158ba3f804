"""Receivers in the test's own event loop, which stall, close and reset when they are told to."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from contextlib import suppress

__all__ = ["TcpSink", "TlsSink", "UdpSink"]


class TcpSink:
    """Reads everything from every connection, until told otherwise.

    Args:
        buffer: bytes of its receive buffer, so that a test knows how much a stalled sink swallows.

    Attributes:
        port: of 127.0.0.1; the same after `stop` and `start`.
        received: of all connections, in the order of their beginning.
        reading: cleared, nothing more is read.
    """

    def __init__(self, buffer: int = 0) -> None:
        self.port = 0
        self.received: list[bytearray] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.accepted = asyncio.Event()
        self._buffer = buffer
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[socket.socket] = set()

    @property
    def data(self) -> bytes:
        return b"".join(self.received)

    async def start(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._spawn(self._accept(listener))

    async def stop(self) -> None:
        """Listen no more and close every connection."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self.close_connections()

    async def close_connections(self, *, reset: bool = False) -> None:
        """Close every connection, with a reset if asked to, unread bytes or not."""
        for connection in list(self._open):
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        tasks = list(self._tasks) if self._listener is None else [t for t in self._tasks if t.get_name() == "serve"]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in self._open:  # of a task that was cancelled before it had begun
            connection.close()
        self._open.clear()

    def _spawn(self, work: object, name: str = "accept") -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        task.set_name(name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while True:
                connection, _ = await loop.sock_accept(listener)
                self.received.append(bytearray())
                self._open.add(connection)
                self.accepted.set()
                self._spawn(self._serve(connection, self.received[-1]), "serve")

    async def _serve(self, connection: socket.socket, received: bytearray) -> None:
        loop = asyncio.get_running_loop()
        with connection, suppress(OSError):
            try:
                while True:
                    await self.reading.wait()
                    data = await loop.sock_recv(connection, 65536)
                    if not data:
                        break
                    received += data
            finally:
                self._open.discard(connection)


class TlsSink:
    """A TLS server that reads everything, in threads: it is the other side, and shares nothing with ours.

    Args:
        context: with its certificate, and what it demands of clients.

    Attributes:
        port: of 127.0.0.1.
        received: of all connections.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.received = bytearray()
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="tls-sink")]

    def start(self) -> None:
        self._threads[0].start()

    def stop(self) -> None:
        """Listen no more and close every connection."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was shut
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,), name="tls-connection"))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        # A refused handshake is what some tests want, and the client tells of it; ValueError: shut by `stop`.
        with connection, suppress(OSError, ValueError), self._context.wrap_socket(connection, server_side=True) as tls:
            self._connections.append(tls)
            while data := tls.recv(65536):
                self.received += data
            tls.unwrap()


class UdpSink:
    """Keeps every datagram."""

    def __init__(self) -> None:
        self.port = 0
        self.datagrams: list[bytes] = []
        self._socket: socket.socket | None = None

    @property
    def data(self) -> bytes:
        return b"\n".join(self.datagrams)

    async def start(self) -> None:
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind(("127.0.0.1", self.port))
        sock.setblocking(False)
        self.port = sock.getsockname()[1]
        self._socket = sock
        asyncio.get_running_loop().add_reader(sock, self._readable)

    async def stop(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _readable(self) -> None:
        assert self._socket is not None
        with suppress(BlockingIOError):
            while True:
                self.datagrams.append(self._socket.recv(65536))
