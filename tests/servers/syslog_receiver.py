"""Destinations for fault tests: a syslog receiver that can go away and come back, and one that never reads."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.servers.processes import free_port

__all__ = ["BlackHole", "SyslogReceiver", "split_frames"]

_AT_ONCE = 1 << 20
_BUFFER = 256 << 10
"""Bytes that the kernel takes before the receiver reads them; by default it may be 32 MiB, a whole test's lines."""


def _listener(port: int, buffer: int) -> socket.socket:
    """Listens on 127.0.0.1; its connections inherit the size of the buffer."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    listener.bind(("127.0.0.1", port))
    listener.listen(64)
    return listener


def split_frames(data: bytes | bytearray) -> tuple[list[bytes], bytes]:
    """The complete octet-counted frames (RFC 6587, 3.4.1) in ``data``, and the incomplete rest.

    Raises:
        ValueError: it is not octet-counted.
    """
    data = bytes(data)
    frames = []
    position, size = 0, len(data)
    while position < size:
        space = data.find(b" ", position, position + 10)
        length = data[position : space if space >= 0 else position + 10]
        if not length.isdigit() or (space < 0 and len(length) == 10):
            raise ValueError(f"no frame starts with {data[position : position + 40]!r}")
        if space < 0:
            break
        end = space + 1 + int(length)
        if end > size:
            break
        frames.append(data[space + 1 : end])
        position = end
    return frames, data[position:]


class SyslogReceiver:
    """Takes octet-counted frames from any number of connections, in a thread of its own.

    A frame that its connection did not complete is forgotten, as every syslog server does.

    Args:
        take: called with the frames that arrived together, in the receiver's thread.

    Attributes:
        port: of 127.0.0.1, the same for its whole life.
        count: frames so far.
        connections: how many were ever accepted.
    """

    def __init__(self, take: Callable[[list[bytes]], object]) -> None:
        self.port = free_port()
        self.count = 0
        self.connections = 0
        self.error: BaseException | None = None
        self._take = take
        self._thread: threading.Thread | None = None
        self._wake: socket.socket | None = None

    def received(self) -> int:
        """`count`, to be waited for."""
        return self.count

    def up(self) -> None:
        """Listen and receive."""
        listener = _listener(self.port, _BUFFER)
        self._wake, stop = socket.socketpair()
        self._thread = threading.Thread(target=self._run, args=(listener, stop), name="syslog-receiver")
        self._thread.start()

    def down(self) -> None:
        """Stop listening and close every connection, as a stopped server does."""
        if self._thread is not None and self._wake is not None:
            self._wake.close()
            self._thread.join()
            self._thread = None
        if self.error is not None:
            raise self.error

    def _run(self, listener: socket.socket, stop: socket.socket) -> None:
        with selectors.DefaultSelector() as selector, listener, stop:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(stop, selectors.EVENT_READ)
            try:
                while self._step(selector, listener, stop):
                    pass
            except BaseException as error:  # told by `down`, in the test's thread
                self.error = error
            for key in list(selector.get_map().values()):
                if key.fileobj not in {listener, stop}:
                    key.fileobj.close()  # type: ignore[union-attr]

    def _step(self, selector: selectors.BaseSelector, listener: socket.socket, stop: socket.socket) -> bool:
        for key, _ in selector.select():
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            if connection is stop:
                return False
            if connection is listener:
                accepted, _ = listener.accept()
                self.connections += 1
                selector.register(accepted, selectors.EVENT_READ, bytearray())
                continue
            try:
                data = connection.recv(_AT_ONCE)
            except ConnectionError:
                data = b""
            if not data:
                selector.unregister(connection)
                connection.close()
                continue
            pending: bytearray = key.data
            pending += data
            frames, pending[:] = split_frames(pending)
            if frames:
                self._take(frames)
                self.count += len(frames)
        return True


class BlackHole:
    """Accepts connections and never reads from them.

    Attributes:
        port: of 127.0.0.1.
    """

    def __init__(self) -> None:
        self.port = free_port()
        # Nobody accepts: the kernel completes the handshakes and keeps the connections in its queue.
        self._listener = _listener(self.port, 4096)

    def end(self) -> None:
        self._listener.close()


@pytest.fixture
def black_hole() -> Iterator[BlackHole]:
    """A destination that accepts and never reads."""
    hole = BlackHole()
    yield hole
    hole.end()
