"""Sending one message a datagram; shared by ``syslog+udp://`` and ``udp://``.

UDP promises nothing: what the network or a full receive buffer drops is lost without a word. Noticed is only
that nobody listens at the port, when the host says so (ICMP): on the same machine at once, else a little later.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from logyard.batch import Selection
from logyard.drain import Limits, Receipt
from logyard.errors import NotConnected, Permanent
from logyard_drains.stream_socket import address_text, resolve

__all__ = ["LARGEST", "DatagramDrain", "open_datagrams"]

LARGEST = 65507
"""Bytes of text that an IPv4 datagram holds."""
_BREATH = 64


@asynccontextmanager
async def open_datagrams(host: str, port: int) -> AsyncIterator[socket.socket]:
    """A connected UDP socket to the first address of ``host`` that this machine has a way to.

    Raises:
        NotConnected: the name cannot be resolved, or there is no way to any of its addresses.
    """
    reasons = []
    for family, address in await resolve(host, port, socket.SOCK_DGRAM):
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            try:
                sock.connect(address)
            except OSError as error:
                reasons.append(f"{address[0]}: {error.strerror}")
                continue
            yield sock
            return
    raise NotConnected(f"no way to {address_text(host, port)}: {'; '.join(reasons)}")


class DatagramDrain:
    """An open UDP socket.

    Args:
        sock: connected.
        name: ``host:port`` for messages.
        messages: one datagram for each record of a selection, and how many of them had to be cut.
    """

    limits = Limits()

    def __init__(
        self, sock: socket.socket, name: str, messages: Callable[[Selection], tuple[Sequence[bytes], int]]
    ) -> None:
        self._sock = sock
        self._name = name
        self._messages = messages

    async def send(self, records: Sequence[Selection]) -> Receipt | None:
        """Hand the records to the network.

        Raises:
            NotConnected: nobody listens there; some datagrams may have been lost.
        """
        cut = sent = 0
        for selection in records:
            messages, shortened = self._messages(selection)
            cut += shortened
            for message in messages:
                await self._send(message)
                sent += 1
                if sent % _BREATH == 0:
                    await asyncio.sleep(0)
        fault = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if fault:
            raise self._translate(OSError(fault, ""))
        return Receipt(cut=cut) if cut else None

    async def _send(self, datagram: bytes) -> None:
        while True:
            try:
                self._sock.send(datagram)
            except BlockingIOError:
                await _writable(self._sock)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise self._translate(error) from None
                await asyncio.sleep(0.001)
            else:
                return

    def confirmed(self) -> None:
        """There are no confirmations."""

    async def finish(self) -> None:
        """There is nothing to wait for."""

    def _translate(self, error: OSError) -> NotConnected | Permanent:
        if error.errno == errno.ECONNREFUSED:
            return NotConnected(f"{self._name}: nobody listens on this UDP port")
        if error.errno == errno.EMSGSIZE:
            return Permanent(f"{self._name}: a datagram is larger than the network takes: set a smaller max_size=")
        import os

        return NotConnected(f"{self._name}: {os.strerror(error.errno or 0)}")


async def _writable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(sock, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(sock)
