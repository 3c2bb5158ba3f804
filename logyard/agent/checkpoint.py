"""The agent's own memory of how far it has read, for the day when Redis has none.

Redis decides; this file only serves when Redis has been emptied, when it lost its newest writes, and to know which
files were there when the agent looked for the first time. It is written by a thread, every few seconds.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from logyard.agent.position import Position
from logyard.agent.source import Remembered

__all__ = ["Checkpoint", "load", "save"]

log = logging.getLogger(__name__)

VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was known when it was written.

    Attributes:
        node: whose it is.
        time_ns: when, ns since 1970.
        patterns: the rules' patterns at that time.
        sources: by source id.
    """

    node: str
    time_ns: int
    patterns: frozenset[str] = frozenset()
    sources: Mapping[str, Remembered] = field(default_factory=dict)


def save(file: Path, checkpoint: Checkpoint) -> None:
    """Write it in one step: the old one stays until the new one is complete on the disk.

    Raises:
        OSError: it cannot be written.
    """
    told = {
        "version": VERSION,
        "node": checkpoint.node,
        "time_ns": checkpoint.time_ns,
        "patterns": sorted(checkpoint.patterns),
        "sources": {
            name: [
                one.key,
                one.path,
                one.inode,
                one.start.encode().decode(),
                one.settled.encode().decode(),
                one.opened_ns,
            ]
            for name, one in checkpoint.sources.items()
        },
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(file.name + ".new")
    with new.open("w", encoding="utf-8", errors="surrogateescape") as output:
        json.dump(told, output, ensure_ascii=False)
        output.flush()
        os.fsync(output.fileno())
    new.replace(file)


def load(file: Path, node: str) -> Checkpoint | None:
    """The one that was written for this node; None when there is none or it cannot be used (said in the log)."""
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("the checkpoint %s cannot be read (%s): going by Redis alone", file, error.strerror)
        return None
    try:
        told = json.loads(text)
        if told["version"] != VERSION:
            raise ValueError(f"version {told['version']}")
        if told["node"] != node:
            log.warning(
                "the checkpoint %s is of the node %s, not of %s: going by Redis alone", file, told["node"], node
            )
            return None
        sources = {
            name: Remembered(key, path, inode, _position(start), _position(settled), opened_ns)
            for name, (key, path, inode, start, settled, opened_ns) in told["sources"].items()
        }
        return Checkpoint(node, int(told["time_ns"]), frozenset(told["patterns"]), sources)
    except (ValueError, KeyError, TypeError) as error:
        log.warning("the checkpoint %s is damaged (%r): going by Redis alone", file, error)
        return None


def _position(text: str) -> Position:
    position = Position.decode(text.encode())
    if position is None:
        raise ValueError("an empty position")
    return position
