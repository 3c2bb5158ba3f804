"""The data directory: private to one user, owned by one process at a time.

lock              held by ``logyard up`` (and the server it started) while they run; holds the process id
server.sock       the embedded server's socket; its log is server.log, its process id server.pid
appendonlydir/    what the streams hold
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from logyard.errors import UsageError

__all__ = ["LOCK", "claim", "prepare"]

LOCK = "lock"
PRIVATE = 0o700
_PROBE_BYTES = 4096


def prepare(data_dir: Path) -> Path:
    """Make the directory when it is not there, readable by nobody else; its absolute path.

    A directory that already holds something of somebody else is refused rather than closed to others.

    Raises:
        UsageError: it cannot be made or written to; says why.
    """
    try:
        path = data_dir.absolute()
        path.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        path = path.resolve()
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            if any(path.iterdir()) and not (path / LOCK).exists():
                raise UsageError(
                    f"{path} is open to other users and holds other files: give logyard a directory of its own, "
                    f'or close it with "chmod 700 {path}"'
                )
            path.chmod(PRIVATE)
        (path / LOCK).touch(0o600)
    except OSError as error:
        raise UsageError(f"cannot use the data directory {data_dir}: {error.strerror}") from None
    return path


@contextlib.contextmanager
def claim(data_dir: Path, *, wait: float = 5.0, sleep: Callable[[float], None] = time.sleep) -> Iterator[int]:
    """Own a prepared directory until the context is left.

    The lock belongs to the open file, not to the process: a child that inherits the descriptor keeps it, so that the
    server of an owner that was killed is gone before the next owner starts one over the same data.

    Args:
        wait: seconds to wait for such a server to end.

    Yields:
        The lock's descriptor.

    Raises:
        UsageError: another process owns it, or there is no space left.
    """
    lock = data_dir / LOCK
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"cannot use the data directory {data_dir}: {error.strerror}") from None
    try:
        deadline = time.monotonic() + wait
        while not _locked(descriptor):
            owner = _owner(lock)
            if (owner is not None and _alive(owner)) or time.monotonic() > deadline:
                process = f" (process {owner})" if owner is not None else ""
                raise UsageError(
                    f"another logyard{process} runs in the data directory {data_dir}: "
                    "stop it, or give this one another --data-dir"
                )
            sleep(0.02)
        _probe(data_dir)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(lock: Path) -> int | None:
    try:
        return int(lock.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _probe(data_dir: Path) -> None:
    """Find out now, in one clear line, what the server would say in ten."""
    probe = data_dir / "probe"
    try:
        with probe.open("wb") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        reason = "no space left" if error.errno in {errno.ENOSPC, errno.EDQUOT} else error.strerror
        raise UsageError(f"cannot write to the data directory {data_dir}: {reason}") from None
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
