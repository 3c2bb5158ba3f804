"""When bytes written to a TCP connection count as received by a peer that never answers; pure.

The kernel tells how many of the written bytes the peer's kernel has acknowledged. That is not yet the peer's
program: what lies in its receive buffer dies with it. So a place in what was written counts as received when

- the peer's kernel has acknowledged a *window* of bytes more than it, larger than a receive buffer can be:
  then the program has read past it; or
- everything written had been acknowledged at some moment, and the connection is still open one *settling time*
  later: a program that ended, or was killed with unread bytes, would have closed it by then.

The second rule trusts a peer that hangs for longer than that with unread bytes and is killed then.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Confirmation"]


class Confirmation:
    """Follows one connection.

    Args:
        window: bytes behind a place that must be acknowledged, more than a receive buffer holds.
        settling: seconds that the connection must stay open after everything was acknowledged.
    """

    __slots__ = ("_arrived", "_quiet", "_sends", "_settling", "_window", "count")

    def __init__(self, window: int, settling: float = 1.0) -> None:
        self._window = window
        self._settling = settling
        self._sends: deque[int] = deque()
        self._quiet: deque[tuple[int, float]] = deque()
        self._arrived = 0
        self.count = 0
        """How many sends have been received, in order."""

    @property
    def outstanding(self) -> int:
        """How many sends are not yet known to be received."""
        return len(self._sends)

    def sent(self, end: int) -> None:
        """A send was written; ``end`` is the number of bytes written since the connection was made."""
        self._sends.append(end)

    def observe(self, written: int, pending: int, now: float) -> None:
        """What the kernel says of an open connection.

        Args:
            written: bytes written so far.
            pending: how many of them the peer's kernel has not acknowledged.
            now: seconds of a monotonic clock.
        """
        acknowledged = written - pending
        arrived = acknowledged - self._window
        quiet = self._quiet
        # A tenth of the settling time is fine enough, and keeps this short however often it is called.
        if pending == 0 and (not quiet or (quiet[-1][0] < written and now - quiet[-1][1] >= self._settling / 10)):
            quiet.append((written, now))
        while quiet and now - quiet[0][1] >= self._settling:
            arrived = max(arrived, quiet.popleft()[0])
        self._arrived = max(self._arrived, arrived)
        self._count()

    def all_received(self) -> None:
        """The peer has read to the end: it closed its side after we closed ours."""
        if self._sends:
            self._arrived = max(self._arrived, self._sends[-1])
            self._count()

    def _count(self) -> None:
        sends = self._sends
        while sends and sends[0] <= self._arrived:
            sends.popleft()
            self.count += 1
