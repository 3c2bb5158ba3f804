"""One pipelined connection to one Redis server, on hiredis's reader.

Commands may be in flight one behind the other; their answers come back in order. redis-py finds the server
(`logyard.server.topology`); it does not carry the batches, because it allows one command at a time a
connection and costs twice the time for each.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Iterable
from ssl import SSLContext
from typing import Any

import hiredis

from logyard.errors import ConnectionLost, ServerError, ServerFull, ServerLoading
from logyard.server.scripts import EVEN_FULL

__all__ = ["Connection"]

ANSWER_WITHIN = 30.0
"""Seconds after which a server that does not answer is taken for dead."""

# The server is alive but is not the one to talk to (any more): find the right one and come back.
_ELSEWHERE = ("MOVED", "ASK", "CLUSTERDOWN", "READONLY", "MASTERDOWN", "TRYAGAIN", "UNBLOCKED", "NOSCRIPT")


class Connection(asyncio.Protocol):
    """See the module. Made by `Connection.open`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._reader = hiredis.Reader()
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._lost: ConnectionLost | None = None
        self._answered = self._loop.time()
        self._watch: asyncio.TimerHandle | None = None

    @classmethod
    async def open(
        cls,
        name: str,
        *,
        address: tuple[str, int] | None = None,
        path: str = "",
        tls: SSLContext | None = None,
        servername: str | None = None,
        timeout: float = 5.0,
    ) -> Connection:
        """Connect to a host and port, or to a unix socket.

        Args:
            name: how messages call the server; holds no secret.
            timeout: seconds until a host that does not answer is given up.

        Raises:
            ConnectionLost: it cannot be reached; the text says why.
            ServerError: its certificate is not valid for it.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                if address is None:
                    _, connection = await loop.create_unix_connection(lambda: cls(name), path)
                else:
                    host, port = address
                    _, connection = await loop.create_connection(
                        lambda: cls(name), host, port, ssl=tls, server_hostname=(servername or host) if tls else None
                    )
        except TimeoutError:
            raise ConnectionLost(f"{name} does not answer within {timeout:g} s") from None
        except OSError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                reason = getattr(error, "verify_message", "") or str(error)
                raise ServerError(f"the certificate of {name} is not valid: {reason}; set ca= or servername=") from None
            # asyncio puts the address into strerror, in Python's notation
            raise ConnectionLost(f"cannot reach {name}: {os.strerror(error.errno) if error.errno else error}") from None
        return connection

    def call(self, *args: bytes | str | int | float) -> asyncio.Future[Any]:
        """Send a command; the future gets its answer, as bytes, int, list or None.

        The future fails with `ServerError` when Redis refuses the command, and with `ConnectionLost` when the
        connection broke first (then the command may or may not have been carried out).
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._lost is not None or self._transport is None:
            future.set_exception(self._lost or ConnectionLost(f"the connection to {self.name} is closed"))
            return future
        if not self._waiting:
            self._answered = self._loop.time()
            if self._watch is None:
                self._watch = self._loop.call_later(ANSWER_WITHIN, self._check)
        self._waiting.append(future)
        self._transport.write(hiredis.pack_command(args))  # type: ignore[arg-type]  # its stub says one argument
        return future

    def calls(self, commands: Iterable[tuple[bytes | str | int | float, ...]]) -> list[asyncio.Future[Any]]:
        """Send several commands; see `call`."""
        return [self.call(*command) for command in commands]

    def call_even_full(self, command: str, key: str, *args: bytes | str | int | float) -> asyncio.Future[Any]:
        """A small write that is carried out also when the server's memory is used up; see `call`."""
        return self.call(b"EVALSHA", EVEN_FULL.sha, 1, key, command, *args)

    @property
    def lost(self) -> ConnectionLost | None:
        """Why the connection ended, None while it lives."""
        return self._lost

    def close(self) -> None:
        """End the connection; commands still in flight fail with `ConnectionLost`."""
        self._fail(ConnectionLost(f"the connection to {self.name} is closed"))

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in {socket.AF_INET, socket.AF_INET6}:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        reader, waiting = self._reader, self._waiting
        self._answered = self._loop.time()
        try:
            reader.feed(data)
            while (answer := reader.gets()) is not False:
                future = waiting.popleft()
                if future.done():  # whoever asked has been cancelled
                    continue
                if isinstance(answer, hiredis.ReplyError):
                    future.set_exception(self._refusal(str(answer)))
                else:
                    future.set_result(answer)
        except (hiredis.ProtocolError, IndexError):
            self._fail(ConnectionLost(f"{self.name} does not speak Redis's protocol"))

    def connection_lost(self, exc: Exception | None) -> None:
        reason = getattr(exc, "strerror", None) or exc or "it closed the connection"
        self._fail(ConnectionLost(f"lost {self.name}: {reason}"))

    # inside

    def _refusal(self, text: str) -> ServerError:
        code = text.partition(" ")[0]
        if code == "OOM":
            return ServerFull(f"{self.name} is out of memory: {text}")
        if code == "LOADING":
            return ServerLoading(f"{self.name} is loading what it holds into memory; try again in a moment")
        if code in _ELSEWHERE:
            return ConnectionLost(f"{self.name}: {text}")
        if code in {"WRONGPASS", "NOAUTH", "NOPERM"}:
            return ServerError(f"{self.name} refuses: {text}; check user, password and permissions of the Redis URL")
        return ServerError(f"{self.name}: {text}")

    def _check(self) -> None:
        self._watch = None
        if not self._waiting or self._lost is not None:
            return
        silent = self._loop.time() - self._answered
        if silent >= ANSWER_WITHIN:
            self._fail(ConnectionLost(f"{self.name} has not answered for {silent:.0f} s"))
        else:
            self._watch = self._loop.call_later(ANSWER_WITHIN - silent, self._check)

    def _fail(self, error: ConnectionLost) -> None:
        if self._lost is None:
            self._lost = error
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(self._lost)
                future.exception()  # looked at: whoever still waits gets it, nobody else is told
