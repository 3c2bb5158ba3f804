"""The agent's options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from logyard.agent.aging import Patience
from logyard.agent.rules import FileRule
from logyard.errors import UsageError

__all__ = ["AgentOptions"]


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """How an agent works; plain values, so that they can be handed to another process.

    Attributes:
        node: this machine's name in every record; two agents must not share one.
        rules: which files; earlier ones go first.
        start: ``beginning`` or ``end``: where reading of files begins that were there before the agent first
            looked for them. Files that appear later are read from the beginning.
        data_dir: where the checkpoint is kept (a file for each node); None keeps none.
        spacing: seconds between two publishes while there is much to send.
        rescan: seconds between two looks for files, behind the kernel's notifications.
        poll: seconds between two looks at files in directories that cannot be watched.
        polling: do without notifications.
        partial_timeout: seconds after which a line without an end is sent as it is.
        compress: whether batches are compressed.
        checkpoint_every, report_every: seconds.
        stop_within: seconds for sending what is there when the agent is stopped.
        keep_rotated, keep_moved, keep_deleted, keep_answered: seconds that files stay open which were rotated
            away; see `Patience`.
    """

    node: str
    rules: tuple[FileRule, ...]
    start: str = "end"
    data_dir: Path | None = None
    spacing: float = 0.005
    rescan: float = 10.0
    poll: float = 0.25
    polling: bool = False
    partial_timeout: float = 5.0
    compress: bool = True
    checkpoint_every: float = 5.0
    report_every: float = 2.0
    stop_within: float = 5.0
    keep_rotated: float = 60.0
    keep_moved: float = 3600.0
    keep_deleted: float = 10.0
    keep_answered: float = 10.0

    def check(self) -> None:
        """Raise UsageError naming the first option that cannot be."""
        if self.start not in {"beginning", "end"}:
            raise UsageError(f"start={self.start!r}: give beginning or end")
        for name in ("rescan", "poll", "partial_timeout", "checkpoint_every", "report_every"):
            if getattr(self, name) <= 0:
                raise UsageError(f"{name}={getattr(self, name)!r}: give more than 0 seconds")

    @property
    def checkpoint(self) -> Path | None:
        """The file of the checkpoint."""
        return None if self.data_dir is None else self.data_dir / f"agent-{self.node}.json"

    @property
    def patience(self) -> Patience:
        return Patience(self.keep_rotated, self.keep_moved, self.keep_deleted, self.keep_answered)
