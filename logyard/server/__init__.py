"""Redis as logyard sees it: places found by hash tag, pipelined connections, one failure domain.

A `Server` lives as long as its connections: when one breaks, calls raise `ConnectionLost`, and whoever holds the
server leaves it and connects again, finding the right machine anew. Nothing is repeated behind anyone's back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from ssl import SSLContext
from typing import Any

from logyard.errors import ConnectionLost, ServerError, ServerLoading, UsageError
from logyard.server import keys
from logyard.server.connection import Connection
from logyard.server.scripts import SCRIPTS
from logyard.server.topology import Place, locate, tls_context
from logyard.server.url import ServerURL

__all__ = ["Connection", "Server", "ServerURL", "connect"]

OLDEST_REDIS = (7, 0)
MAX_PARTITIONS = 1024
LOADED_WITHIN = 5.0
"""Seconds that a server which has just been started may take to read what it holds before `connect` gives up."""


class Server:
    """A connected Redis. Made by `connect`.

    Attributes:
        partitions: how many partitions the streams of this deployment are spread over.
        version: e.g. ``Redis 7.0.15`` or ``Valkey 9.1.2``.
        run_id: changes whenever the server process (behind the global keys) is another one.
    """

    def __init__(self, url: ServerURL, tls: SSLContext | None) -> None:
        self.url = url
        self.partitions = 1
        self.version = ""
        self.run_id = ""
        self._tls = tls
        self._places: dict[str, Place] = {}
        self._links: dict[Place, Connection] = {}

    @property
    def tags(self) -> list[str]:
        """The hash tags of all partitions."""
        return [keys.partition_tag(number) for number in range(self.partitions)]

    def link(self, tag: str) -> Connection:
        """The shared connection to the server that holds the keys of ``tag``. Never block on it."""
        return self._links[self._places[tag]]

    async def call(self, tag: str, *args: bytes | str | int | float) -> Any:
        """One command on the shared connection; see `Connection.call`."""
        return await self.link(tag).call(*args)

    @contextlib.asynccontextmanager
    async def dedicated(self, tag: str) -> AsyncIterator[Connection]:
        """A connection of its own, for commands that block."""
        connection = await self._connect(self._places[tag])
        try:
            yield connection
        finally:
            connection.close()

    @property
    def lost(self) -> ConnectionLost | None:
        """Why a shared connection ended, None while all live."""
        return next((link.lost for link in self._links.values() if link.lost is not None), None)

    async def _connect(self, place: Place) -> Connection:
        url = self.url
        connection = await Connection.open(
            place.name, address=place.address, path=place.path, tls=self._tls, servername=url.servername
        )
        try:
            if url.password is not None:
                await connection.call("AUTH", *((url.user,) if url.user else ()), url.password)
            if url.db:
                await connection.call("SELECT", url.db)
        except BaseException:
            connection.close()
            raise
        return connection

    async def open(self, tags: list[str]) -> None:
        """Find and connect the servers of ``tags``; see `connect`."""
        self._places |= await locate(self.url, tags)
        for place in {self._places[tag] for tag in tags} - set(self._links):
            link = self._links[place] = await self._connect(place)
            await self._check_version(link, place)
            await self._load_scripts(link)

    async def _load_scripts(self, link: Connection) -> None:
        """Have the server know the scripts; while it still reads what it holds, this is what it refuses."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LOADED_WITHIN
        scripts = list(SCRIPTS)
        while scripts:
            try:
                await link.call("SCRIPT", "LOAD", scripts[-1].text)
                scripts.pop()
            except ServerLoading:
                if loop.time() >= deadline:
                    raise
                await asyncio.sleep(0.02)

    async def _check_version(self, link: Connection, place: Place) -> None:
        answer: bytes = await link.call("INFO", "server")
        lines = answer.decode(errors="replace").splitlines()
        info = dict(line.split(":", 1) for line in lines if ":" in line)
        valkey, version = info.get("valkey_version"), info.get("redis_version", "0")
        self.version = f"Valkey {valkey}" if valkey else f"Redis {version}"
        self.run_id = info.get("run_id", "")
        if valkey is None and tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < OLDEST_REDIS:
            raise ServerError(
                f"{place.name} is {self.version}; logyard needs Redis 7.0 or later, or Valkey: "
                "older ones lack the stream commands and the replication of scripts that it relies on"
            )

    def close(self) -> None:
        """End all shared connections."""
        for link in self._links.values():
            link.close()


@contextlib.asynccontextmanager
async def connect(url: str, *, partitions: int | None = None) -> AsyncIterator[Server]:
    """A connection to the Redis at ``url``; closed when the context is left.

    Args:
        url: see `logyard.server.url`.
        partitions: how many there shall be, from the services that write; the first one to come decides,
            None takes what is there.

    Raises:
        UsageError: the address is wrong.
        ConnectionLost: Redis cannot be reached.
        ServerError: it is too old, refuses the password, or holds another number of partitions.
    """
    if partitions is not None and not 1 <= partitions <= MAX_PARTITIONS:
        raise UsageError(f"{partitions} partitions: give 1 to {MAX_PARTITIONS}")
    parsed = ServerURL.parse(url)
    server = Server(parsed, tls_context(parsed))
    try:
        await server.open([keys.GLOBAL])
        if partitions is not None:
            await server.call(keys.GLOBAL, "HSETNX", keys.CONFIG, "partitions", partitions)
        stored = await server.call(keys.GLOBAL, "HGET", keys.CONFIG, "partitions")
        server.partitions = int(stored or 1)
        if partitions is not None and server.partitions != partitions:
            raise ServerError(
                f"the streams in {parsed.shown} are spread over {server.partitions} partitions, the settings say "
                f"{partitions}: the number is set once for a deployment"
            )
        await server.open(server.tags)
        yield server
    finally:
        server.close()
