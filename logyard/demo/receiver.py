"""Somebody who receives syslog over TCP and counts: RFC 5424 messages in octet-counted frames (RFC 6587, 3.4.1)."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

__all__ = ["FrameParser", "Receiver", "receive_syslog", "source_of"]

LONGEST_LENGTH = 9
"""Digits of a frame's length."""


class FrameParser:
    """Takes a byte stream apart into frames, however it was cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete with ``data``.

        Raises:
            ValueError: this is not octet counting.
        """
        buffer = self._buffer
        buffer += data
        found = []
        at = 0
        while True:
            space = buffer.find(b" ", at, at + LONGEST_LENGTH + 1)
            if space < 0:
                if len(buffer) - at > LONGEST_LENGTH:
                    raise ValueError(f"no length at the beginning of a frame: {bytes(buffer[at : at + 20])!r}")
                break
            digits = bytes(buffer[at:space])
            if not digits.isdigit():
                raise ValueError(f"{digits!r} is not the length of a frame")
            end = space + 1 + int(digits)
            if end > len(buffer):
                break
            found.append(bytes(buffer[space + 1 : end]))
            at = end
        del buffer[:at]
        return found


def source_of(message: bytes) -> str:
    """Who a message (RFC 5424, 6) is from: ``<APP-NAME>.<PROCID>``, or the app name alone when there is no process id.

    Raises:
        ValueError: it is no such message.
    """
    _, _, _, app, process, _, _ = message.split(b" ", 6)
    return app.decode() if process == b"-" else f"{app.decode()}.{process.decode()}"


class Receiver:
    """What has come in.

    Attributes:
        port: of 127.0.0.1.
        frames: how many.
        by_source: how many of each source; see `source_of`.
        errors: what could not be understood.
    """

    def __init__(self) -> None:
        self.port = 0
        self.frames = 0
        self.by_source: Counter[str] = Counter()
        self.errors: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count what one connection sends."""
        parser = FrameParser()
        try:
            while data := await reader.read(1 << 18):
                for message in parser.feed(data):
                    self.frames += 1
                    self.by_source[source_of(message)] += 1
        except ValueError as error:
            self.errors.append(str(error))
        except OSError:
            pass  # the other end broke off: it sends again what it has to
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def receive_syslog() -> AsyncIterator[Receiver]:
    """A receiver on a free port of 127.0.0.1, until the context is left."""
    receiver = Receiver()
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(receiver.serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
