"""Runs the processes of ``logyard up``: starts them in order, restarts what dies, ends them in the opposite order.

The order is server, router, agent. So the end is: the agent stops reading and stores what it has read; then the
router finishes what it is sending and acknowledges it; then the server writes its file and ends. Each has a deadline,
after which it is killed; nothing is lost then either, because what was not acknowledged is sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

from logyard.errors import ServerError, UsageError
from logyard.supervisor.process import Child, Process, describe_end

__all__ = ["Child", "Process", "Supervisor", "restart_delay", "supervise"]

log = logging.getLogger("logyard.supervisor")

USAGE = 2
"""The exit code of a child that refuses its settings: starting it again cannot help."""
LONGEST_DELAY = 5.0
STEADY_AFTER = 10.0


def restart_delay(deaths: int) -> float:
    """Seconds to wait before a child starts again that died ``deaths`` times in a row, 1 or more."""
    return float(min(0.1 * 2.0 ** min(deaths - 1, 10), LONGEST_DELAY))


class Supervisor:
    """Some children. Made by `supervise`."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hurry = asyncio.Event()

    async def start(self, child: Child) -> None:
        """Start a child and wait until it is ready; from then on it is restarted when it dies.

        Raises:
            ServerError: it cannot be started, or ended before it was ready.
        """
        kept = _Kept(Process(child))
        self._kept.append(kept)
        if child.ready is not None:
            await child.ready(kept.process)
        kept.task = asyncio.create_task(self._keep(kept), name=f"keep {child.name}")
        kept.task.add_done_callback(self._ended)

    async def over(self) -> None:
        """Wait until a child has ended that need not be started again.

        Raises:
            UsageError: it refused its settings. It has said why.
        """
        await asyncio.shield(self._over)

    def hurry(self) -> None:
        """Have `stop` kill what has not ended yet, now and from now on, but for `Child.patient` ones."""
        self._hurry.set()

    async def stop(self) -> None:
        """End all children, the last one started first, each within its deadline."""
        while self._kept:
            await self._stop(self._kept[-1])
            self._kept.pop()

    def abandon(self) -> None:
        """Kill whatever still runs."""
        for kept in reversed(self._kept):
            if kept.task is not None:
                kept.task.cancel()
            kept.process.kill_and_wait()
        self._kept.clear()

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the children by name."""
        return {kept.process.child.name: kept.process.pid for kept in self._kept}

    async def _keep(self, kept: _Kept) -> None:
        child, deaths = kept.process.child, 0
        while True:
            code = await kept.process.wait()
            if kept.stopping:
                return
            if code == USAGE:
                raise UsageError(f"{child.name} refuses its settings")
            deaths = 1 if time.monotonic() - kept.started > STEADY_AFTER else deaths + 1
            delay = restart_delay(deaths)
            log.warning("%s %s; starting it again in %g s", child.name, describe_end(code), delay)
            await asyncio.sleep(delay)
            try:
                kept.restart()
            except ServerError as error:
                log.error("%s", error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._over.done():
            self._over.set_exception(error)
            self._over.exception()  # looked at: whoever waits gets it, nobody else is told

    async def _stop(self, kept: _Kept) -> None:
        kept.stopping = True
        process, child = kept.process, kept.process.child
        process.terminate()
        hurry = asyncio.create_task(self._hurry.wait())
        ended = asyncio.create_task(process.wait())
        waiting = {ended} if child.patient else {ended, hurry}
        try:
            await asyncio.wait(waiting, timeout=child.stop_within, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                if child.patient or not hurry.done():
                    log.warning("%s has not ended within %g s: killing it", child.name, child.stop_within)
                process.kill()
            await ended
        finally:
            tasks = [hurry, ended, *([kept.task] if kept.task else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class _Kept:
    """A child that is kept running."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.started = time.monotonic()
        self.stopping = False
        self.task: asyncio.Task[None] | None = None

    def restart(self) -> None:
        self.process = Process(self.process.child)
        self.started = time.monotonic()


@contextlib.asynccontextmanager
async def supervise() -> AsyncIterator[Supervisor]:
    """A supervisor whose children have all ended when the context is left, however it is left."""
    supervisor = Supervisor()
    try:
        yield supervisor
    finally:
        # In good order if there is time; a cancellation meanwhile is the end.
        try:
            await supervisor.stop()
        finally:
            supervisor.abandon()
