"""Requests to one HTTP endpoint over kept connections; every failure in the vocabulary of `logyard.errors`."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode
from weakref import WeakSet

from logyard import __version__
from logyard.drain import DrainURI
from logyard.errors import DrainError, NotConnected, UsageError
from logyard.secret import Secret
from logyard_drains.http_answer import Answer, Masking, StatusCodes, failure
from logyard_drains.http_auth import authorization, own_headers
from logyard_drains.http_body import body_of
from logyard_drains.http_compression import COMPRESSIONS, Compression, compressed
from logyard_drains.stream_socket import CONNECT_TIMEOUT, address_text, connect, tune
from logyard_drains.tls_socket import PARAMETERS as TLS_PARAMETERS
from logyard_drains.tls_socket import TlsSettings, connect_tls, make_context, tls_failure

if TYPE_CHECKING:
    import ssl

    from aiohttp import ClientResponse, ClientSession

__all__ = ["PARAMETERS", "TLS_PARAMETERS", "Endpoint", "HttpClient", "open_endpoint"]

PARAMETERS = ("compression", "timeout", "in_flight")
"""Parameters of every destination over HTTP; those over TLS have `TLS_PARAMETERS` as well."""
TIMEOUT = 30.0
IN_FLIGHT = 4
MOST_IN_FLIGHT = 64
_ANSWER = 64 * 1024
"""Bytes of an answer that are read; a connection with more in it is not used again."""
_DNS_SECONDS = 10
_LOOK_AT_FILES = 5.0
_TURNS = 10
"""Of the event loop, more than it takes to notice that a socket was shut."""
_PORTS = {"http": 80, "https": 443}
_PATH_SAFE = "/:@!$&'()*+,;=~-._"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go and what is the same for all of them.

    Attributes:
        scheme: ``http`` or ``https``.
        host, port: of the server; port None for the scheme's.
        target: path and query as they are sent, percent-encoded. May hold secrets.
        method: ``POST`` or ``PUT``.
        headers: beside those that are sent in any case; Authorization is among them.
        tls: certificates.
        compression: of bodies.
        timeout: seconds that a request may take, connecting included.
        in_flight: requests at once.
        success: codes that count as delivered.
        hints: what to check when one of these codes comes, beside what is said for all endpoints.
        secrets: text that must not be seen when the server repeats it, beside the headers' values and ``target``.
    """

    scheme: str
    host: str
    port: int | None = None
    target: Secret = field(default_factory=lambda: Secret("/"))
    method: str = "POST"
    headers: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    tls: TlsSettings = field(default_factory=TlsSettings)
    compression: Compression = "none"
    timeout: float = TIMEOUT
    in_flight: int = IN_FLIGHT
    success: StatusCodes = field(default_factory=StatusCodes)
    hints: Mapping[int, str] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()

    @classmethod
    def of(
        cls,
        uri: DrainURI,
        *,
        tls: bool,
        path: str = "/",
        query: Mapping[str, str] | None = None,
        content_type: str,
        method: str = "POST",
        headers: Mapping[str, Secret] | None = None,
        success: StatusCodes | None = None,
        in_flight: int = IN_FLIGHT,
        hints: Mapping[int, str] | None = None,
        secrets: Iterable[str] = (),
    ) -> Endpoint:
        """From an address and its parameters `PARAMETERS` (with ``tls`` also `TLS_PARAMETERS`).

        Args:
            uri: host, port, user, password, parameters ``bearer`` and ``header.NAME`` are read from it.
            path: in plain text.
            query: the endpoint's own parameters.
            headers: further ones.
            in_flight: requests at once where the address does not say.
            hints, secrets: as the attributes.

        Raises:
            UsageError: what is wrong with it.
        """
        if not uri.host:
            raise UsageError(f"{uri.scheme}:// needs a host: write {uri.scheme}://host/path")
        if not uri.host.isascii():
            raise UsageError(f"{uri.host!r}: write the host's name as name servers know it (xn--...)")
        account = authorization(uri)
        own = own_headers(uri)
        if account is not None and any(name.lower() == "authorization" for name in own):
            raise UsageError("header.Authorization= is given beside a user or bearer=: give one of them")
        timeout = uri.seconds("timeout", TIMEOUT)
        if timeout <= 0:
            raise UsageError("timeout= must be more than nothing: write 30s")
        compression = uri.text("compression", "none", choices=COMPRESSIONS)
        target = quote(path or "/", safe=_PATH_SAFE) + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        typed = {"Content-Type": Secret(content_type)} if content_type else {}
        return cls(
            scheme="https" if tls else "http",
            host=uri.host,
            port=uri.port,
            target=Secret(target),
            method=method,
            headers={**typed, **(headers or {}), **own, **({"Authorization": account} if account else {})},
            tls=TlsSettings.of(uri) if tls else TlsSettings(),
            compression=next(known for known in COMPRESSIONS if known == compression),
            timeout=timeout,
            in_flight=uri.number("in_flight", in_flight, minimum=1, maximum=MOST_IN_FLIGHT),
            success=success or StatusCodes(),
            hints=hints or {},
            secrets=tuple(
                Secret(text)
                for text in (uri.password, uri.params.get("bearer"), *(query or {}).values(), *secrets)
                if text
            ),
        )

    @property
    def shown(self) -> str:
        """The server, for messages; the path is left out, as it may be a secret."""
        port = self.port or _PORTS[self.scheme]
        default = port == _PORTS[self.scheme]
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" if default else f"{self.scheme}://{address_text(self.host, port)}"

    def masking(self) -> Masking:
        """For what the server says."""
        values = [header.reveal() for name, header in self.headers.items() if name != "Content-Type"]
        credentials = [value.rpartition(" ")[2] for value in values]
        target = self.target.reveal()
        paths = [target, target.partition("?")[0]] if len(target) > 1 else []
        return Masking([*values, *credentials, *paths, *(secret.reveal() for secret in self.secrets)])


@asynccontextmanager
async def open_endpoint(endpoint: Endpoint) -> AsyncIterator[HttpClient]:
    """Try to connect, and be ready for requests.

    No request is made for that: an endpoint that only takes records cannot be asked anything.

    Raises:
        NotConnected: nobody answers.
        Permanent: a certificate, ours or theirs, is refused or cannot be read.
    """
    port = endpoint.port or _PORTS[endpoint.scheme]
    if endpoint.scheme == "https":
        (await connect_tls(endpoint.host, port, endpoint.tls)).close()
    else:
        (await connect(endpoint.host, port)).close()
    client = HttpClient(endpoint)
    try:
        yield client
    finally:
        await client.close()


class HttpClient:
    """Ready to send; its connections are made when they are needed, and names are looked up again for each."""

    def __init__(self, endpoint: Endpoint) -> None:
        from multidict import CIMultiDict
        from yarl import URL

        self.endpoint = endpoint
        self.name = endpoint.shown
        self.masked = endpoint.masking()
        self._url = URL(f"{endpoint.shown}{endpoint.target.reveal()}", encoded=True)
        self._headers = CIMultiDict({"User-Agent": f"logyard/{__version__}", "Accept-Encoding": "identity"})
        self._headers.update({name: value.reveal() for name, value in endpoint.headers.items()})
        if endpoint.compression != "none":
            self._headers["Content-Encoding"] = endpoint.compression
        self._certificates = _Certificates(endpoint.tls) if endpoint.scheme == "https" else None
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._session = self._make_session()

    def _make_session(self) -> ClientSession:
        import aiohttp

        endpoint = self.endpoint
        # The environment's proxies are not used, cookies not kept, redirects not followed: see docs/drains.md.
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=endpoint.in_flight, ttl_dns_cache=_DNS_SECONDS, socket_factory=self._make_socket
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=endpoint.timeout, sock_connect=min(CONNECT_TIMEOUT, endpoint.timeout)),
            auto_decompress=False,
        )

    def _make_socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, _ = info
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            tune(sock)
        except OSError:
            sock.close()
            raise
        self._sockets.add(sock)
        return sock

    async def close(self) -> None:
        """Close the connections, at once even those whose server takes nothing."""
        await self._session.close()
        # A transport that is closed waits until the server has taken what is in its buffer, and may wait for ever.
        left = [sock for sock in self._sockets if sock.fileno() >= 0]
        for sock in left:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for _ in range(_TURNS):
            if all(sock.fileno() < 0 for sock in left):
                break
            await asyncio.sleep(0)

    async def send(self, pieces: Sequence[bytes]) -> Answer:
        """Make one request, its body given in pieces; the answer is one of success.

        Raises:
            DrainError: what the server, or the way to it, answered otherwise.
        """
        answer = await self.request(pieces)
        if answer.status not in self.endpoint.success:
            raise failure(self.name, answer, self.masked, time.time(), self.endpoint.hints)
        return answer

    async def request(self, pieces: Sequence[bytes]) -> Answer:
        """Make one request, its body given in pieces.

        Returns:
            The answer, whatever it is; all of it has come, up to 64 KiB.

        Raises:
            NotConnected: there was none, or it broke off.
            Permanent: a certificate is refused.
        """
        packed = await compressed(pieces, self.endpoint.compression)
        context = None if self._certificates is None else await self._certificates.context()
        try:
            async with self._session.request(
                self.endpoint.method,
                self._url,
                data=body_of(packed),
                headers=self._headers,
                allow_redirects=False,
                ssl=True if context is None else context,
                server_hostname=self.endpoint.tls.servername or None,
            ) as response:
                return await _read(response)
        except Exception as error:  # whatever the client raises may hold the address and headers: none of it goes on
            raise self._translate(error) from None

    def _translate(self, error: Exception) -> DrainError:
        import ssl

        import aiohttp

        name, endpoint = self.name, self.endpoint
        causes = (getattr(error, "certificate_error", None), getattr(error, "os_error", None), error, error.__cause__)
        for cause in causes:
            if isinstance(cause, ssl.SSLError):
                return tls_failure(name, endpoint.tls.servername or endpoint.host, cause)
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            reason = f"no connection in {min(CONNECT_TIMEOUT, endpoint.timeout):g} s"
        elif isinstance(error, TimeoutError):
            reason = f"no answer in {endpoint.timeout:g} s"
        elif isinstance(error, aiohttp.ClientConnectorDNSError):
            reason = "the name cannot be resolved"
        elif isinstance(error, aiohttp.ServerDisconnectedError):
            reason = "the server closed the connection without an answer"
        elif isinstance(error, aiohttp.ClientPayloadError):
            reason = "the answer broke off"
        elif isinstance(error, aiohttp.ClientResponseError):
            reason = "what came is no answer of HTTP"
        elif isinstance(error, OSError):
            reason = os.strerror(error.errno) if error.errno else "the connection broke"
        else:
            reason = f"{type(error).__name__}: {self.masked(str(error))}"
        return NotConnected(f"{name}: {reason}")


async def _read(response: ClientResponse) -> Answer:
    """The answer with all of its body; one that is too long to be interesting costs its connection."""
    body = bytearray()
    while len(body) < _ANSWER and (data := await response.content.read(_ANSWER - len(body))):
        body += data
    if not response.content.at_eof():
        response.close()
    encoded = response.headers.get("Content-Encoding", "identity") != "identity"
    return Answer(
        response.status,
        "" if encoded else body.decode("utf-8", "replace"),
        response.headers.get("Retry-After", ""),
        response.headers.get("Location", ""),
    )


@cache
class _Certificates:
    """The TLS context; made anew when a file has changed, so that the next connection uses what is there then."""

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self._context: ssl.SSLContext | None = None
        self._seen: tuple[object, ...] = ()
        self._looked = 0.0

    async def context(self) -> ssl.SSLContext:
        now = asyncio.get_running_loop().time()
        if self._context is not None and now - self._looked < _LOOK_AT_FILES:
            return self._context
        self._looked = now
        seen = await asyncio.to_thread(self._state)
        if self._context is None or seen != self._seen:
            self._context = await asyncio.to_thread(make_context, self._settings)
            self._seen = seen
        return self._context

    def _state(self) -> tuple[object, ...]:
        states: list[object] = []
        for path in (self._settings.ca, self._settings.cert, self._settings.key):
            try:
                found = None if path is None else os.stat(path)  # noqa: PTH116 - `Path.stat` is the same
            except OSError:
                found = None
            states.append(found and (found.st_mtime_ns, found.st_size, found.st_ino))
        return tuple(states)
