"""Names of everything that logyard keeps in Redis (docs/wire-format.md).

Every key carries a hash tag: ``{global}`` for what belongs to the deployment, ``{p00}``, ``{p01}``, ... for a
partition, so that the keys which one script touches share a slot of a Cluster.
"""

from __future__ import annotations

from functools import lru_cache

from logyard.names import partition_of

__all__ = [
    "CONFIG", "DRAINS", "FILTERS", "GLOBAL", "NODES", "ROUTERS", "dead_key", "drain_key", "group_name", "lease_key",
    "meta_key", "partition_tag", "replay_key", "replayed_key", "source_key", "status_key", "stream_key", "streams_key",
    "tag_of",
]  # fmt: skip

GLOBAL = "global"
CONFIG = "logyard:{global}:config"
DRAINS = "logyard:{global}:drains"
"""Hash: name of a drain to its definition in JSON."""
FILTERS = "logyard:{global}:filters"
"""Hash: name of a saved filter to its definition in JSON."""
NODES = "logyard:{global}:nodes"
"""Hash: name of a node to its last report in JSON; old reports are recognised by their time."""
ROUTERS = "logyard:{global}:routers"
"""Sorted set: owner name of a router, by the ms until which it counts as alive."""


@lru_cache(maxsize=4096)
def partition_tag(number: int) -> str:
    """The hash tag of a partition: ``p00``, ``p01``, ..."""
    return f"p{number:02d}"


def tag_of(key: str, partitions: int) -> str:
    """The hash tag of a stream's partition."""
    return partition_tag(partition_of(key, partitions))


def stream_key(tag: str, key: str) -> str:
    """The stream of batches."""
    return f"logyard:{{{tag}}}:stream:{key}"


def meta_key(tag: str, key: str) -> str:
    """Hash with the stream's totals: ``records``, ``bytes`` (of text), ``trimmed`` records, ``lost`` records."""
    return f"logyard:{{{tag}}}:meta:{key}"


def streams_key(tag: str) -> str:
    """Set of the keys of all streams of the partition: the catalogue."""
    return f"logyard:{{{tag}}}:streams"


def source_key(tag: str, source: str) -> str:
    """How far a source has been read: a string that only agents interpret."""
    return f"logyard:{{{tag}}}:source:{source}"


def drain_key(tag: str, drain: str) -> str:
    """Hash with a drain's counters, cursor and position in each stream of the partition."""
    return f"logyard:{{{tag}}}:drain:{drain}"


def status_key(tag: str, drain: str) -> str:
    """What the worker says about itself, in JSON; expires when it stops saying so."""
    return f"logyard:{{{tag}}}:status:{drain}"


def lease_key(tag: str, drain: str) -> str:
    """Who works on the drain in this partition."""
    return f"logyard:{{{tag}}}:lease:{drain}"


def dead_key(tag: str, drain: str) -> str:
    """Stream of the records that the destination refused for good."""
    return f"logyard:{{{tag}}}:dead:{drain}"


def replay_key(drain: str) -> str:
    """What is to be sent again to a drain, in JSON; expires when nobody asks for it any more."""
    return f"logyard:{{{GLOBAL}}}:replay:{drain}"


def replayed_key(tag: str, drain: str) -> str:
    """Hash: how far that is in a partition."""
    return f"logyard:{{{tag}}}:replay:{drain}"


def group_name(drain: str) -> str:
    """The drain's consumer group."""
    return f"drain:{drain}"
