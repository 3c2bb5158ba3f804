"""``stdout://``: records on standard output, for trying things out.

Standard output is mostly a terminal, and a terminal obeys the escape sequences that somebody has put into a
log line: control characters are shown as ``\\x1b`` instead.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logyard.batch import Selection
from logyard.drain import Context, DrainURI, Limits, Receipt
from logyard.errors import NotConnected, Permanent, UsageError
from logyard.formats import make_format

if TYPE_CHECKING:
    from logyard.formats import Format

__all__ = ["Config", "configure", "open", "visible"]

_PIECE = select.PIPE_BUF
"""What a pipe that is ready to be written to takes without blocking (pipe(7))."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Config:
    """Attributes:
    format: how a record is written, one a line.
    """

    format: Format


def configure(uri: DrainURI) -> Config:
    """Settings from ``stdout://?...`` (docs/drains.md)."""
    uri.refuse_unknown("format")
    if uri.host or uri.path not in ("", "/"):
        raise UsageError("stdout:// has neither host nor path")
    return Config(format=make_format(uri.text("format", "text")))


def visible(block: bytes) -> bytes:
    """``block`` with control characters, and bytes that are no UTF-8, written as ``\\xNN``; lines and tabs stay."""
    text = block.decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text).encode()


@asynccontextmanager
async def open(config: Config, context: Context) -> AsyncIterator[StdoutDrain]:  # noqa: A001 - the contract's name
    """Standard output is always open; what is buffered in it goes first.

    Raises:
        Permanent: this process has none.
    """
    try:
        sys.stdout.flush()
        fd = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError) as error:
        raise Permanent(f"this process has no standard output: {error}") from None
    yield StdoutDrain(config.format, fd)


class StdoutDrain:
    """Standard output. A reader that does not read holds up this drain and nothing else."""

    limits = Limits(max_bytes=256 * 1024)

    def __init__(self, form: Format, fd: int) -> None:
        self._format = form
        self._fd = fd

    async def send(self, records: Sequence[Selection]) -> Receipt | None:
        """Write the records.

        Raises:
            Permanent: nobody reads any more.
        """
        for selection in records:
            await self._write(visible(self._format.block(selection)))
        return None

    async def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if not select.select((), (self._fd,), (), 0)[1]:
                await self._writable()
            try:
                view = view[os.write(self._fd, view[:_PIECE]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise Permanent("standard output: nobody reads it any more") from None
            except OSError as error:
                raise NotConnected(f"standard output: {error.strerror}") from None

    async def _writable(self) -> None:
        # The descriptor stays as it is: making it non-blocking would do so for the shell as well.
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_writer(self._fd, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(self._fd)

    def confirmed(self) -> None:
        """Returning from `send` says so."""

    async def finish(self) -> None:
        """Nothing is held back."""
