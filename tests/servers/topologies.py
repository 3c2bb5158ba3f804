"""A Sentinel group and a Cluster on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.processes import free_port, wait_for
from tests.servers.redis import ACCESS_RULES, PASSWORD, USER, RedisServer, debian_redis, embedded_valkey

__all__ = ["Cluster", "SentinelGroup"]

SERVICE = "yard"
_SLOTS = 16384


@pytest.fixture(params=["valkey", "redis"])
def any_redis(request: pytest.FixtureRequest) -> Path:
    """The program of the embedded Valkey, then of the machine's own Redis."""
    return embedded_valkey() if request.param == "valkey" else debian_redis()


class SentinelGroup:
    """A master, a replica and three Sentinels, with access rules.

    Attributes:
        url: its address.
        wrong_service_url: the same with a service that no Sentinel knows.
    """

    def __init__(self, binary: Path) -> None:
        account = {"user": USER, "password": PASSWORD}
        replication = (*ACCESS_RULES, f"masteruser {USER}", f"masterauth {PASSWORD}", "repl-diskless-sync-delay 0")
        self.master = RedisServer(binary, replication, name="master", **account).start()
        follow = f"replicaof 127.0.0.1 {self.master.port}"
        self.replica = RedisServer(binary, (*replication, follow), name="replica", **account).start()
        # A Sentinel that starts earlier learns of the replica only in its next round, 10 seconds later.
        wait_for(self._replica_linked, "the replica to follow the master")
        watch = (
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.master.port} 2",
            f"sentinel auth-user {SERVICE} {USER}",
            f"sentinel auth-pass {SERVICE} {PASSWORD}",
            f"sentinel down-after-milliseconds {SERVICE} 1000",
            f"sentinel failover-timeout {SERVICE} 4000",
        )
        self.sentinels = [
            RedisServer(binary, watch, name=f"sentinel-{number}", mode=["--sentinel"]).start() for number in range(3)
        ]
        wait_for(self._complete, "the Sentinels to know each other and the replica")
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        self.url = f"redis+sentinel://{USER}:{PASSWORD}@{hosts}/{SERVICE}"
        self.wrong_service_url = f"redis+sentinel://{USER}:{PASSWORD}@{hosts}/another"

    def _replica_linked(self) -> bool:
        return self.replica.client.info("replication").get("master_link_status") == "up"

    def _complete(self) -> bool:
        for sentinel in self.sentinels:
            state = self._seen_by(sentinel)
            if int(state["num-other-sentinels"]) != 2 or int(state["num-slaves"]) != 1:
                return False
        return True

    def fail_over(self) -> None:
        """Kill the master; returns when the Sentinels have made the replica the new one."""
        self.master.kill()
        wait_for(self._failed_over, "the Sentinels to promote the replica")

    def _failed_over(self) -> bool:
        promoted = self.replica.client.info("replication")["role"] == "master"
        return promoted and all(
            int(self._seen_by(sentinel)["port"]) == self.replica.port for sentinel in self.sentinels
        )

    @staticmethod
    def _seen_by(sentinel: RedisServer) -> dict[str, Any]:
        state: dict[str, Any] = sentinel.call("SENTINEL MASTER", SERVICE)
        return state

    def end(self) -> None:
        for server in (*self.sentinels, self.replica, self.master):
            server.end()


class Cluster:
    """Three masters that share the slots, with access rules.

    Attributes:
        url: its address.
    """

    def __init__(self, binary: Path) -> None:
        self.nodes: list[RedisServer] = []
        for number in range(3):
            settings = (
                *ACCESS_RULES,
                "cluster-enabled yes",
                "cluster-config-file nodes.conf",
                f"cluster-port {free_port()}",
                "cluster-node-timeout 2000",
            )
            self.nodes.append(
                RedisServer(binary, settings, name=f"node-{number}", user=USER, password=PASSWORD).start()
            )
        share = -(-_SLOTS // len(self.nodes))
        for number, node in enumerate(self.nodes):
            first = number * share
            node.call("CLUSTER", "ADDSLOTSRANGE", first, min(first + share, _SLOTS) - 1)
            node.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            bus = int(node.call("CONFIG GET", "cluster-port")["cluster-port"])
            self.nodes[0].call("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
        wait_for(self._complete, "the nodes to know each other")
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        self.url = f"redis+cluster://{USER}:{PASSWORD}@{hosts}"

    def _complete(self) -> bool:
        return all(
            node.client.cluster("info").get("cluster_state") == "ok"
            and int(node.client.cluster("info")["cluster_known_nodes"]) == len(self.nodes)
            for node in self.nodes
        )

    def keys_of(self, node: RedisServer) -> list[bytes]:
        """The keys that one node holds."""
        found: list[bytes] = node.call("KEYS", "*")
        return found

    def end(self) -> None:
        for node in self.nodes:
            node.end()


@pytest.fixture
def sentinel_group(any_redis: Path) -> Iterator[SentinelGroup]:
    """A Sentinel group of this test's own."""
    group = SentinelGroup(any_redis)
    yield group
    group.end()


@pytest.fixture
def redis_cluster(any_redis: Path) -> Iterator[Cluster]:
    """A Cluster of this test's own."""
    cluster = Cluster(any_redis)
    yield cluster
    cluster.end()
