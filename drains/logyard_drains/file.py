"""``file:///path``: records appended to a file, each exactly once, with rotation.

The receipt's cursor is the place in the files up to which the records are there. After a crash, ours or that of
Redis, the next `open` cuts what lies behind the cursor, for the router sends it again (`file_generations`).
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from logyard.batch import Selection
from logyard.drain import Context, DrainURI, Limits, Receipt
from logyard.errors import DrainError, NotConnected, Permanent, RetryLater, UsageError
from logyard.formats import make_format
from logyard_drains.file_compress import CODECS, compress
from logyard_drains.file_generations import Generations, Rotation
from logyard_drains.file_position import Position, partition_path

if TYPE_CHECKING:
    from logyard.formats import Format

__all__ = ["Config", "configure", "open"]

PARAMETERS = ("format", "overwrite", "rotate_size", "rotate_age", "keep", "compress", "fsync")
SETTLED = 60.0
"""Seconds after which the acknowledgement of the first send is taken to be stored."""
_PERMANENT = (
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG),
)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of a file drain.

    Attributes:
        path: the live file.
        format: how records are written, one a line.
        overwrite: empty the file at the very first open.
        rotation: when to begin a new file and how many to keep.
        compress: codec for rotated files, "" for none.
        fsync: answer only when the records are on the disk.
    """

    path: Path
    format: Format
    overwrite: bool = False
    rotation: Rotation = field(default_factory=Rotation)
    compress: str = ""
    fsync: bool = False


def configure(uri: DrainURI) -> Config:
    """Settings from ``file:///path?...`` (docs/drains.md)."""
    uri.refuse_unknown(*PARAMETERS)
    if uri.host not in ("", "localhost"):
        raise UsageError(f"file://{uri.host}{uri.path} has a host: write file:///absolute/path, with three slashes")
    if not uri.path.startswith("/") or uri.path.endswith("/") or "\0" in uri.path:
        raise UsageError(f"file://{uri.path} does not name a file: write file:///absolute/path")
    return Config(
        path=Path(uri.path),
        format=make_format(uri.text("format", "json")),
        overwrite=uri.flag("overwrite"),
        rotation=Rotation(
            size=uri.number("rotate_size", 0, minimum=1),
            age=uri.seconds("rotate_age", 0.0),
            keep=uri.number("keep", 10, minimum=1, maximum=100_000),
        ),
        compress=uri.text("compress", "", choices=("", *CODECS)),
        fsync=uri.flag("fsync"),
    )


@asynccontextmanager
async def open(config: Config, context: Context) -> AsyncIterator[FileDrain]:  # noqa: A001 - the contract's name
    """Open the file at the cursor.

    Raises:
        Permanent: the directory is missing, not writable, or the path is no file.
        RetryLater: the disk is full, or another process writes to this file.
    """
    drain = FileDrain(config, context)
    try:
        await drain.start()
        yield drain
    finally:
        await drain.leave()


class FileDrain:
    """An open file."""

    limits = Limits()

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._context = context
        self._path = partition_path(config.path, context.partition, context.partitions)
        self._files = Generations(self._path, context.name, config.rotation, fsync=config.fsync)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="logyard-file")
        self._compressor = ThreadPoolExecutor(1, thread_name_prefix="logyard-compress")
        self._stop = threading.Event()
        self._first_sent = 0.0

    async def start(self) -> None:
        """Find the place to go on at."""
        await self._run(self._start)

    def _start(self) -> None:
        _check_writable(self._path)
        if not self._context.testing:
            self._files.open(self._context.cursor, time.time(), overwrite=self._config.overwrite)
            self._compress_rotated()

    async def send(self, records: Sequence[Selection]) -> Receipt | None:
        """Append the records; returns when the kernel has them, with ``fsync`` when the disk has them."""
        blocks = [self._config.format.block(selection) for selection in records]
        if self._context.testing:
            await self._run(lambda: _append_once(self._path, blocks))
            return None
        position = await self._run(lambda: self._append(blocks))
        return Receipt(cursor=position.encode())

    def _append(self, blocks: list[bytes]) -> Position:
        now = time.time()
        generation = self._files.position.generation
        if not self._first_sent:
            self._first_sent = now
        elif now - self._first_sent > SETTLED:
            self._files.forget_first()
        position = self._files.append(blocks, now)
        if position.generation != generation:
            self._compress_rotated()
        return position

    def confirmed(self) -> None:
        """Returning from `send` says so."""

    async def finish(self) -> None:
        """Everything is written already."""
        if not self._context.testing:
            await self._run(self._files.forget_first)

    async def leave(self) -> None:
        """Wait for the threads and close the file, with it its lock."""
        self._stop.set()
        loop = asyncio.get_running_loop()
        # In the writer's own thread, so behind a write that a cancelled send has left there.
        closing = loop.run_in_executor(self._writer, self._close)
        self._writer.shutdown(wait=False)
        await asyncio.shield(closing)

    def _close(self) -> None:
        self._compressor.shutdown(wait=True)
        self._files.close()

    async def _run(self, work: Callable[[], T]) -> T:
        """Do blocking work in the drain's own thread: a slow disk must not stall the other drains."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._writer, work)
        except OSError as error:
            raise _translate(error, self._path) from error

    def _compress_rotated(self) -> None:
        if self._config.compress:
            for path in self._files.uncompressed():
                self._compressor.submit(_compress, path, self._config.compress, self._stop)


def _compress(path: Path, codec: str, stop: threading.Event) -> None:
    try:
        if not stop.is_set():
            compress(path, codec, stop)
    except OSError as error:
        _log.warning("%s stays uncompressed for now: %s", path, error.strerror)


def _check_writable(path: Path) -> None:
    """Refuse what no retry can mend, with a sentence that says what to do."""
    directory = path.parent
    if not directory.is_dir():
        raise Permanent(f"{path}: the directory {directory} does not exist; create it")
    try:
        found = path.stat()
    except FileNotFoundError:
        found = None
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise Permanent(f"{path} is not a regular file")
    # The directory as well: rotating, and remembering where the drain began, make files.
    for what in (directory, *((path,) if found is not None else ())):
        if not os.access(what, os.W_OK):
            raise Permanent(f"{path}: {what} is not writable for user {os.geteuid()}")


def _append_once(path: Path, blocks: list[bytes]) -> None:
    with path.open("ab", buffering=0) as file:
        file.write(b"".join(blocks))


def _translate(error: OSError, path: Path) -> DrainError:
    text = f"{path}: {error.strerror or error}"
    if error.errno in _PERMANENT:
        return Permanent(text)
    if error.errno in _FULL:
        return RetryLater(text)
    return NotConnected(text)
