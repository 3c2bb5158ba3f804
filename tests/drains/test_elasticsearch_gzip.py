"""Compressed bodies."""

from __future__ import annotations

import gzip
import zlib

import pytest

from logyard_drains.elasticsearch_gzip import gzipped


@pytest.mark.parametrize("pieces", [[b"x"], [b"a\n", b"b\n"], [b"line %d\n" % number * 5000 for number in range(9)]])
async def test_pieces_become_one_stream(pieces: list[bytes]) -> None:
    packed = b"".join(await gzipped(pieces))
    assert gzip.decompress(packed) == b"".join(pieces)
    first = zlib.decompressobj(31)
    assert first.decompress(packed) == b"".join(pieces), "all of it is in the first stream"
    assert first.eof
    assert not first.unused_data
