"""A TCP proxy in the test's own event loop: in front of a shared server, it is the one that stalls and breaks."""

from __future__ import annotations

import asyncio
from contextlib import suppress

__all__ = ["TcpProxy"]


class TcpProxy:
    """Forwards every connection to a port of 127.0.0.1, until told otherwise.

    Args:
        target: the port.

    Attributes:
        port: of 127.0.0.1; the same after `stop` and `start`.
        flowing: cleared, nothing more is forwarded in either direction.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more and reset every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.reset()

    async def reset(self) -> None:
        """Reset every connection; what has not been forwarded yet never will be."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                there, back = await asyncio.open_connection("127.0.0.1", self._target)
                try:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._forward(reader, back))
                        group.create_task(self._forward(there, writer))
                finally:
                    back.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self.flowing.wait()
                writer.write(data)
                await writer.drain()
        with suppress(OSError, RuntimeError):
            writer.write_eof()
