"""One destination for each drain, so that the contract suite can be run over all of them.

A new drain needs a class here, and its name in `DESTINATIONS`.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import IO

import pytest

from logyard.drain import Context, Drain, DrainURI
from logyard.errors import DrainError, NotConnected, Permanent
from tests.drains.records import numbers_in
from tests.drains.sinks import TcpSink, UdpSink
from tests.servers.elasticsearch import Server, shared_elasticsearch
from tests.servers.http_sink import HttpSink
from tests.servers.loggly import Loggly
from tests.servers.proxy import TcpProxy
from tests.servers.redis import RedisServer, embedded_valkey

__all__ = ["DESTINATIONS", "Destination"]

CONTEXT = Context(name="contract", node="node1")


class Destination:
    """Where a drain under test sends to.

    Attributes:
        module: the drain's.
        promises: returning from `send` and `confirmed` mean something; UDP's do not.
        refusal: what opening or sending raises while it is down.
        connects: whether opening alone finds out that it is down.
        can_stall: whether it can stop taking data.
        can_close: whether it can break a connection.
    """

    module = ""
    promises = True
    refusal: type[DrainError] = NotConnected
    connects = True
    can_stall = False
    can_close = False
    secret = ""
    """A secret in its address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def drain(self) -> ModuleType:
        return import_module(self.module)

    @property
    def address(self) -> str:
        """The drain's address, without parameters."""
        raise NotImplementedError

    def uri(self, **params: str) -> DrainURI:
        return DrainURI.parse(self.address, params)

    def open(self, context: Context = CONTEXT, **params: str) -> AbstractAsyncContextManager[Drain]:
        opened: AbstractAsyncContextManager[Drain] = self.drain.open(self.drain.configure(self.uri(**params)), context)
        return opened

    async def up(self) -> None:
        """Take records; again after `down`."""

    async def down(self) -> None:
        """Be unreachable."""

    async def stall(self) -> None:
        """Take no more, and keep the connections."""

    async def go_on(self) -> None:
        """End the stalling."""

    async def close(self) -> None:
        """Break the connections, with what is unread in them."""

    def data(self) -> bytes:
        """All that has arrived."""
        raise NotImplementedError

    def numbers(self) -> list[int]:
        return numbers_in(self.data())

    async def end(self) -> None:
        await self.down()


class FileDestination(Destination):
    module = "logyard_drains.file"
    refusal = Permanent

    @property
    def address(self) -> str:
        return f"file://{self.folder}/logs/out.log"

    async def up(self) -> None:
        gone, there = self.folder / "gone", self.folder / "logs"
        gone.rename(there) if gone.exists() else there.mkdir()

    async def down(self) -> None:
        if (self.folder / "logs").exists():
            (self.folder / "logs").rename(self.folder / "gone")

    def data(self) -> bytes:
        path = self.folder / "logs/out.log"
        return path.read_bytes() if path.exists() else b""


class TcpDestination(Destination):
    module = "logyard_drains.tcp"
    scheme = "tcp"
    can_stall = True
    can_close = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.sink = TcpSink(buffer=64 * 1024)

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.sink.port}"

    async def up(self) -> None:
        await self.sink.start()

    async def down(self) -> None:
        await self.sink.stop()

    async def stall(self) -> None:
        self.sink.reading.clear()

    async def go_on(self) -> None:
        self.sink.reading.set()

    async def close(self) -> None:
        await self.sink.close_connections(reset=True)

    def data(self) -> bytes:
        return self.sink.data


class SyslogDestination(TcpDestination):
    module = "logyard_drains.syslog"
    scheme = "syslog"


class UdpDestination(Destination):
    module = "logyard_drains.udp"
    scheme = "udp"
    promises = False
    connects = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.sink = UdpSink()

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.sink.port}"

    async def up(self) -> None:
        await self.sink.start()

    async def down(self) -> None:
        await self.sink.stop()

    def data(self) -> bytes:
        return self.sink.data


class SyslogUdpDestination(UdpDestination):
    module = "logyard_drains.syslog"
    scheme = "syslog+udp"


class RedisDestination(Destination):
    module = "logyard_drains.redis"
    can_stall = True
    can_close = True
    secret = "a-secret-of-the-tests"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        settings = (f"requirepass {self.secret}",)
        self.server = RedisServer(embedded_valkey(), settings, name="valkey", password=self.secret)
        self._running = False

    @property
    def address(self) -> str:
        return f"redis://:{self.secret}@127.0.0.1:{self.server.port}"

    async def up(self) -> None:
        self.server.start()
        self._running = True

    async def down(self) -> None:
        if self._running:
            self.server.kill()
            self._running = False

    async def stall(self) -> None:
        os.kill(self.server.pid, signal.SIGSTOP)

    async def go_on(self) -> None:
        os.kill(self.server.pid, signal.SIGCONT)

    async def close(self) -> None:
        await self.down()

    def data(self) -> bytes:
        return b"\n".join(self.server.call("LRANGE", "contract", 0, -1))

    async def end(self) -> None:
        self.server.end()


class HttpDestination(Destination):
    module = "logyard_drains.http"
    can_stall = True
    can_close = True
    secret = "a-secret-of-the-tests"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.sink = HttpSink()

    @property
    def address(self) -> str:
        return f"http://user:{self.secret}@127.0.0.1:{self.sink.port}/in?header.X-Key={self.secret}&linger=0"

    async def up(self) -> None:
        self.sink.up()

    async def down(self) -> None:
        self.sink.down()

    async def stall(self) -> None:
        self.sink.stall()

    async def go_on(self) -> None:
        self.sink.go_on()

    async def close(self) -> None:
        # A connection alone that is closed is replaced by another one, which is what HTTP is for.
        self.sink.down()

    def data(self) -> bytes:
        return self.sink.body


class HttpSingleDestination(HttpDestination):
    """One record a request."""

    @property
    def address(self) -> str:
        return f"{super().address}&body=single&format=raw&compression=gzip"


class LogglyDestination(HttpDestination):
    module = "logyard_drains.loggly"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.loggly = Loggly(self.secret)
        self.sink = self.loggly.sink

    @property
    def address(self) -> str:
        return f"loggly+http://{self.secret}@127.0.0.1:{self.sink.port}?tag=web,prod&linger=0"

    def data(self) -> bytes:
        events = sorted(self.loggly.events, key=lambda event: event.connection)
        return b"\n".join(event.text for event in events)


class StdoutDestination(Destination):
    """Standard output is a pipe, read by the test."""

    module = "logyard_drains.stdout"
    refusal = Permanent
    connects = False
    can_stall = True
    address = "stdout://"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._received = bytearray()
        self._reader = -1
        self._writers: list[IO[str]] = []
        self._patch = pytest.MonkeyPatch()

    async def up(self) -> None:
        await self.down()
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._writers.append(os.fdopen(writer, "w"))
        await self.go_on()

    def open(self, context: Context = CONTEXT, **params: str) -> AbstractAsyncContextManager[Drain]:
        # Not in `up`: pytest puts its own standard output in place when a test's body begins.
        self._patch.setattr(sys, "stdout", self._writers[-1])
        return super().open(context, **params)

    async def down(self) -> None:
        if self._reader >= 0:
            await self.stall()
            os.close(self._reader)
            self._reader = -1

    async def stall(self) -> None:
        asyncio.get_running_loop().remove_reader(self._reader)

    async def go_on(self) -> None:
        asyncio.get_running_loop().add_reader(self._reader, self._read)

    def _read(self) -> bool:
        try:
            data = os.read(self._reader, 1 << 20)
        except BlockingIOError:
            return False
        self._received += data
        return bool(data)

    def data(self) -> bytes:
        while self._reader >= 0 and self._read():
            pass
        return bytes(self._received)

    async def end(self) -> None:
        self._patch.undo()
        await self.down()
        for writer in self._writers:
            writer.close()


class ElasticsearchDestination(Destination):
    """An index of its own in the server that all tests share, which is reached through a proxy."""

    module = "logyard_drains.elasticsearch"
    can_stall = True
    can_close = True
    secret = "a-secret-of-the-tests"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.index = f"contract-{secrets.token_hex(6)}"
        self.proxy = TcpProxy(0)
        self.server: Server | None = None

    @property
    def address(self) -> str:
        return f"elasticsearch://somebody:{self.secret}@127.0.0.1:{self.proxy.port}?index={self.index}"

    async def up(self) -> None:
        if self.server is None:
            self.server = await asyncio.to_thread(shared_elasticsearch)
            self.proxy = TcpProxy(self.server.port)
        await self.proxy.start()

    async def down(self) -> None:
        await self.proxy.stop()

    async def stall(self) -> None:
        self.proxy.flowing.clear()

    async def go_on(self) -> None:
        # A request that was given up would otherwise be carried out now, behind later ones.
        await self.proxy.reset()
        self.proxy.flowing.set()

    async def close(self) -> None:
        await self.down()

    def data(self) -> bytes:
        assert self.server is not None
        return "\n".join(hit["_source"]["message"] for hit in self.server.documents(self.index)).encode()


DESTINATIONS: dict[str, type[Destination]] = {
    "elasticsearch": ElasticsearchDestination,
    "file": FileDestination,
    "http": HttpDestination,
    "http, one record a request": HttpSingleDestination,
    "loggly": LogglyDestination,
    "redis": RedisDestination,
    "stdout": StdoutDestination,
    "syslog": SyslogDestination,
    "syslog+udp": SyslogUdpDestination,
    "tcp": TcpDestination,
    "udp": UdpDestination,
}
