"""How long files stay open that no longer have their path."""

from __future__ import annotations

from dataclasses import dataclass

from logyard.agent.source import Source

__all__ = ["Patience"]


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a file stays open which no longer has its path.

    Attributes:
        rotated: since it last grew, when another file has the path.
        moved: since it last grew, when none has.
        deleted: since it last grew, when it has no name any more.
        answered: since Redis acknowledged its last batch, in any case: a Redis that crashes may lose it again.
    """

    rotated: float = 60.0
    moved: float = 3600.0
    deleted: float = 10.0
    answered: float = 10.0

    def is_over(self, source: Source, now: float, *, deleted: bool) -> bool:
        """Whether a file that lost its path can be closed.

        Args:
            source: the file, just found not to have grown.
            now: seconds, monotonic.
            deleted: it has no name any more.
        """
        slot, reader = source.slot, source.reader
        if source.failed:
            return True
        if slot.frozen or source.in_flight or reader.more or reader.held or slot.blocker(source) is not None:
            return False
        if now - source.answered_at < self.answered:
            return False
        limit = self.deleted if deleted else self.rotated if slot.current else self.moved
        return now - max(source.grown_at, source.rotated_at) >= limit
