"""Bodies of HTTP requests in pieces, as aiohttp takes them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.payload import Payload

__all__ = ["body_of"]

_PIECE = 256 * 1024


def body_of(pieces: Sequence[bytes]) -> Payload:
    """A body that is written piece by piece, so that other tasks have their turn, and copied nowhere.

    aiohttp's own for bytes writes all at once, and the one for files copies.
    """
    return _body_class()(pieces)


@cache
def _body_class() -> type[Payload]:
    from aiohttp.payload import Payload

    class Body(Payload):
        _autoclose = True

        def __init__(self, pieces: Sequence[bytes]) -> None:
            super().__init__(pieces)
            self._size = sum(map(len, pieces))

        def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
            return b"".join(self._value).decode(encoding, errors)

        async def write(self, writer: AbstractStreamWriter) -> None:
            for piece in self._value:
                view = memoryview(piece)
                for start in range(0, len(view), _PIECE):
                    await writer.write(view[start : start + _PIECE])

        async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
            await self.write(writer)

    return Body
