"""A child process: started so that it cannot outlive us, with its end as something to await."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from logyard.errors import ServerError

__all__ = ["Child", "Process", "describe_end"]

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Child:
    """A program to run.

    Attributes:
        name: what messages call it.
        argv: program and arguments; they are visible to every user of the machine, so no secret is among them.
        stdin: what it reads from standard input: settings, secrets included.
        folder: where it runs, None for here.
        output: file that its output is appended to, None for our standard error.
        inherited: descriptors that it keeps.
        stop_within: seconds that it may take to end after SIGTERM.
        patient: it gets this time even when somebody is in a hurry.
        ready: waits until it can be used; raises `ServerError` when it ended instead.
    """

    name: str
    argv: tuple[str, ...]
    stdin: bytes = field(default=b"", repr=False)
    folder: Path | None = None
    environ: Mapping[str, str] | None = field(default=None, repr=False)
    output: Path | None = None
    inherited: tuple[int, ...] = ()
    stop_within: float = 10.0
    patient: bool = False
    ready: Callable[[Process], Awaitable[None]] | None = None


class Process:
    """A running `Child`. Start it from the main thread: the kernel ends it when that thread ends.

    Raises:
        ServerError: the program cannot be started.
    """

    def __init__(self, child: Child) -> None:
        self.child = child
        with contextlib.ExitStack() as opened:
            stdin = opened.enter_context(_private_file(child.stdin))
            output: int = sys.__stderr__.fileno() if sys.__stderr__ is not None else subprocess.DEVNULL
            try:
                if child.output is not None:
                    output = opened.enter_context(open(child.output, "ab", opener=_private)).fileno()
                # A session of its own: Ctrl-C in the terminal reaches us alone, and we end children in order.
                self._popen = subprocess.Popen(  # noqa: S603 - the program is ours
                    child.argv, stdin=stdin, stdout=output, stderr=output, cwd=child.folder, env=child.environ,
                    pass_fds=child.inherited, start_new_session=True, umask=0o077,
                    preexec_fn=_end_with_parent(),  # noqa: PLW1509 - this process has one thread
                )  # fmt: skip
            except (OSError, subprocess.SubprocessError) as error:
                reason = getattr(error, "strerror", None) or error
                raise ServerError(f"cannot start {child.name} ({child.argv[0]}): {reason}") from None
        self._pidfd = os.pidfd_open(self._popen.pid) if hasattr(os, "pidfd_open") else -1

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def ended(self) -> bool:
        return self._popen.poll() is not None

    async def wait(self) -> int:
        """Its exit code, negative for a signal, once it has ended. May be cancelled and called again."""
        if self._popen.poll() is None:
            if self._pidfd >= 0:
                await _readable(self._pidfd)
            else:
                await asyncio.to_thread(self._popen.wait)
        code = self._popen.wait()
        self._close()
        return code

    def terminate(self) -> None:
        """Ask it to end in good order."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        self._send(signal.SIGKILL)

    def kill_and_wait(self) -> None:
        """End it now and see it gone; blocks for the moment that takes."""
        self.kill()
        self._popen.wait()
        self._close()

    def _send(self, number: signal.Signals) -> None:
        if self._popen.poll() is None:
            self._popen.send_signal(number)

    def _close(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


def describe_end(code: int) -> str:
    """An exit code in words."""
    if code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"ended with exit code {code}"


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def ready() -> None:
        if not future.done():
            future.set_result(None)

    loop.add_reader(descriptor, ready)
    try:
        await future
    finally:
        loop.remove_reader(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _private_file(content: bytes) -> BinaryIO:
    """An open file without a name that holds ``content``: in memory where that is possible."""
    if hasattr(os, "memfd_create"):
        file: BinaryIO = os.fdopen(os.memfd_create("logyard"), "w+b")
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(content)
    file.flush()
    file.seek(0)
    return file


def _end_with_parent() -> Callable[[], None] | None:
    """What a child does before it becomes its program: have the kernel end it (SIGTERM) when we end, however.

    None where the kernel cannot (it is Linux that can).
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before it could be watched
            os._exit(1)

    return before_exec
