"""Which server to talk to: behind a plain address, a Sentinel group or a Cluster.

redis-py does the finding; it is imported only for Sentinel and Cluster addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from ssl import SSLContext
from typing import Any

from logyard.errors import ConnectionLost, ServerError
from logyard.server.url import ServerURL

__all__ = ["Place", "locate", "tls_context"]


@dataclass(frozen=True, slots=True)
class Place:
    """A server to connect to: a host and port, or the path of a unix socket."""

    name: str
    address: tuple[str, int] | None = None
    path: str = ""


def tls_context(url: ServerURL) -> SSLContext | None:
    """The TLS settings of an address; None when it uses none. Reads the certificate files.

    Raises:
        ServerError: a file cannot be read.
    """
    if not url.tls:
        return None
    import ssl

    try:
        context = ssl.create_default_context(cafile=url.ca)
        if url.cert:
            context.load_cert_chain(url.cert, url.key)
    except (OSError, ssl.SSLError) as error:
        raise ServerError(f"cannot read the certificates for {url.shown}: {error}") from None
    return context


async def locate(url: ServerURL, tags: list[str]) -> dict[str, Place]:
    """The server that holds the keys of each hash tag.

    Raises:
        ConnectionLost: no Sentinel or Cluster node answers, or there is no master just now.
    """
    if url.scheme == "redis+sentinel":
        place = await _sentinel_master(url)
    elif url.scheme == "redis+cluster":
        return await _cluster_masters(url, tags)
    elif url.scheme == "unix":
        place = Place(url.shown, path=url.path)
    else:
        place = Place(url.shown, address=url.hosts[0])
    return dict.fromkeys(tags, place)


def _client_options(url: ServerURL) -> dict[str, Any]:
    options: dict[str, Any] = {"username": url.user, "password": url.password}
    if url.tls:
        options |= {"ssl": True, "ssl_ca_certs": url.ca, "ssl_certfile": url.cert, "ssl_keyfile": url.key}
    return options


async def _sentinel_master(url: ServerURL) -> Place:
    import redis.exceptions
    from redis.asyncio.sentinel import MasterNotFoundError, Sentinel

    options = {"username": url.sentinel_user, "password": url.sentinel_password, "socket_timeout": 2.0}
    sentinel = Sentinel(url.hosts, sentinel_kwargs=options)  # type: ignore[no-untyped-call]
    try:
        host, port = await sentinel.discover_master(url.service)
    except MasterNotFoundError:
        raise ConnectionLost(f"{url.shown}: no Sentinel answers with a master named {url.service!r}") from None
    except (redis.exceptions.RedisError, OSError) as error:
        raise ConnectionLost(f"{url.shown}: {error}") from None
    finally:
        for client in sentinel.sentinels:
            await client.aclose()
    return Place(f"{url.shown} (master {host}:{port})", address=(host, port))


async def _cluster_masters(url: ServerURL, tags: list[str]) -> dict[str, Place]:
    import redis.exceptions
    from redis.asyncio.cluster import ClusterNode, RedisCluster

    nodes = [ClusterNode(host, port) for host, port in url.hosts]
    client = RedisCluster(startup_nodes=nodes, **_client_options(url))
    try:
        await client.initialize()
        places = {}
        for tag in tags:
            node = client.get_node_from_key(f"{{{tag}}}")
            if node is None:
                raise ConnectionLost(f"{url.shown}: no master serves the slot of {{{tag}}}")
            places[tag] = Place(f"{url.shown} (master {node.host}:{node.port})", address=(node.host, int(node.port)))
    except (redis.exceptions.RedisClusterException, redis.exceptions.RedisError, OSError) as error:
        # The former is no RedisError, and hides what the last node answered as its cause.
        if isinstance(error.__cause__ or error, redis.exceptions.AuthenticationError):
            raise ServerError(f"{url.shown} refuses: {error}; check user and password of the Redis URL") from None
        raise ConnectionLost(f"{url.shown}: {error}") from None
    finally:
        await client.aclose()
    return places
