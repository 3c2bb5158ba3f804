"""A TCP connection that is only written to: connecting, noticing that the peer closed, big writes without copies.

Nothing is expected to be read, and yet something always reads: only so is an end of the connection noticed
before the next write instead of one write too late.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from typing import TypeVar

from logyard.errors import DrainError, NotConnected

__all__ = ["CONNECT_TIMEOUT", "StreamSocket", "address_text", "connect", "resolve", "tune"]

CONNECT_TIMEOUT = 10.0
UNANSWERED = 30
"""Seconds after which a peer that acknowledges nothing counts as gone; the kernel's own limit is 15 minutes."""
T = TypeVar("T", bound="StreamSocket")


def address_text(host: str, port: int) -> str:
    """``host:port`` for a message, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def resolve(
    host: str, port: int, kind: socket.SocketKind
) -> list[tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]]:
    """All addresses of ``host`` as of now.

    Raises:
        NotConnected: the name cannot be resolved.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await asyncio.wait_for(loop.getaddrinfo(host, port, type=kind), CONNECT_TIMEOUT)
    except TimeoutError:
        raise NotConnected(f"{host}: the name server does not answer") from None
    except (OSError, UnicodeError) as error:
        raise NotConnected(f"{host}: {getattr(error, 'strerror', None) or error}") from None
    return [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]


async def connect(host: str, port: int, timeout: float = CONNECT_TIMEOUT) -> socket.socket:
    """A connected, non-blocking TCP socket; all of the host's addresses are tried, in order.

    Args:
        timeout: seconds for all of them together.

    Raises:
        NotConnected: none of them answers; says why for each.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    addresses = await resolve(host, port, socket.SOCK_STREAM)
    reasons: dict[str, None] = {}
    for index, (family, address) in enumerate(addresses):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            tune(sock)
            share = max(0.1, (deadline - loop.time()) / (len(addresses) - index))
            await asyncio.wait_for(loop.sock_connect(sock, address), share)
        except TimeoutError:
            sock.close()
            reasons[f"{address[0]}: no answer in {share:.1f} s"] = None
        except OSError as error:
            sock.close()
            reasons[f"{address[0]}: {_reason(error)}"] = None
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise NotConnected(f"cannot connect to {address_text(host, port)}: {'; '.join(reasons)}")


def tune(sock: socket.socket) -> None:
    """Notice within `UNANSWERED` seconds or a little more that the peer is gone, and hold nothing back."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, UNANSWERED)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, UNANSWERED // 3)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED * 1000)


def _reason(error: OSError) -> str:
    # asyncio puts the address into strerror: "Connect call failed ('127.0.0.1', 1)".
    import os

    return os.strerror(error.errno) if error.errno else str(error)


class StreamSocket:
    """A plain connection.

    Attributes:
        name: ``host:port`` for messages.
        written: bytes that the kernel has taken.
        ended: set once the connection is over, for whatever reason.
        ended_well: the peer has closed the connection in good order after we closed our side, so it has read
            everything.
    """

    def __init__(self, sock: socket.socket, name: str) -> None:
        self.name = name
        self.written = 0
        self.ended = asyncio.Event()
        self.ended_well = False
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._failure: DrainError | None = None
        self._shut = False

    def start(self) -> None:
        """Begin to read."""
        self._loop.add_reader(self._sock, self._readable)

    def close(self) -> None:
        """End it at once; what the kernel has not yet sent, it still tries to send."""
        self._end(NotConnected(f"{self.name}: the connection is closed"))
        self._sock.close()

    @property
    def open(self) -> bool:
        """Whether the peer has neither closed nor reset the connection, as far as the kernel knows now."""
        self._readable()
        return self._failure is None

    def check(self) -> None:
        """Raise the reason why the connection is over, if it is."""
        self._readable()
        if self._failure is not None:
            raise self._failure

    def pending(self) -> int:
        """Bytes written that the peer's kernel has not acknowledged (SIOCOUTQ, tcp(7))."""
        answer = fcntl.ioctl(self._sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
        return int(struct.unpack("i", answer)[0])

    async def write(self, data: bytes) -> None:
        """Write all of ``data``; returns when the kernel has it.

        Cancelled, it leaves half a message behind, and the connection is over.

        Raises:
            NotConnected: the connection is over.
        """
        self.check()
        try:
            await self._loop.sock_sendall(self._sock, data)
        except OSError as error:
            self._end(NotConnected(f"{self.name}: {_reason(error)}"))
            self.check()
        except BaseException:
            self._end(NotConnected(f"{self.name}: a write was interrupted"))
            raise
        self.written += len(data)

    async def shut(self) -> None:
        """Tell the peer that nothing more comes; it is still read from."""
        if self._failure is None:
            try:
                self._sock.shutdown(socket.SHUT_WR)
                self._shut = True
            except OSError as error:
                self._end(NotConnected(f"{self.name}: {_reason(error)}"))

    def _readable(self) -> None:
        if self._failure is not None:
            return
        try:
            data = self._sock.recv(65536)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(NotConnected(f"{self.name}: {_reason(error)}"))
            return
        if data:
            self._take(data)
        else:
            # A peer that closes with unread bytes sends a reset instead, or has not acknowledged them.
            fault = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self.ended_well = self._shut and fault == 0 and self.pending() == 0
            self._closed()

    def _take(self, data: bytes) -> None:
        """Something that the peer sent: nothing here has a meaning."""

    def _closed(self) -> None:
        self._end(NotConnected(f"{self.name}: the peer closed the connection"))

    def _end(self, failure: DrainError) -> None:
        if self._failure is None:
            self._failure = failure
            self._loop.remove_reader(self._sock)
            self.ended.set()
