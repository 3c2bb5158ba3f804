"""A list of limited length in a real Redis, and what is told when Redis refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from logyard.batch import Selection
from logyard.drain import Context, DrainURI
from logyard.errors import DrainError, NotConnected, Permanent, RetryLater, UsageError
from logyard_drains import redis as redis_drain
from tests.drains.records import batch_of, numbered, numbers_in
from tests.servers.processes import free_port
from tests.servers.redis import RedisServer

CONTEXT = Context(name="newest", node="router1")
SECRET = "a-secret-of-the-tests"


@pytest.fixture(
    params=["valkey", pytest.param("redis_server", marks=pytest.mark.needs("redis-server"))],
)
def server(request: pytest.FixtureRequest) -> RedisServer:
    found: RedisServer = request.getfixturevalue(request.param)
    return found


async def send(uri: str, *sends: list[Selection], **params: str) -> None:
    config = redis_drain.configure(DrainURI.parse(uri, {"format": "raw", **params}))
    async with redis_drain.open(config, CONTEXT) as drain:
        for selections in sends:
            await drain.send(selections)


async def test_the_newest_records_stay_the_newest_last(server: RedisServer) -> None:
    await send(server.tcp_url, [numbered(0, 10)], [numbered(10, 10)], key="list", limit="15")
    assert numbers_in(b" ".join(server.call("LRANGE", "list", 0, -1))) == list(range(5, 20))


async def test_one_send_larger_than_the_list_leaves_its_end(server: RedisServer) -> None:
    part = numbered(100, 10).part(0, 7)
    await send(server.tcp_url, [numbered(0, 50), numbered(50, 50), part], limit="30")
    assert numbers_in(b" ".join(server.call("LRANGE", "newest", 0, -1))) == list(range(77, 107))


async def test_without_a_key_the_list_has_the_drains_name_and_1500_records(server: RedisServer) -> None:
    await send(server.tcp_url, [numbered(0, 2000)])
    assert server.call("LLEN", "newest") == 1500


async def test_the_database_can_be_chosen_both_ways(server: RedisServer) -> None:
    await send(server.tcp_url, [numbered(0, 1)], db="3")
    await send(f"{server.tcp_url}/4", [numbered(0, 1)])
    assert server.call("LLEN", "newest") == 0
    for number in (3, 4):
        assert server.call("MOVE", "newest", number) == 0
        server.call("SELECT", number)
        assert server.call("LLEN", "newest") == 1
        server.call("FLUSHDB")
    server.call("SELECT", 0)


async def test_a_key_of_another_kind_is_refused_when_the_drain_is_opened(server: RedisServer) -> None:
    server.call("SET", "text", "x")
    with pytest.raises(Permanent, match=r"the key 'text' holds a string and no list: give another key="):
        await send(server.tcp_url, key="text")


async def test_a_key_that_changes_its_kind_is_told_without_the_records(server: RedisServer) -> None:
    config = redis_drain.configure(DrainURI.parse(server.tcp_url, {"format": "raw"}))
    async with redis_drain.open(config, CONTEXT) as drain:
        server.call("SET", "newest", "x")
        with pytest.raises(Permanent, match="wrong kind of value") as caught:
            await drain.send([batch_of([b"confidential"])])
    assert "confidential" not in str(caught.value)


async def failure(uri: str, *sends: list[Selection], **params: str) -> DrainError:
    with pytest.raises(DrainError) as caught:
        await send(uri, *sends, **params)
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r}"
    return caught.value


async def test_a_wrong_password_and_a_missing_one_wait_for_a_person(make_redis: Callable[..., RedisServer]) -> None:
    server = make_redis(settings=["requirepass right"], password="right")
    for account in (f":{SECRET}@", f"nobody:{SECRET}@", ""):
        error = await failure(f"redis://{account}127.0.0.1:{server.port}", [numbered(0, 1)])
        assert isinstance(error, Permanent)
        assert f"127.0.0.1:{server.port}" in str(error)


async def test_a_user_without_permission_waits_for_a_person(make_redis: Callable[..., RedisServer]) -> None:
    rules = [f"user writer on >{SECRET} ~* &* +@all -ltrim"]
    server = make_redis(settings=rules)
    error = await failure(f"redis://writer:{SECRET}@127.0.0.1:{server.port}", [batch_of([b"confidential"])])
    assert isinstance(error, Permanent)
    assert "confidential" not in str(error)
    assert server.call("LLEN", "newest") == 0


async def test_a_server_out_of_memory_is_tried_again_later(make_redis: Callable[..., RedisServer]) -> None:
    server = make_redis(settings=["maxmemory 1", "maxmemory-policy noeviction"])
    error = await failure(server.tcp_url, [batch_of([b"confidential"])])
    assert isinstance(error, RetryLater)
    assert "maxmemory" in str(error)
    assert "confidential" not in str(error)


async def test_a_read_only_replica_is_left_for_the_new_primary(make_redis: Callable[..., RedisServer]) -> None:
    server = make_redis(settings=[f"replicaof 127.0.0.1 {free_port()}"])
    error = await failure(server.tcp_url, [batch_of([b"confidential"])])
    assert isinstance(error, NotConnected)
    assert str(error).startswith(f"127.0.0.1:{server.port}: You can't write against a read only replica")
    assert "confidential" not in str(error)


async def test_a_server_that_is_away_is_told_with_its_address() -> None:
    port = free_port()
    error = await failure(f"redis://:{SECRET}@127.0.0.1:{port}", [numbered(0, 1)])
    assert isinstance(error, NotConnected)
    assert f"127.0.0.1:{port}" in str(error)


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("redis://", "needs a host"),
        ("redis://h/x", "number of the database"),
        ("redis://h/1?db=2", "given once"),
        ("redis://user@h", "a user and no password"),
        ("redis://h?limit=0", "at least 1"),
        ("redis://h?list=x", "no parameter 'list'; it has: db, format, key, limit"),
    ],
)
def test_wrong_settings_are_named(uri: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        redis_drain.configure(DrainURI.parse(uri))


def test_a_password_is_decoded_and_never_shown() -> None:
    config = redis_drain.configure(DrainURI.parse("redis://u:p%40ss%2Fword@h:7/2?key=k"))
    assert config.password is not None
    assert config.password.reveal() == "p@ss/word"
    assert (config.user, config.host, config.port, config.db, config.key) == ("u", "h", 7, 2, "k")
    assert "p@ss" not in repr(config)
