"""Standard output as a place that may be slow, or gone: writing waits for it without stopping the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import stat
import sys
from typing import BinaryIO

__all__ = ["Output"]

_AT_ONCE = select.PIPE_BUF
"""Bytes that may be written without blocking to a pipe that has room."""


class Output:
    """Where lines are written to.

    Args:
        fd: a file descriptor; it is neither closed nor changed (others share it).
        stream: written to instead, for an output that has no descriptor.

    Attributes:
        terminal: whether it is a terminal.
        closed: set when whoever read from it is gone, even while nothing is written.
        ending: written when it is left, to take away what was only there for the moment.
    """

    def __init__(self, fd: int | None, stream: BinaryIO | None = None) -> None:
        self._fd = -1 if fd is None else fd
        self._stream = stream
        self.terminal = fd is not None and os.isatty(fd)
        mode = 0 if fd is None else os.fstat(fd).st_mode
        self._waits = self.terminal or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        self._watched = stat.S_ISFIFO(mode) and fcntl.fcntl(self._fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
        self.closed = asyncio.Event()
        self.ending = b""
        self._broken_line = False
        self._shared = -1
        """The descriptor that was given, while a terminal is written to through one of our own."""

    @classmethod
    def standard(cls) -> Output:
        """Standard output, with what was printed before flushed."""
        sys.stdout.flush()
        try:
            return cls(sys.stdout.fileno())
        except (OSError, ValueError):  # replaced by something in memory
            return cls(None, sys.stdout.buffer)

    def __enter__(self) -> Output:
        if self._watched:
            asyncio.get_running_loop().add_reader(self._fd, self._reader_gone)
        if self.terminal and (own := _opened_again(self._fd)) >= 0:
            self._shared, self._fd = self._fd, own
        return self

    def __exit__(self, *_: object) -> None:
        if self._watched:
            asyncio.get_running_loop().remove_reader(self._fd)
        if not self.closed.is_set() and (self.ending or self._broken_line) and self._writable():
            with contextlib.suppress(BlockingIOError):
                os.write(self._fd, self.ending or (b"\x1b[0m\n" if self.terminal else b"\n"))
        if self._shared >= 0:
            os.close(self._fd)
            self._fd, self._shared = self._shared, -1

    async def write(self, data: bytes) -> None:
        """Write all of ``data``; waits while nobody takes it.

        Raises:
            BrokenPipeError: whoever read from it is gone.
        """
        if self._stream is not None:
            self._stream.write(data)
            self._stream.flush()
            return
        view = memoryview(data)
        at_once = _AT_ONCE if self._waits else len(view)
        chunks = 0
        while view:
            if self._waits and not self._writable():
                await self._until_writable()
            try:
                written = os.write(self._fd, view[:at_once])
            except BlockingIOError:  # a terminal, or somebody else made it non-blocking
                await self._until_writable()
                continue
            except BrokenPipeError:
                self.closed.set()
                raise
            self._broken_line = view[written - 1] != 0x0A
            view = view[written:]
            chunks += 1
            if chunks % 64 == 0:
                await asyncio.sleep(0)
        self._broken_line = False

    def _writable(self) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(0))

    async def _until_writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()

        def writable() -> None:
            if not ready.done():
                ready.set_result(None)

        loop.add_writer(self._fd, writable)
        try:
            await ready
        finally:
            loop.remove_writer(self._fd)

    def _reader_gone(self) -> None:
        # The writing end of a pipe becomes "readable" only by an error: nobody has its other end any more.
        poll = select.poll()
        poll.register(self._fd, 0)
        if any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0)):
            asyncio.get_running_loop().remove_reader(self._fd)
            self._watched = False
            self.closed.set()


def _opened_again(fd: int) -> int:
    """The terminal behind ``fd`` opened once more, so that writing to it never blocks; -1 where that is not allowed.

    A terminal counts as writable as soon as it takes a single byte, and a write of more then waits for all of them.
    Making ``fd`` itself non-blocking would change it for the shell and everybody else who has it.
    """
    try:
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return -1
