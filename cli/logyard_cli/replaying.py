"""Watching a replay that a router carries out: a bar on a terminal, lines elsewhere, an end in order by Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from logyard.bus.drains import DrainSpec, drain_status
from logyard.bus.replays import (
    OVER,
    ReplayProgress,
    ReplayRequest,
    ask_for_replay,
    end_replay,
    keep_asking,
    replay_progress,
)
from logyard.errors import UsageError
from logyard_cli.bar import bar, plain
from logyard_cli.exits import say
from logyard_cli.stopping import Stopping
from logyard_cli.units import plural

if TYPE_CHECKING:
    from logyard.server import Server

__all__ = ["outcome", "refuse_unready", "timestamp", "watch"]

LOOK_EVERY = 0.2
RENEW_EVERY = 2.0
PLAIN_EVERY = 5.0
"""Seconds between two lines where there is no terminal."""
END_WITHIN = 10.0
"""Seconds that what is on its way has to arrive after Ctrl-C."""


async def refuse_unready(server: Server, spec: DrainSpec) -> None:
    """Raise UsageError if no worker can take up a replay of this drain until a person does something."""
    (status,) = await drain_status(server, [spec.name])
    if status.state == "paused":
        raise UsageError(f'drain {spec.name} is paused; first: "logyard drain resume {spec.name}"')
    if status.state == "failed":
        raise UsageError(
            f"drain {spec.name} has failed: {status.last_error};"
            f' put that right, then "logyard drain resume {spec.name}"'
        )


async def watch(server: Server, request: ReplayRequest) -> tuple[ReplayProgress, bool]:
    """Ask for a replay, and keep asking until it is over or Ctrl-C comes, which ends it in order.

    Returns:
        How it ended, and whether it was interrupted.

    Raises:
        UsageError: another replay of this drain is under way.
        ConnectionLost, ServerError: as `Server.call`; the replay ends by itself then.
    """
    progress, interrupted = ReplayProgress(request.id, "waiting"), True
    with Stopping() as stopping, _Shown(request) as shown:
        stopping.on_second(_cancel_current())
        await ask_for_replay(server, request)
        loop = asyncio.get_running_loop()
        renewed = noted = loop.time()
        while not stopping.requested:
            progress = await replay_progress(server, request.drain, request.id)
            shown.show(progress)
            if progress.state in OVER:
                return progress, False
            if loop.time() - renewed >= RENEW_EVERY:
                renewed = loop.time()
                if not await keep_asking(server, request):
                    break  # somebody has cancelled it, or Redis has forgotten it
            if loop.time() - noted >= 1.0:
                noted = loop.time()
                shown.note(await _hindrance(server, request.drain))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await stopping.wait()
        interrupted = stopping.requested
        await end_replay(server, request)
        deadline = loop.time() + END_WITHIN
        while True:
            progress = await replay_progress(server, request.drain, request.id)
            shown.show(progress)
            if progress.state in {*OVER, "waiting"} or loop.time() >= deadline:
                break
            await asyncio.sleep(0.05)
    return progress, interrupted


def _cancel_current() -> Callable[[], None]:
    """What ends the current task at once."""
    task = asyncio.current_task()
    assert task is not None

    def cancel() -> None:
        task.cancel()

    return cancel


async def _hindrance(server: Server, drain: str) -> str:
    """Why it does not go on just now, "" when it does."""
    (status,) = await drain_status(server, [drain])
    if status.state == "unserved":
        return "no router works on this drain; waiting for one"
    if status.state in {"retrying", "failed", "paused"}:
        return f"the drain is {status.state}{': ' if status.last_error else ''}{status.last_error}; waiting"
    return ""


class _Shown:
    """What is seen of it on standard error."""

    def __init__(self, request: ReplayRequest) -> None:
        self._what = "records" if request.kind == "records" else "dead letters"
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._began: float | None = None
        self._told = 0.0
        self._noted = ""
        self._drawn = False

    def __enter__(self) -> _Shown:
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def show(self, progress: ReplayProgress) -> None:
        if progress.state == "waiting":
            return
        now = asyncio.get_running_loop().time()
        if self._began is None:
            self._began = self._told = now
        if self._terminal:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
            line = bar(progress.looked, progress.total, now - self._began, columns)
            sys.stderr.write(f"\r{line}\x1b[K")
            sys.stderr.flush()
            self._drawn = True
        elif now - self._told >= PLAIN_EVERY:
            self._told = now
            say(f"{plain(progress.looked, progress.total, now - self._began)} {self._what}")

    def note(self, text: str) -> None:
        """Say something once."""
        if text and text != self._noted:
            self._clear()
            say(text)
        self._noted = text

    def _clear(self) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = False


def outcome(progress: ReplayProgress) -> str:
    """What became of it, in words."""
    parts = [f"{plural(progress.sent, 'record')} sent again"]
    if progress.refused:
        parts.append(f"{progress.refused:,} refused again")
    if progress.filtered:
        parts.append(f"{progress.filtered:,} left out")
    if progress.gone:
        parts.append(f"{progress.gone:,} no longer there")
    if progress.unreadable:
        parts.append(f"{plural(progress.unreadable, 'batch', 'batches')} not readable")
    return ", ".join(parts)


def timestamp(milliseconds: int) -> str:
    """A moment as the options take it: ``2026-05-01T14:30:00.123Z``."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
