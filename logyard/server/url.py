"""Addresses of Redis: one server, a Sentinel group or a Cluster, over TCP, TLS or a unix socket.

    redis://[user:password@]host[:port][/db]             rediss://...   the same over TLS
    unix://[user:password@]/path/to/socket[?db=0]
    redis+sentinel://[user:password@]host[:port],.../service[?db=0&sentinel_user=&sentinel_password=]
    redis+cluster://[user:password@]host[:port],...

TLS parameters: ``ca``, ``cert``, ``key`` (files), ``servername``; ``tls=1`` turns TLS on for Sentinel and Cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from logyard.errors import UsageError

__all__ = ["ServerURL"]

_PORTS = {"redis": 6379, "rediss": 6379, "redis+sentinel": 26379, "redis+cluster": 6379}
_TLS_PARAMS = ("ca", "cert", "key", "servername")
_PARAMS = {
    "unix": ("db",),
    "redis": ("db",),
    "rediss": ("db", *_TLS_PARAMS),
    "redis+sentinel": ("db", "tls", "sentinel_user", "sentinel_password", *_TLS_PARAMS),
    "redis+cluster": ("tls", *_TLS_PARAMS),
}


@dataclass(frozen=True, slots=True)
class ServerURL:
    """A parsed address.

    Attributes:
        scheme: ``redis``, ``rediss``, ``unix``, ``redis+sentinel`` or ``redis+cluster``.
        hosts: host and port pairs; empty for a unix socket.
        path: the unix socket's path, else "".
        service: the name a Sentinel knows the master by.
        user, password: for AUTH; without a user Redis's ``default`` is meant.
        db: number of the database.
        tls: whether connections are encrypted; the server's name is always verified.
    """

    scheme: str
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    tls: bool = False
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    servername: str | None = None
    sentinel_user: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """The address without secrets."""
        if self.scheme == "unix":
            return f"unix://{self.path}"
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"{self.scheme}://{hosts}" + (f"/{self.service}" if self.service else "")

    @classmethod
    def parse(cls, text: str) -> ServerURL:
        """Take an address apart.

        Raises:
            UsageError: what is wrong and how it is written; never shows a password.
        """
        scheme, separator, rest = text.partition("://")
        if not separator or scheme not in _PARAMS:
            shown = f"{scheme!r}" if separator else "this"
            kinds = ", ".join(f"{name}://" for name in sorted(_PARAMS))
            raise UsageError(f"{shown} is no Redis address: write redis://host:port, or one of {kinds}")
        rest, _, query = rest.partition("?")
        params = dict(parse_qsl(query, keep_blank_values=True))
        for name in params:
            if name not in _PARAMS[scheme]:
                raise UsageError(f"{scheme}:// has no parameter {name!r}; it has: {', '.join(_PARAMS[scheme])}")
        authority, slash, tail = rest.partition("/")
        credentials, _, hosts = authority.rpartition("@")
        user, _, password = credentials.partition(":")
        if scheme == "unix":
            if hosts or not tail:
                raise UsageError("write a unix socket as unix:///path/to/socket")
            db = params.get("db", "0")
        else:
            db = params.get("db") or (tail if scheme in {"redis", "rediss"} and tail else "0")
        if not db.isdecimal():
            raise UsageError(f"{db!r} is not the number of a Redis database")
        if scheme == "redis+sentinel" and not tail:
            raise UsageError("name the Sentinel's service: redis+sentinel://host,host/service")
        return cls(
            scheme=scheme,
            hosts=() if scheme == "unix" else _hosts(hosts, scheme),
            path=unquote(slash + tail) if scheme == "unix" else "",
            service=tail if scheme == "redis+sentinel" else "",
            user=unquote(user) or None,
            password=unquote(password) or None,
            db=int(db),
            tls=scheme == "rediss" or params.get("tls", "") in {"1", "yes", "true"},
            ca=params.get("ca"),
            cert=params.get("cert"),
            key=params.get("key"),
            servername=params.get("servername"),
            sentinel_user=params.get("sentinel_user"),
            sentinel_password=params.get("sentinel_password"),
        )


def _hosts(text: str, scheme: str) -> tuple[tuple[str, int], ...]:
    hosts = []
    for part in text.split(","):
        host, colon, port = part.rpartition(":") if not part.endswith("]") else (part, "", "")
        if not colon:
            host, port = part, str(_PORTS[scheme])
        if not host.strip("[]") or not port.isdecimal() or not 0 < int(port) < 65536:
            raise UsageError(f"{part!r} is not host:port; write {scheme}://host:port")
        hosts.append((host.strip("[]"), int(port)))
    if len(hosts) > 1 and scheme in {"redis", "rediss"}:
        raise UsageError("several hosts need redis+sentinel:// or redis+cluster://")
    return tuple(hosts)
