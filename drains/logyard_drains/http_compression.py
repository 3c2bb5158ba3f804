"""Bodies of HTTP requests, compressed in threads: the compressors release the GIL while they work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import zstandard

__all__ = ["COMPRESSIONS", "Compression", "compress", "compressed"]

Compression = Literal["none", "gzip", "zstd"]
COMPRESSIONS: tuple[Compression, ...] = ("none", "gzip", "zstd")
"""What a body can be, by the names that ``Content-Encoding`` has for them (RFC 9110, 8.4.1; RFC 8878)."""

_LEVEL = 1
_INLINE = 8 * 1024
"""Bytes up to which compressing takes less time than asking a thread to do it."""
_WINDOW = 31
"""As zlib names it: gzip's header around the largest window."""
_threads = threading.local()


def compress(pieces: Sequence[bytes], how: Compression) -> Sequence[bytes]:
    """A body's pieces, compressed to one stream, as several are not read by all; may be called from any thread."""
    compressor: _Compressor
    if how == "none":
        return pieces
    if how == "gzip":
        from isal import isal_zlib

        compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _WINDOW)
    else:
        compressor = _zstd().compressobj(size=sum(map(len, pieces)))
    packed = [compressor.compress(piece) for piece in pieces]
    return [part for part in (*packed, compressor.flush()) if part]


async def compressed(pieces: Sequence[bytes], how: Compression) -> Sequence[bytes]:
    """`compress` that leaves the event loop to others meanwhile."""
    if how == "none" or sum(map(len, pieces)) <= _INLINE:
        return compress(pieces, how)
    return await asyncio.to_thread(compress, pieces, how)


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def _zstd() -> zstandard.ZstdCompressor:
    # One per thread: a compressor shared between threads crashes.
    found: zstandard.ZstdCompressor | None = getattr(_threads, "zstd", None)
    if found is None:
        import zstandard

        found = _threads.zstd = zstandard.ZstdCompressor(level=_LEVEL)
    return found
