"""How long to wait before the next attempt."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with jitter: attempt n waits between half and all of ``first * factor**n`` seconds.

    Half of the wait is random, so that many workers do not come back at once, and none comes back at once
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/, "equal jitter").
    """

    first: float = 0.1
    factor: float = 2.0
    longest: float = 30.0

    def delay(self, attempt: int, chance: float) -> float:
        """Seconds to wait before attempt ``attempt`` (0-based) is repeated; ``chance`` is random in [0, 1)."""
        whole = min(self.longest, self.first * self.factor ** min(attempt, 60))
        return whole / 2 + whole / 2 * chance
