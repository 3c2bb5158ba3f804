"""``syslog://``, ``syslog+tls://`` and ``syslog+udp://``: syslog messages, RFC 5424 or RFC 3164.

TCP as in RFC 6587 (octet counting, or lines), TLS as in RFC 5425, UDP as in RFC 5426. What a message looks like
is `logyard.formats.syslog`'s business.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

from logyard.batch import Selection
from logyard.drain import Context, DrainURI
from logyard.errors import UsageError
from logyard.formats import make_format
from logyard.formats.syslog import MINIMUM_SIZE, SyslogFormat
from logyard_drains import tls_socket
from logyard_drains.datagram_drain import LARGEST, DatagramDrain, open_datagrams
from logyard_drains.stream_drain import StreamDrain
from logyard_drains.stream_socket import StreamSocket, address_text, connect
from logyard_drains.tls_socket import TlsSettings, connect_tls

__all__ = ["Config", "configure", "open"]

PORTS = {"syslog": 514, "syslog+udp": 514, "syslog+tls": 6514}
"""Customary ports: RFC 5426, 3.3 for UDP, RFC 5425, 4.1 for TLS; TCP never got one of its own and borrows UDP's."""
UDP_SIZE = 2048
"""What every receiver should take (RFC 5426, 3.2)."""
HEADERS = ("hostname", "app_name", "procid", "msgid")
MESSAGE = ("rfc", "facility", "severity", "time", *HEADERS, "sd", "sd_json", "format", "max_size")
STREAM = ("framing", "resend_window")
PARAMETERS = {
    "syslog": (*MESSAGE, *STREAM),
    "syslog+tls": (*MESSAGE, *STREAM, *tls_socket.PARAMETERS),
    "syslog+udp": MESSAGE,
}
Framing = Literal["octet", "lf"]


@dataclass(frozen=True, slots=True)
class Config:
    """Attributes:
    scheme: one of `PORTS`.
    host, port: where to send to.
    format: builds the messages.
    framing: how messages are told apart on a stream.
    resend_window: bytes that are sent again after the connection broke; None: as this machine's buffers are.
    tls: certificates, for ``syslog+tls``.
    """

    scheme: str
    host: str
    port: int
    format: SyslogFormat
    framing: Framing = "octet"
    resend_window: int | None = None
    tls: TlsSettings | None = None


def configure(uri: DrainURI) -> Config:
    """Settings from ``syslog://host[:port]?...`` (docs/drains.md)."""
    uri.refuse_unknown(*PARAMETERS[uri.scheme])
    if not uri.host or uri.path not in ("", "/"):
        raise UsageError(f"{uri.scheme}:// needs a host and nothing behind it: write {uri.scheme}://host:port")
    if uri.user is not None:
        raise UsageError(f"{uri.scheme}:// has no user; a client is known by its certificate: syslog+tls:// with cert=")
    return Config(
        scheme=uri.scheme,
        host=uri.host,
        port=uri.port or PORTS[uri.scheme],
        format=_message_format(uri),
        framing=cast("Framing", uri.text("framing", "octet", choices=("octet", "lf"))),
        resend_window=uri.number("resend_window", 0) if "resend_window" in uri.params else None,
        tls=TlsSettings.of(uri) if uri.scheme == "syslog+tls" else None,
    )


def _message_format(uri: DrainURI) -> SyslogFormat:
    udp = uri.scheme == "syslog+udp"
    text = uri.text("format", "raw")
    sd_json = [name.strip() for name in uri.text("sd_json").split(",") if name.strip()]
    return SyslogFormat(
        rfc=int(uri.text("rfc", "5424", choices=("5424", "3164"))),
        facility=uri.text("facility", "user"),
        severity=uri.text("severity", "record"),
        time=uri.text("time", "record", choices=("record", "observed")),
        structured_data=uri.flag("sd", default=True),
        sd_json=sd_json,
        max_size=uri.number("max_size", UDP_SIZE, minimum=MINIMUM_SIZE, maximum=LARGEST)
        if udp
        else (uri.number("max_size", 0, minimum=MINIMUM_SIZE) or None),
        # Text as it was read needs no work at all, so no format either.
        msg_format=None if text == "raw" else make_format(text),
        **{name: uri.text(name) for name in HEADERS if name in uri.params},
    )


@asynccontextmanager
async def open(  # noqa: A001 - the contract's name
    config: Config, context: Context
) -> AsyncIterator[StreamDrain | DatagramDrain]:
    """Connect; certificates are read again each time, names looked up again.

    Raises:
        NotConnected: nobody answers.
        Permanent: a certificate is refused.
    """
    if config.scheme == "syslog+udp":
        async with open_datagrams(config.host, config.port) as sock:
            yield DatagramDrain(sock, address_text(config.host, config.port), partial(_datagrams, config))
        return
    stream: StreamSocket
    if config.tls is not None:
        stream = await connect_tls(config.host, config.port, config.tls)
    else:
        stream = StreamSocket(await connect(config.host, config.port), address_text(config.host, config.port))
        stream.start()
    try:
        yield StreamDrain(stream, partial(_frames, config), config.resend_window)
    finally:
        stream.close()


def _datagrams(config: Config, selection: Selection) -> tuple[list[bytes], int]:
    before = config.format.cut
    return config.format.messages(selection), config.format.cut - before


def _frames(config: Config, selection: Selection) -> tuple[bytes, int]:
    before = config.format.cut
    return config.format.frames(selection, config.framing), config.format.cut - before
