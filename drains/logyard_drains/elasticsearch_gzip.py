"""Bodies in pieces, compressed as one gzip stream: Elasticsearch reads only the first of several that are joined."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

__all__ = ["gzipped"]

_LEVEL = 1
_WINDOW = 31
"""As zlib names it: gzip's header around the largest window."""
_INLINE = 8 * 1024
"""Bytes up to which compressing takes less time than asking a thread to do it."""


async def gzipped(pieces: Sequence[bytes]) -> list[bytes]:
    """The pieces compressed; others have the event loop meanwhile, as the compressor releases the GIL."""
    if sum(map(len, pieces)) <= _INLINE:
        return _compress(pieces)
    return await asyncio.to_thread(_compress, pieces)


def _compress(pieces: Sequence[bytes]) -> list[bytes]:
    from isal import isal_zlib

    compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _WINDOW)
    packed = [compressor.compress(piece) for piece in pieces]
    return [part for part in (*packed, compressor.flush()) if part]
