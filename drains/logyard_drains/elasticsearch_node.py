"""A node of a cluster, as the official client reaches it, with a limit of its own for connecting."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import elastic_transport

from logyard_drains import stream_socket

__all__ = ["Node"]


class Node(elastic_transport.AiohttpHttpNode):
    """Tries a connection first when the last request failed, or there was none yet.

    The client has one limit for connecting and for the answer. An answer may take most of a minute; a node that takes
    no connection is passed over long before that.
    """

    _answered = False

    async def perform_request(self, *args: Any, **options: Any) -> Any:  # type: ignore[override]
        """As `AiohttpHttpNode.perform_request`.

        Raises:
            ConnectionError: also when no connection is made within `stream_socket.CONNECT_TIMEOUT`.
        """
        if not self._answered:
            await self._try_connection()
        try:
            answer = await super().perform_request(*args, **options)
        except BaseException:
            self._answered = False
            raise
        self._answered = True
        return answer

    async def _try_connection(self) -> None:
        try:
            async with asyncio.timeout(stream_socket.CONNECT_TIMEOUT):
                _, writer = await asyncio.open_connection(self.host, self.port)
        except TimeoutError:
            raise elastic_transport.ConnectionError(f"no connection in {stream_socket.CONNECT_TIMEOUT:g} s") from None
        except OSError:
            return  # the request meets the same, and tells it as it always does
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
