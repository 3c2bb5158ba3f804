"""A tail over a Cluster, and through a failover that Sentinels decide."""

from __future__ import annotations

import pytest

from logyard.server import connect
from tests.cli.test_tail import Tail
from tests.servers.publishing import SECOND, START, Publisher
from tests.servers.topologies import Cluster, SentinelGroup


@pytest.mark.needs("redis-server")
async def test_the_partitions_of_a_cluster_are_merged(redis_cluster: Cluster) -> None:
    async with connect(redis_cluster.url, partitions=16) as server:
        publisher = Publisher(server)
        for number in range(30):
            await publisher.publish(f"app.a{number}", b"%02d" % number, at=START + number * SECOND)
        async with Tail(redis_cluster.url, last=25) as running:
            await running.until_shown(b"29")
            assert running.lines == [b"%02d" % number for number in range(5, 30)]
            await publisher.publish("app.a3", b"30", at=START + 30 * SECOND)
            await publisher.publish("app.new", b"31", at=START + 31 * SECOND)
            await running.until_shown(b"30", b"31")
    assert len(running.lines) == 27


@pytest.mark.needs("redis-server")
async def test_a_failover_loses_and_repeats_nothing(sentinel_group: SentinelGroup) -> None:
    async with connect(sentinel_group.url) as server:
        publisher = Publisher(server)
        await publisher.publish("app.web", b"before")
        await server.call("global", "WAIT", 1, 5000)
    async with Tail(sentinel_group.url) as running:
        await running.until_shown(b"before")
        sentinel_group.fail_over()
        await running.until(lambda: "reconnected" in "".join(running.notices), "the new master")
        async with connect(sentinel_group.url) as server:
            publisher._server = server
            await publisher.publish("app.web", b"after")
        await running.until_shown(b"after")
    assert running.lines == [b"before", b"after"]
    assert running.notices[-1].endswith("nothing lost")
