"""A request to stop, from the terminal, the system or the program itself."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

__all__ = ["Stopping", "stop_on_interrupt", "unless"]

_Result = TypeVar("_Result")


def stop_on_interrupt(stop: asyncio.Event, also: Callable[[], object] = lambda: None) -> None:
    """On Ctrl-C call ``also`` and set ``stop``; a second one, should an orderly end take too long, stops at once."""
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        also()
        stop.set()

    loop.add_signal_handler(signal.SIGINT, interrupt)


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, _Result]) -> _Result | None:
    """What ``work`` comes to; None, and it is cancelled, when ``stop`` is set before."""
    working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        stopped.cancel()
        await asyncio.gather(working, stopped, return_exceptions=True)


class Stopping:
    """Turns SIGINT, SIGTERM and SIGHUP into something to wait for, while its context is entered.

    Attributes:
        interrupted: whether Ctrl-C was the reason.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.interrupted = False
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._task = asyncio.current_task()
        self._second: Callable[[], None] | None = None

    def __enter__(self) -> Stopping:
        for number in self._SIGNALS:
            self._loop.add_signal_handler(number, self._came, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        for number in self._SIGNALS:
            self._loop.remove_signal_handler(number)
        if kind is asyncio.CancelledError and self.requested and self._task is not None:
            self._task.uncancel()  # it was ours, and has ended what was begun
            return True
        return False

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    def on_second(self, call: Callable[[], None]) -> None:
        """Have ``call`` called by a second request, which means: now. Until then the first one cancels the task."""
        self._second = call

    def request(self) -> None:
        """Ask for the end from inside the program."""
        self._event.set()

    async def wait(self) -> None:
        """Wait for the first request."""
        await self._event.wait()

    def _came(self, number: signal.Signals) -> None:
        self.interrupted = self.interrupted or number == signal.SIGINT
        if not self._event.is_set():
            self._event.set()
            if self._second is None and self._task is not None:  # still starting: nobody waits for the event
                self._task.cancel()
        elif self._second is not None:
            self._second()
