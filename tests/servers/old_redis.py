"""A server that says it is an old Redis."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator

import pytest

__all__ = ["OldRedis"]

_INFO = b"# Server\r\nredis_version:6.2.14\r\nredis_mode:standalone\r\nrun_id:%s\r\n" % (b"0" * 40)


class _Answers(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while line := self.rfile.readline():
            command = [self._argument() for _ in range(int(line[1:]))]
            if command[0].upper() == b"INFO":
                self.wfile.write(b"$%d\r\n%s\r\n" % (len(_INFO), _INFO))
            elif command[0].upper() in {b"PING", b"AUTH", b"SELECT", b"CLIENT"}:
                self.wfile.write(b"+OK\r\n")
            else:
                self.wfile.write(b"-ERR unknown command '%s'\r\n" % command[0])

    def _argument(self) -> bytes:
        length = int(self.rfile.readline()[1:])
        return self.rfile.read(length + 2)[:-2]


class OldRedis(socketserver.ThreadingTCPServer):
    """Attributes: ``url``: its address."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.url = f"redis://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def old_redis() -> Iterator[OldRedis]:
    """A server that answers as Redis 6.2 does."""
    with OldRedis() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
