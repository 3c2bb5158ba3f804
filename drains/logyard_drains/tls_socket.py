"""TLS over a `StreamSocket`: certificates checked both ways, and refusals told in one clear line.

The cipher text goes through memory, so that written bytes can be compared with what the peer's kernel has
acknowledged, and so that the peer's alerts are read all the time: with TLS 1.3 a server refuses a client's
certificate only after the client believes the handshake to be over.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from logyard.drain import DrainURI
from logyard.errors import DrainError, NotConnected, Permanent, UsageError
from logyard_drains.stream_socket import CONNECT_TIMEOUT, StreamSocket, address_text, connect

if TYPE_CHECKING:
    import ssl

__all__ = ["PARAMETERS", "TlsSettings", "TlsSocket", "connect_tls", "make_context", "tls_failure"]

PARAMETERS = ("ca", "cert", "key", "servername")
FIRST_ANSWER = 0.2
"""Seconds that a server gets at least, after the handshake, to refuse the client's certificate."""
_PIECE = 256 * 1024
# X509_V_ERR_* of OpenSSL (x509_vfy.h)
_NOT_YET, _EXPIRED = 9, 10
_WRONG_NAME = (62, 64)
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21, 27)
# Alerts (RFC 8446, 6.2) as OpenSSL spells them.
_ABOUT_CERTIFICATES = ("certificate", "unknown ca", "access denied", "decrypt error", "handshake failure")
_ABOUT_PARAMETERS = ("protocol version", "insufficient security", "unrecognized name", "no application protocol")


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Attributes:
    ca: file with the authorities to trust; None for the system's.
    cert, key: our own certificate (chain) and its key, None for none.
    servername: the name that the server's certificate must have; "" for the host's.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    servername: str = ""

    @classmethod
    def of(cls, uri: DrainURI) -> TlsSettings:
        """The settings in a URI's parameters `PARAMETERS`."""
        paths: dict[str, Path | None] = {}
        for name in ("ca", "cert", "key"):
            text = uri.text(name)
            if text and not text.startswith("/"):
                raise UsageError(f"{name}={text!r}: give the file's absolute path")
            paths[name] = Path(text) if text else None
        if paths["key"] and not paths["cert"]:
            raise UsageError("key= is given without cert=: name the certificate that the key belongs to")
        return cls(**paths, servername=uri.text("servername"))


def make_context(settings: TlsSettings) -> ssl.SSLContext:
    """Read the files; blocks.

    Raises:
        Permanent: a file is missing, unreadable or no certificate or key.
    """
    import ssl

    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except ssl.SSLError as error:
        raise Permanent(f"ca={settings.ca}: no certificate in PEM form in it ({error.reason or error})") from None
    except OSError as error:
        raise Permanent(f"ca={settings.ca}: {error.strerror}") from None
    if settings.cert is None:
        return context
    for path in filter(None, (settings.cert, settings.key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise Permanent(f"{path}: {error.strerror}") from None

    def no_password() -> str:
        # Without it OpenSSL would ask on the terminal.
        raise Permanent(f"{settings.key or settings.cert}: the key has a password; give one without")

    try:
        context.load_cert_chain(settings.cert, settings.key, password=no_password)
    except ssl.SSLError as error:
        what = f"cert={settings.cert} key={settings.key or '(in it)'}"
        if error.reason == "KEY_VALUES_MISMATCH":
            raise Permanent(f"{what}: the key does not belong to the certificate") from None
        raise Permanent(f"{what}: not a certificate and a key in PEM form ({error.reason or error})") from None
    return context


async def connect_tls(host: str, port: int, settings: TlsSettings, timeout: float = CONNECT_TIMEOUT) -> TlsSocket:
    """A connection whose server proved its name, and which has not refused us at once.

    Raises:
        NotConnected: no answer, or the server closed the connection during the handshake.
        Permanent: a certificate, ours or theirs, is refused, or the server does not speak TLS.
    """
    loop = asyncio.get_running_loop()
    context = await asyncio.to_thread(make_context, settings)
    sock = await connect(host, port, timeout)
    started = loop.time()
    try:
        tls = TlsSocket(sock, address_text(host, port), context, settings.servername or host)
        try:
            await asyncio.wait_for(tls.handshake(), timeout)
        except TimeoutError:
            raise NotConnected(f"{tls.name}: no TLS handshake in {timeout:g} s; does this port speak TLS?") from None
        tls.start()
        # The handshake took at least one round trip; a refusal takes another one.
        await tls.settle(max(FIRST_ANSWER, 2 * (loop.time() - started)))
    except BaseException:
        loop.remove_reader(sock)
        sock.close()
        raise
    return tls


class TlsSocket(StreamSocket):
    """An encrypted connection; ``written`` and ``pending`` count encrypted bytes."""

    def __init__(self, sock: socket.socket, name: str, context: ssl.SSLContext, servername: str) -> None:
        import ssl

        super().__init__(sock, name)
        self._servername = servername
        self._received = ssl.MemoryBIO()
        self._to_send = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_hostname=servername)
        self._answered = asyncio.Event()

    async def handshake(self) -> None:
        """Agree on keys, and check the server's certificate.

        Raises:
            NotConnected, Permanent: as `connect_tls`.
        """
        import ssl

        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
            except ssl.SSLError as error:
                with suppress(NotConnected):
                    await self._flush()  # the alert that tells the server why
                raise self._translate(error) from None
            try:
                data = await self._loop.sock_recv(self._sock, 65536)
            except OSError as error:
                raise NotConnected(f"{self.name}: {error.strerror} during the TLS handshake") from None
            if not data:
                raise NotConnected(f"{self.name}: the server closed the connection during the TLS handshake")
            self._received.write(data)
        await self._flush()

    async def settle(self, timeout: float) -> None:
        """Wait until the server has said something, or nothing for ``timeout`` seconds.

        Raises:
            NotConnected, Permanent: it refused us.
        """
        answer, end = asyncio.ensure_future(self._answered.wait()), asyncio.ensure_future(self.ended.wait())
        try:
            await asyncio.wait((answer, end), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            answer.cancel()
            end.cancel()
        try:
            self.check()
        except NotConnected as error:
            # rsyslog, for one, closes without an alert.
            raise NotConnected(
                f"{error} right after the TLS handshake, as servers do that refuse the client's certificate: "
                "check cert= and key="
            ) from None

    async def write(self, data: bytes) -> None:
        self.check()
        view = memoryview(data)
        for start in range(0, len(view), _PIECE):
            self._tls.write(view[start : start + _PIECE])
            await super().write(self._to_send.read())

    async def shut(self) -> None:
        import ssl

        if self._failure is None:
            try:
                self._tls.unwrap()
            except ssl.SSLWantReadError:
                pass  # our close_notify is written; the answer need not be waited for (RFC 5425, 4.4)
            except ssl.SSLError as error:
                self._end(self._translate(error))
                return
            try:
                await self._flush()
            except NotConnected:
                return
            await super().shut()

    async def _flush(self) -> None:
        if data := self._to_send.read():
            try:
                await self._loop.sock_sendall(self._sock, data)
            except OSError as error:
                self._end(NotConnected(f"{self.name}: {error.strerror}"))
                self.check()
            self.written += len(data)

    def _take(self, data: bytes) -> None:
        import ssl

        self._received.write(data)
        try:
            while self._tls.read(65536):
                pass
        except ssl.SSLWantReadError:
            self._answered.set()
        except ssl.SSLZeroReturnError:
            self.ended_well = self._shut
            self._closed()
        except ssl.SSLError as error:
            self._end(self._translate(error))

    def _translate(self, error: ssl.SSLError) -> DrainError:
        return tls_failure(self.name, self._servername, error)


def tls_failure(name: str, servername: str, error: ssl.SSLError) -> DrainError:
    """A failure of TLS as one line that says what to do.

    Args:
        name: of the server, for the line.
        servername: the name that its certificate must have.
    """
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return Permanent(f"{name}: {_refusal(error, servername)}")
    reason = (error.reason or str(error)).replace("_", " ").lower()
    alert = reason.partition("alert ")[2]
    if any(word in alert for word in _ABOUT_CERTIFICATES):
        return Permanent(
            f"{name}: the server refused our certificate ({alert}): set cert= and key= to ones that it trusts"
        )
    if alert in _ABOUT_PARAMETERS:
        return Permanent(f"{name}: the server refused the TLS connection ({alert})")
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"):
        return Permanent(f"{name}: the server does not speak TLS on this port")
    return NotConnected(f"{name}: TLS failed: {reason}")


def _refusal(error: ssl.SSLCertVerificationError, servername: str) -> str:
    code, message = error.verify_code, error.verify_message
    if code in _WRONG_NAME:
        return f"the server's certificate is not for {servername!r}: set servername= to the name that it has"
    if code == _EXPIRED:
        return "the server's certificate has expired: it must be renewed there"
    if code == _NOT_YET:
        return "the server's certificate is not valid yet: compare the clocks"
    if code in _UNKNOWN_AUTHORITY:
        return f"the server's certificate is not signed by an authority we trust ({message}): set ca= to its file"
    return f"the server's certificate is refused: {message}"
