"""Sending over a connection whose peer never answers; shared by ``syslog://`` and ``tcp://``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from logyard.batch import Selection
from logyard.drain import Limits, Receipt
from logyard_drains.confirmation import Confirmation
from logyard_drains.stream_socket import StreamSocket

__all__ = ["StreamDrain", "resend_window"]

_LEAST_WINDOW = 8 * 1024 * 1024
_ABOVE = 2 * 1024 * 1024
_TCP_RMEM = Path("/proc/sys/net/ipv4/tcp_rmem")
_LOOK = 0.02


def resend_window(tcp_rmem: Path = _TCP_RMEM) -> int:
    """More bytes than a receiver's buffer holds, if it is set up as on this machine.

    The largest receive buffer is the third number of tcp_rmem (tcp(7)), 6 MiB unless somebody changed it.
    """
    try:
        largest = int(tcp_rmem.read_text(encoding="ascii").split()[2])
    except (OSError, ValueError, IndexError):
        largest = 0
    return max(_LEAST_WINDOW, largest + _ABOVE)


class StreamDrain:
    """An open connection.

    Args:
        stream: the connection.
        encode: the framed bytes of a selection, and how many records had to be cut for it.
        window: see `Confirmation`; None for `resend_window`.
    """

    # More at once would only be copied through slower memory: nothing is waited for between two writes.
    limits = Limits(max_bytes=512 * 1024)

    def __init__(
        self, stream: StreamSocket, encode: Callable[[Selection], tuple[bytes, int]], window: int | None
    ) -> None:
        self._stream = stream
        self._encode = encode
        self._confirmation = Confirmation(resend_window() if window is None else window)
        self._told = 0
        self._finished = False

    async def send(self, records: Sequence[Selection]) -> Receipt | None:
        """Write the records; returns when the kernel has them. See `confirmed`.

        With no records it only looks whether the connection still stands.

        Raises:
            NotConnected: it does not.
            Permanent: the server has refused our certificate.
        """
        encoded = [self._encode(selection) for selection in records]
        data = encoded[0][0] if len(encoded) == 1 else b"".join(block for block, _ in encoded)
        if data:
            await self._stream.write(data)
        else:
            self._stream.check()
        self._confirmation.sent(self._stream.written)
        cut = sum(shortened for _, shortened in encoded)
        return Receipt(cut=cut) if cut else None

    def confirmed(self) -> int:
        """How many sends the peer has read for certain.

        Raises:
            NotConnected: the connection is over with sends outstanding, and all that arrived has been told:
                without new records, nothing else would tell that the others must be sent again.
        """
        confirmation = self._confirmation
        if confirmation.outstanding and not self._finished:
            if self._stream.open:
                self._observe()
            elif confirmation.count == self._told:
                self._stream.check()
        self._told = confirmation.count
        return self._told

    async def finish(self) -> None:
        """Close our side and wait until the peer has closed its own: then it has read everything.

        Raises:
            NotConnected: it broke the connection instead, with sends outstanding.
            Permanent: it has refused our certificate.
        """
        stream, confirmation = self._stream, self._confirmation
        self._finished = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.limits.timeout
        await stream.shut()
        while confirmation.outstanding and stream.open and loop.time() < deadline:
            self._observe()
            try:
                await asyncio.wait_for(stream.ended.wait(), _LOOK)
            except TimeoutError:
                continue
        if stream.ended_well:
            confirmation.all_received()
        elif confirmation.outstanding and not stream.open:
            stream.check()

    def _observe(self) -> None:
        now = asyncio.get_running_loop().time()
        self._confirmation.observe(self._stream.written, self._stream.pending(), now)
