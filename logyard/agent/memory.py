"""What the agent itself knows about files: from its own life, and from the checkpoint of an earlier one."""

from __future__ import annotations

from collections.abc import Callable

from logyard.agent.checkpoint import Checkpoint
from logyard.agent.position import source_id
from logyard.agent.source import Remembered, Source

__all__ = ["Memory"]


class Memory:
    """See the module.

    Attributes:
        time_ns: when the checkpoint was written, ns since 1970; 0 without one.

    Args:
        checkpoint: what an earlier agent of this node left, None if there was none.
        clock: seconds, monotonic.
    """

    def __init__(self, checkpoint: Checkpoint | None, clock: Callable[[], float]) -> None:
        self._checkpoint = checkpoint
        self._clock = clock
        self.time_ns = 0 if checkpoint is None else checkpoint.time_ns
        self._paths: dict[str, list[Remembered]] = {}
        self._inodes: dict[int, list[tuple[str, Remembered]]] = {}
        for name, one in () if checkpoint is None else checkpoint.sources.items():
            self._paths.setdefault(one.path, []).append(one)
            self._inodes.setdefault(one.inode, []).append((name, one))

    @property
    def exists(self) -> bool:
        """Whether an earlier agent left anything."""
        return self._checkpoint is not None

    def of_source(self, source: Source) -> Remembered | None:
        """What is known about an open file."""
        own = source.remembered(self._clock())
        if own is not None or self._checkpoint is None:
            return own
        found = self._checkpoint.sources.get(source.id)
        return found or next((one for _, one in self.elsewhere(source)), None)

    def of_file(self, node: str, device: int, inode: int) -> Remembered | None:
        """What the earlier agent knew about a file."""
        return None if self._checkpoint is None else self._checkpoint.sources.get(source_id(node, device, inode))

    def of_path(self, path: str) -> list[Remembered]:
        """The files that the earlier agent read for a path."""
        return self._paths.get(path, [])

    def knew_pattern(self, pattern: str) -> bool:
        """Whether the earlier agent had a rule with this pattern; True when nothing is known about it."""
        return self._checkpoint is None or pattern in self._checkpoint.patterns

    def elsewhere(self, source: Source) -> list[tuple[str, Remembered]]:
        """Ids under which Redis may know a file that is new to this agent.

        Its device may have had another number before the machine was started anew, its stream another key.
        """
        if source.start is not None:
            return []
        mine = source.slot.labels.key, source.id
        return [(name, one) for name, one in self._inodes.get(source.inode, ()) if (one.key, name) != mine]
