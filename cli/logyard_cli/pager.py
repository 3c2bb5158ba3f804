"""Long output on a terminal goes through a pager, as ``git log`` does it; short output is just written."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
from collections.abc import Mapping

from logyard_cli.output import Output
from logyard_cli.table import width_of
from logyard_cli.visible import decoded

__all__ = ["PagedOutput", "pager_command"]

_LESS = "less"
_FLAGS = "-RFX"


def pager_command(environment: Mapping[str, str]) -> list[str]:
    """What to start: $PAGER, else less; empty for none.

    less is told to pass colours, to end if all fits, and to leave the text on the screen, unless $LESS says otherwise.
    """
    chosen = environment.get("PAGER", _LESS)
    try:
        words = shlex.split(chosen)
    except ValueError:
        return []
    if not words or words == ["cat"] or environment.get("TERM", "dumb") == "dumb":
        return []
    if shutil.which(words[0], path=environment.get("PATH")) is None:
        return []
    if words == [_LESS] and "LESS" not in environment:
        words.append(_FLAGS)
    return words


class PagedOutput:
    """Where results are written to: held until they exceed the screen, then given to the pager.

    Args:
        output: standard output.
        command: see `pager_command`; empty for no pager.
        columns, lines: of the screen.

    Attributes:
        closed: set when nobody reads any more.
    """

    def __init__(self, output: Output, command: list[str], columns: int, lines: int) -> None:
        self._output = output
        self._command = command if output.terminal else []
        self._columns = max(1, columns)
        self._room = lines - 1  # the prompt comes back below
        self._held = bytearray()
        self._pager: asyncio.subprocess.Process | None = None
        self._pipe: Output | None = None
        self._stack = contextlib.ExitStack()
        self.closed = asyncio.Event()
        self.terminal = output.terminal
        self.written = False

    async def write(self, data: bytes) -> None:
        """Write all of ``data``, now or later; waits while nobody takes it.

        Raises:
            BrokenPipeError: whoever read it is gone.
        """
        if not data:
            return
        self.written = True
        if self._pipe is not None:
            await self._pipe.write(data)
        elif not self._command:
            await self._output.write(data)
        else:
            self._held += data
            if self._rows() > self._room:
                await self._start()

    async def shown(self) -> None:
        """Show what is held; more may come, without a pager for it."""
        if self._held and self._pipe is None:
            data, self._held = bytes(self._held), bytearray()
            self._command = []
            await self._output.write(data)

    async def finish(self) -> None:
        """All is written: show it, and wait until the pager is left."""
        try:
            await self.shown()
        finally:
            self._stack.close()
            if self._pager is not None:
                await self._pager.wait()

    def _rows(self) -> int:
        if len(self._held) > 64 * 1024:
            return self._room + 1
        lines = decoded(bytes(self._held)).split("\n")
        return sum(max(1, -(-_width(line) // self._columns)) for line in lines) - 1

    async def _start(self) -> None:
        reading, writing = os.pipe()
        try:
            # In our process group, so that it may use the terminal; Ctrl-C is for it to interpret.
            self._pager = await asyncio.create_subprocess_exec(*self._command, stdin=reading)
        except OSError:
            os.close(writing)
            self._command = []
            data, self._held = bytes(self._held), bytearray()
            await self._output.write(data)
            return
        finally:
            os.close(reading)
        self._stack.callback(os.close, writing)
        pipe = self._stack.enter_context(Output(writing))
        self._pipe, self.closed = pipe, pipe.closed
        data, self._held = bytes(self._held), bytearray()
        await pipe.write(data)


def _width(line: str) -> int:
    text, _, rest = line.partition("\x1b[")
    width = width_of(text)
    while rest:
        _, _, rest = rest.partition("m")
        text, _, rest = rest.partition("\x1b[")
        width += width_of(text)
    return width
