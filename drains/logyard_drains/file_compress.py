"""Rotated files, compressed and back; blocking work for a thread."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TypeAlias, cast

from logyard.errors import Permanent

__all__ = ["CODECS", "compress", "expand"]

CODECS = {"gzip": ".gz", "zstd": ".zst"}
"""The codecs and the ending that each gives a file."""
_CHUNK = 1 << 20
Stream: TypeAlias = AbstractContextManager[IO[bytes]]


def compress(source: Path, codec: str, stop: threading.Event) -> bool:
    """Replace ``source`` by its compressed form; at each moment one of the two is there whole.

    Returns:
        False when ``stop`` was set before it was done, or the file is gone: nothing has changed then.

    Raises:
        OSError: no space, no permission; the uncompressed file stays.
    """
    target = source.with_name(source.name + CODECS[codec])
    temporary = target.with_name(target.name + ".tmp")
    try:
        with source.open("rb") as plain:
            state = os.fstat(plain.fileno())
            with temporary.open("wb") as file:
                with _compressing(file, codec) as packed:
                    while chunk := plain.read(_CHUNK):
                        if stop.is_set():
                            return False
                        packed.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        shutil.copymode(source, temporary)
        os.utime(temporary, ns=(state.st_atime_ns, state.st_mtime_ns))
        temporary.rename(target)
        source.unlink()
    except FileNotFoundError:
        return False  # removed as too old in the meantime
    finally:
        temporary.unlink(missing_ok=True)
    return True


def expand(source: Path, target: Path, length: int) -> None:
    """Write the first ``length`` bytes of the compressed ``source`` to ``target``.

    Raises:
        Permanent: the compressed file is damaged.
    """
    import zlib

    import zstandard

    with source.open("rb") as file, _expanding(file, source.suffix) as packed, target.open("wb") as plain:
        left = length
        try:
            while left and (chunk := packed.read(min(_CHUNK, left))):
                plain.write(chunk)
                left -= len(chunk)
        except (zstandard.ZstdError, zlib.error, EOFError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise Permanent(f"{source}: damaged, and needed to go back to byte {length} of it: {error}") from error


def _compressing(file: IO[bytes], codec: str) -> Stream:
    if codec == "gzip":
        import gzip

        return cast("Stream", gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6))
    import zstandard

    return zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False)


def _expanding(file: IO[bytes], suffix: str) -> Stream:
    if suffix == ".gz":
        import gzip

        return cast("Stream", gzip.GzipFile(fileobj=file, mode="rb"))
    import zstandard

    return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)
