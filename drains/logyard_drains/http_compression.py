"""Bodies of HTTP requests, compressed in threads: the compressors release the GIL while they work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import zstandard

__all__ = ["COMPRESSIONS", "Compression", "compress", "compressed", "gzipped"]

Compression = Literal["none", "gzip", "zstd"]
COMPRESSIONS: tuple[Compression, ...] = ("none", "gzip", "zstd")
"""What a body can be, by the names that ``Content-Encoding`` has for them (RFC 9110, 8.4.1; RFC 8878)."""

_LEVEL = 1
_INLINE = 8 * 1024
"""Bytes up to which compressing takes less time than asking a thread to do it."""
_WINDOW = 31
"""As zlib names it: gzip's header around the largest window."""
_threads = threading.local()


def compress(body: bytes, how: Compression) -> bytes:
    """``body`` compressed; may be called from any thread."""
    if how == "gzip":
        from isal import igzip

        packed: bytes = igzip.compress(body, compresslevel=_LEVEL)
        return packed
    if how == "zstd":
        return _zstd().compress(body)
    return body


async def compressed(body: bytes, how: Compression) -> bytes:
    """`compress` that leaves the event loop to others meanwhile."""
    if how == "none" or len(body) <= _INLINE:
        return compress(body, how)
    return await asyncio.to_thread(compress, body, how)


async def gzipped(pieces: Sequence[bytes]) -> list[bytes]:
    """The pieces as one gzip stream, in pieces: Elasticsearch reads only the first of several streams."""
    if sum(map(len, pieces)) <= _INLINE:
        return _gzip(pieces)
    return await asyncio.to_thread(_gzip, pieces)


def _gzip(pieces: Sequence[bytes]) -> list[bytes]:
    from isal import isal_zlib

    compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _WINDOW)
    packed = [compressor.compress(piece) for piece in pieces]
    return [part for part in (*packed, compressor.flush()) if part]


def _zstd() -> zstandard.ZstdCompressor:
    # One per thread: a compressor shared between threads crashes.
    found: zstandard.ZstdCompressor | None = getattr(_threads, "zstd", None)
    if found is None:
        import zstandard

        found = _threads.zstd = zstandard.ZstdCompressor(level=_LEVEL)
    return found
