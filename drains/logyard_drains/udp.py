"""``udp://host:port``: one record a datagram."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from logyard.batch import Selection
from logyard.drain import Context, DrainURI
from logyard.errors import UsageError
from logyard.formats import make_format
from logyard.formats.framing import cut_text
from logyard_drains.datagram_drain import LARGEST, DatagramDrain, open_datagrams
from logyard_drains.stream_socket import address_text

if TYPE_CHECKING:
    from logyard.formats import Format

__all__ = ["Config", "configure", "open"]


@dataclass(frozen=True, slots=True)
class Config:
    """Attributes:
    host, port: where to send to.
    format: how a record is written.
    max_size: bytes of a datagram; longer records are cut.
    """

    host: str
    port: int
    format: Format
    max_size: int = LARGEST


def configure(uri: DrainURI) -> Config:
    """Settings from ``udp://host:port?...`` (docs/drains.md)."""
    uri.refuse_unknown("format", "max_size")
    if not uri.host or not uri.port or uri.path not in ("", "/"):
        raise UsageError("udp:// needs a host and a port and nothing behind them: write udp://host:port")
    if uri.user is not None:
        raise UsageError("udp:// has no user")
    return Config(
        host=uri.host,
        port=uri.port,
        format=make_format(uri.text("format", "json")),
        max_size=uri.number("max_size", LARGEST, minimum=64, maximum=LARGEST),
    )


@asynccontextmanager
async def open(config: Config, context: Context) -> AsyncIterator[DatagramDrain]:  # noqa: A001 - the contract's name
    """Look the host up.

    Raises:
        NotConnected: its name cannot be resolved, or there is no way to it.
    """
    async with open_datagrams(config.host, config.port) as sock:
        name = address_text(config.host, config.port)
        yield DatagramDrain(sock, name, partial(datagrams, config))


def datagrams(config: Config, selection: Selection) -> tuple[list[bytes], int]:
    """The records, each with a newline behind it, and how many were cut to fit."""
    room = config.max_size - 1
    records = config.format.encode(selection)
    cut = sum(len(record) > room for record in records)
    if cut:
        records = [cut_text(record, room) for record in records]
    return [record + b"\n" for record in records], cut
