"""Every kind of Redis address, against real servers with users, passwords, TLS, Sentinels and a Cluster."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from logyard import server as module
from logyard.batch import Batch
from logyard.bus.catalogue import stream_keys
from logyard.bus.publish import Outbox
from logyard.bus.read import read_on
from logyard.errors import ConnectionLost, ServerError, ServerLoading, UsageError
from logyard.server import Server, connect
from tests.servers.certificates import Certificates
from tests.servers.old_redis import LoadingRedis, OldRedis
from tests.servers.processes import eventually, free_port
from tests.servers.redis import PASSWORD, USER, RedisServer, SecureRedis
from tests.servers.topologies import Cluster, SentinelGroup

STREAMS = [f"app.shop-{number}" for number in range(24)]


def batch(key: str, number: int) -> Batch:
    block = b"line %d of %s" % (number, key.encode())
    return Batch(
        key=key, node="n", source="stdout", time_ns=1, count=1, origin="00000000000000aa.0", first=0,
        last=len(block) + 1,
        block=block,
    )  # fmt: skip


async def round_trip(server: Server, number: int = 1) -> None:
    """Publishes to every stream and reads what the last publish left."""
    outbox = Outbox(server)
    sources = [(key, f"source-of-{key}") for key in STREAMS]
    stored = await outbox.states(sources)
    state = b"state %d" % number
    for (key, source), expected in zip(sources, stored, strict=True):
        published = await outbox.publish(batch(key, number), source, expected, state)
        assert published.entry
    assert await outbox.states(sources) == [state] * len(sources)
    assert await stream_keys(server) == sorted(STREAMS)
    for key in STREAMS:
        page = await read_on(server, key, count=100)
        assert page.batches[-1].lines == [b"line %d of %s" % (number, key.encode())]


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


async def test_a_unix_socket_serves(valkey: RedisServer) -> None:
    async with connect(valkey.url) as server:
        assert server.version.startswith("Valkey ")
        await round_trip(server)


async def test_debians_redis_serves_over_tcp(redis_server: RedisServer) -> None:
    async with connect(redis_server.tcp_url) as server:
        assert server.version.startswith("Redis 7.")
        await round_trip(server)


async def test_user_and_password_open_a_unix_socket(secure_redis: SecureRedis) -> None:
    secure_redis.flush()
    async with connect(secure_redis.url) as server:
        await round_trip(server)


async def test_user_and_password_open_a_tcp_address(secure_redis: SecureRedis) -> None:
    secure_redis.flush()
    async with connect(secure_redis.tcp_url) as server:
        await round_trip(server)


async def test_tls_with_user_and_password_serves(secure_redis: SecureRedis) -> None:
    secure_redis.flush()
    async with connect(secure_redis.tls_url) as server, server.dedicated("global") as own:
        assert await own.call("PING") == b"PONG"
        await round_trip(server)


async def test_a_database_has_streams_of_its_own(redis_server: RedisServer) -> None:
    async with connect(redis_server.tcp_url + "/3") as server:
        await round_trip(server)
    async with connect(redis_server.tcp_url) as server:
        assert await stream_keys(server) == []


@pytest.mark.parametrize("account", [f"{USER}:mistaken", f"somebody:{PASSWORD}", ":mistaken"])
async def test_a_wrong_password_is_refused_and_never_shown(secure_redis: SecureRedis, account: str) -> None:
    url = f"redis://{account}@127.0.0.1:{secure_redis.port}"
    with pytest.raises(ServerError, match="check user, password") as refused:
        async with connect(url):
            pass
    assert not isinstance(refused.value, ConnectionLost)
    assert PASSWORD not in str(refused.value)
    assert "mistaken" not in str(refused.value)


async def test_a_missing_password_is_refused(secure_redis: SecureRedis) -> None:
    with pytest.raises(ServerError, match="check user, password"):
        async with connect(f"redis://127.0.0.1:{secure_redis.port}"):
            pass


async def test_a_certificate_of_an_unknown_authority_is_refused(
    secure_redis: SecureRedis, certificates: Certificates
) -> None:
    url = secure_redis.tls_url.replace(str(certificates.ca), str(certificates.other_ca))
    with pytest.raises(ServerError, match="certificate"):
        async with connect(url):
            pass


async def test_a_certificate_for_another_host_is_refused(secure_redis: SecureRedis) -> None:
    with pytest.raises(ServerError, match="certificate"):
        async with connect(secure_redis.tls_url + "&servername=other.example"):
            pass


async def test_an_old_redis_is_refused_with_what_is_missing(old_redis: OldRedis) -> None:
    with pytest.raises(ServerError, match=r"Redis 6\.2\.14; logyard needs Redis 7\.0 or later, or Valkey"):
        async with connect(old_redis.url):
            pass


async def test_a_server_that_loads_what_it_holds_is_waited_for(loading_redis: LoadingRedis) -> None:
    loading_redis.refusals = 3
    async with connect(loading_redis.url) as server:
        assert server.version == "Redis 7.0.15"
    assert loading_redis.refusals < 0


async def test_a_server_that_loads_for_long_is_told(
    loading_redis: LoadingRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOADED_WITHIN", 0.0)
    loading_redis.refusals = 10**9
    with pytest.raises(ServerLoading, match="is loading what it holds into memory; try again in a moment"):
        async with connect(loading_redis.url):
            pass


async def test_a_server_that_was_killed_can_be_connected_while_it_starts(
    make_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOADED_WITHIN", 60.0)
    # It takes 0.1 ms longer for each command, and looks for others after 1,024 of them.
    slow = make_redis(settings=["key-load-delay 100"])
    commands = slow.client.pipeline(transaction=False)
    for number in range(5000):
        commands.set(f"key {number}", number)
    commands.execute()
    slow.kill()
    slow.launch()
    await eventually(lambda: listens(slow.socket), "the server to listen")
    async with connect(slow.url) as server:
        assert await server.call("global", "GET", "key 4999") == b"4999"


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster", "redis+sentinel"])
async def test_nobody_at_the_address_is_a_lost_connection(scheme: str) -> None:
    tail = "/yard" if scheme == "redis+sentinel" else ""
    with pytest.raises(ConnectionLost):
        async with connect(f"{scheme}://127.0.0.1:{free_port()}{tail}"):
            pass


async def test_a_missing_socket_is_a_lost_connection(tmp_path: Path) -> None:
    with pytest.raises(ConnectionLost):
        async with connect(f"unix://{tmp_path}/nothing.sock"):
            pass


async def test_sentinels_lead_to_the_master_and_after_its_death_to_the_next(sentinel_group: SentinelGroup) -> None:
    async with connect(sentinel_group.url) as server:
        await round_trip(server)
        await server.call("global", "WAIT", 1, 5000)
    with pytest.raises(ConnectionLost, match="another"):
        async with connect(sentinel_group.wrong_service_url):
            pass
    sentinel_group.fail_over()
    async with connect(sentinel_group.url) as server:
        await round_trip(server, 2)
    assert sentinel_group.replica.call("DBSIZE") > len(STREAMS)


async def test_a_cluster_spreads_partitions_over_its_masters(redis_cluster: Cluster) -> None:
    async with connect(redis_cluster.url, partitions=16) as server:
        assert server.partitions == 16
        await round_trip(server)
    async with connect(redis_cluster.url) as server:
        assert server.partitions == 16
        await round_trip(server, 2)
    held = [redis_cluster.keys_of(node) for node in redis_cluster.nodes]
    assert all(any(b":stream:" in key for key in keys) for keys in held)
    assert sum(b":stream:" in key for keys in held for key in keys) == len(STREAMS)


async def test_a_cluster_refuses_a_wrong_password(redis_cluster: Cluster) -> None:
    with pytest.raises(ServerError) as refused:
        async with connect(redis_cluster.url.replace(PASSWORD, "mistaken")):
            pass
    assert "mistaken" not in str(refused.value)
    assert not isinstance(refused.value, ConnectionLost)


async def test_another_number_of_partitions_is_refused(valkey: RedisServer) -> None:
    async with connect(valkey.url, partitions=4):
        pass
    with pytest.raises((ServerError, UsageError), match="4 partitions"):
        async with connect(valkey.url, partitions=8):
            pass
