"""Compressed bodies, from many threads at once."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard

from logyard_drains.http_compression import Compression, compress, compressed

BODIES = [b"%d " % number * (number * 3000) for number in range(60)]


def plain(body: bytes, how: Compression) -> bytes:
    if how == "gzip":
        return gzip.decompress(body)
    return body if how == "none" else zstandard.ZstdDecompressor().decompressobj().decompress(body)


@pytest.mark.parametrize("how", ["none", "gzip", "zstd"])
def test_bodies_survive_threads_that_compress_at_once(how: Compression) -> None:
    with ThreadPoolExecutor(8) as threads:
        packed = [b"".join(found) for found in threads.map(lambda body: compress([body], how), BODIES)]
    assert [plain(body, how) for body in packed] == BODIES
    if how != "none":
        assert sum(map(len, packed)) < sum(map(len, BODIES)) / 20


@pytest.mark.parametrize("how", ["none", "gzip", "zstd"])
async def test_small_and_large_bodies_survive(how: Compression) -> None:
    packed = await asyncio.gather(*(compressed([body], how) for body in BODIES))
    assert [plain(b"".join(pieces), how) for pieces in packed] == BODIES


@pytest.mark.parametrize("pieces", [[b"x"], [b"a\n", b"b\n"], [b"line %d\n" % number * 5000 for number in range(9)]])
async def test_pieces_become_one_stream(pieces: list[bytes]) -> None:
    packed = b"".join(await compressed(pieces, "gzip"))
    assert gzip.decompress(packed) == b"".join(pieces)
    first = zlib.decompressobj(31)
    assert first.decompress(packed) == b"".join(pieces), "all of it is in the first stream"
    assert first.eof
    assert not first.unused_data
