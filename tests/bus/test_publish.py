"""Publishing: the state of a source moves exactly with its data."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from logyard.batch import Batch, decode
from logyard.bus.catalogue import list_streams, stream_keys
from logyard.bus.publish import KEEP_STATE, Outbox, StateMismatch
from logyard.errors import ConnectionLost, ServerFull
from logyard.server import Server, connect, keys
from tests.servers.redis import RedisServer


def batch(text: bytes = b"a\nb", key: str = "app.web") -> Batch:
    return Batch(
        key=key, node="n", source="s", time_ns=1, count=text.count(b"\n") + 1, origin="x.0", first=0,
        last=len(text) + 1, block=text,
    )  # fmt: skip


async def entries(server: Server, key: str = "app.web") -> list[Batch]:
    tag = keys.tag_of(key, server.partitions)
    found = await server.call(tag, "XRANGE", keys.stream_key(tag, key), "-", "+")
    return [decode(key, *entry) for entry in found]


async def test_a_published_batch_is_in_its_stream_with_its_state(server: Server) -> None:
    outbox = Outbox(server)
    published = await outbox.publish(batch(), "src", b"", b"s1")
    (stored,) = await entries(server)
    assert (stored.entry, stored.total, stored.lines) == (published.entry, 2, [b"a", b"b"])
    assert await outbox.states([("app.web", "src"), ("app.web", "other")]) == [b"s1", b""]
    ttl = await server.call("p00", "TTL", keys.source_key("p00", "src"))
    assert 0 < ttl <= KEEP_STATE


async def test_a_batch_sent_twice_is_stored_once(server: Server) -> None:
    outbox = Outbox(server)
    first, second = await asyncio.gather(
        outbox.publish(batch(), "src", b"", b"s1"), outbox.publish(batch(), "src", b"", b"s1")
    )
    assert first.entry
    assert second.entry == ""
    assert len(await entries(server)) == 1
    assert (await list_streams(server))[0].records == 2


async def test_another_state_is_answered_and_nothing_is_stored(server: Server) -> None:
    outbox = Outbox(server)
    await outbox.publish(batch(), "src", b"", b"s1")
    with pytest.raises(StateMismatch) as caught:
        await outbox.publish(batch(), "src", b"s0", b"s2")
    assert caught.value.current == b"s1"
    with pytest.raises(StateMismatch) as caught:
        await outbox.publish(batch(), "unknown", b"s0", b"s2")
    assert caught.value.current == b""
    assert len(await entries(server)) == 1


async def test_batches_in_flight_are_chained_by_their_states(server: Server) -> None:
    outbox = Outbox(server)
    futures = [
        outbox.publish(batch(b"line %d" % number), "src", b"%d" % number if number else b"", b"%d" % (number + 1))
        for number in range(50)
    ]
    totals = [published.total for published in await asyncio.gather(*futures)]
    assert totals == list(range(1, 51))
    assert [stored.lines for stored in await entries(server)] == [[b"line %d" % number] for number in range(50)]


async def test_after_one_that_failed_the_later_ones_of_its_source_fail_too(server: Server) -> None:
    outbox = Outbox(server)
    bad = [outbox.publish(batch(), "src", b"%d" % n, b"%d" % (n + 1)) for n in range(5, 8)]
    good = outbox.publish(batch(), "other", b"", b"1")
    results = await asyncio.gather(*bad, good, return_exceptions=True)
    assert [type(result) for result in results[:3]] == [StateMismatch] * 3
    assert not isinstance(results[3], BaseException)


async def test_a_full_server_refuses_and_stores_nothing(make_redis: Callable[..., RedisServer]) -> None:
    full = make_redis()
    async with connect(full.url) as server:
        outbox = Outbox(server)
        await outbox.publish(batch(), "src", b"", b"s1")
        full.call("CONFIG", "SET", "maxmemory", 1)
        with pytest.raises(ServerFull):
            await outbox.publish(batch(), "src", b"s1", b"s2")
        full.call("CONFIG", "SET", "maxmemory", 0)
        assert (await outbox.states([("app.web", "src")])) == [b"s1"]
        await outbox.publish(batch(), "src", b"s1", b"s2")
        assert len(await entries(server)) == 2


async def test_a_server_that_dies_fails_what_is_in_flight(own_valkey: RedisServer) -> None:
    async with connect(own_valkey.url) as server:
        outbox = Outbox(server)
        await outbox.publish(batch(), "src", b"", b"s1")
        own_valkey.kill()
        with pytest.raises(ConnectionLost):
            await outbox.publish(batch(), "src", b"s1", b"s2")
        assert server.lost is not None
        with pytest.raises(ConnectionLost):
            await outbox.states([("app.web", "src")])
    with pytest.raises(ConnectionLost, match="cannot reach"):
        async with connect(own_valkey.url):
            pass
    own_valkey.start()
    async with connect(own_valkey.url) as server:
        (state,) = await Outbox(server).states([("app.web", "src")])
        assert len(await entries(server)) == (1 if state == b"s1" else 0)


async def test_streams_are_found_in_every_partition(valkey: RedisServer) -> None:
    async with connect(valkey.url, partitions=8) as server:
        outbox = Outbox(server)
        names = [f"app.a{number}" for number in range(30)]
        for name in names:
            await outbox.publish(batch(key=name), f"src-{name}", b"", b"1")
        assert await stream_keys(server) == sorted(names)
        infos = await list_streams(server)
        assert [info.key for info in infos] == sorted(names)
        assert {(info.records, info.bytes, info.entries, info.held) for info in infos} == {(2, 3, 1, 2)}
        assert len({keys.tag_of(name, 8) for name in names}) > 4
