"""Stand-ins for a Redis that is too old, and for one that takes its time to load what it holds."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from typing import TypeVar

import pytest

__all__ = ["LoadingRedis", "OldRedis"]

_INFO = b"# Server\r\nredis_version:%s\r\nredis_mode:standalone\r\nrun_id:%s\r\n"


class _Answers(socketserver.StreamRequestHandler):
    server: OldRedis

    def handle(self) -> None:
        while line := self.rfile.readline():
            command = [self._argument() for _ in range(int(line[1:]))]
            if command[0].upper() == b"INFO":
                info = _INFO % (self.server.version, b"0" * 40)
                self.wfile.write(b"$%d\r\n%s\r\n" % (len(info), info))
            elif command[0].upper() in {b"PING", b"AUTH", b"SELECT", b"CLIENT"}:
                self.wfile.write(b"+OK\r\n")
            elif isinstance(self.server, LoadingRedis):
                self.wfile.write(self.server.answer())
            else:
                self.wfile.write(b"-ERR unknown command '%s'\r\n" % command[0])

    def _argument(self) -> bytes:
        length = int(self.rfile.readline()[1:])
        return self.rfile.read(length + 2)[:-2]


class OldRedis(socketserver.ThreadingTCPServer):
    """Attributes: ``url``: its address."""

    daemon_threads = True
    version = b"6.2.14"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.url = f"redis://127.0.0.1:{self.server_address[1]}"


class LoadingRedis(OldRedis):
    """Refuses all but what a loading Redis answers, until it has done so ``refusals`` times."""

    version = b"7.0.15"

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 0

    def answer(self) -> bytes:
        """What a command gets that needs the data."""
        self.refusals -= 1
        return b"-LOADING Redis is loading the dataset in memory\r\n" if self.refusals >= 0 else b"$-1\r\n"


@pytest.fixture
def old_redis() -> Iterator[OldRedis]:
    """A server that answers as Redis 6.2 does."""
    yield from _serve(OldRedis())


@pytest.fixture
def loading_redis() -> Iterator[LoadingRedis]:
    """A server that answers as one does that has just been started."""
    yield from _serve(LoadingRedis())


_Server = TypeVar("_Server", bound=OldRedis)


def _serve(server: _Server) -> Iterator[_Server]:
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
