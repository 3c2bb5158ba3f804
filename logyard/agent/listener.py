"""When to look at what the kernel has to tell.

After a look, the next one is taken ``spacing`` seconds later at the earliest: a line that comes alone is read at
once; under load, what comes in that time is read together, and meanwhile nobody listens. A file that is being caught
up with is not held back by that (`logyard.agent.sender`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from logyard.agent.watch import Watcher

__all__ = ["Listener"]


class Listener:
    """See the module.

    Args:
        watcher: what becomes readable when something happens.
        look: called at the right time.
        spacing: seconds, asked for each time.
    """

    def __init__(self, watcher: Watcher, look: Callable[[], None], spacing: Callable[[], float]) -> None:
        self._watcher = watcher
        self._look = look
        self._spacing = spacing
        self._loop = asyncio.get_running_loop()
        self._last = float("-inf")
        self._open = False
        self._number: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin to listen; again after directories were first watched."""
        self._open = True
        self._hear()

    def close(self) -> None:
        """Hear no more."""
        self._open = False
        self._deafen()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def wake(self) -> None:
        """Something happened: look now, or when the spacing is over."""
        if self._timer is not None:
            return
        at = self._last + self._spacing()
        if at <= self._loop.time():
            self._now()
        else:
            self._deafen()
            self._timer = self._loop.call_at(at, self._now)

    def _now(self) -> None:
        self._timer = None
        self._look()
        self._last = self._loop.time()
        self._hear()

    def _hear(self) -> None:
        number = self._watcher.fileno()
        if self._open and number is not None and self._number is None and self._timer is None:
            self._loop.add_reader(number, self.wake)
            self._number = number

    def _deafen(self) -> None:
        if self._number is not None:
            self._loop.remove_reader(self._number)
            self._number = None
