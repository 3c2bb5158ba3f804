"""``tcp://host:port``: records as lines over TCP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logyard.drain import Context, DrainURI
from logyard.errors import UsageError
from logyard.formats import make_format
from logyard_drains.stream_drain import StreamDrain
from logyard_drains.stream_socket import StreamSocket, address_text, connect

if TYPE_CHECKING:
    from logyard.formats import Format

__all__ = ["Config", "configure", "open"]


@dataclass(frozen=True, slots=True)
class Config:
    """Attributes:
    host, port: where to connect.
    format: how a record is written, one a line.
    resend_window: bytes that are sent again after the connection broke; None: as this machine's buffers are.
    """

    host: str
    port: int
    format: Format
    resend_window: int | None = None


def configure(uri: DrainURI) -> Config:
    """Settings from ``tcp://host:port?...`` (docs/drains.md)."""
    uri.refuse_unknown("format", "resend_window")
    if not uri.host or not uri.port or uri.path not in ("", "/"):
        raise UsageError("tcp:// needs a host and a port and nothing behind them: write tcp://host:port")
    if uri.user is not None:
        raise UsageError("tcp:// has no user")
    return Config(
        host=uri.host,
        port=uri.port,
        format=make_format(uri.text("format", "json")),
        resend_window=uri.number("resend_window", 0) if "resend_window" in uri.params else None,
    )


@asynccontextmanager
async def open(config: Config, context: Context) -> AsyncIterator[StreamDrain]:  # noqa: A001 - the contract's name
    """Connect.

    Raises:
        NotConnected: nobody answers.
    """
    sock = await connect(config.host, config.port)
    stream = StreamSocket(sock, address_text(config.host, config.port))
    stream.start()
    try:
        yield StreamDrain(stream, lambda selection: (config.format.block(selection), 0), config.resend_window)
    finally:
        stream.close()
