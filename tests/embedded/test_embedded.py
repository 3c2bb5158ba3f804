"""The embedded server: private, found by its directory, restarted, and clear about what hinders it."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from logyard.datadir import claim, prepare
from logyard.errors import ConnectionLost, ServerError, UsageError
from logyard.server import connect
from logyard.server.embedded import LONGEST_SOCKET_PATH, SOCKET, default_maxmemory, embedded_url, find_binary
from logyard.settings import EmbeddedSettings
from tests.embedded.conftest import embedded
from tests.servers.processes import eventually
from tests.servers.redis import embedded_valkey


def answers(data_dir: Path) -> bool:
    try:
        embedded_url(data_dir)
    except ConnectionLost:
        return False
    return True


async def test_it_serves_on_a_private_socket_and_nowhere_else(tmp_path: Path) -> None:
    async with embedded(tmp_path / "data") as (url, _), connect(url) as server:
        assert server.version.startswith("Valkey")
        settings = dict.fromkeys(("port", "appendonly", "appendfsync", "maxmemory-policy", "save", "maxmemory"), "")
        for name in settings:
            settings[name] = (await server.call("global", "CONFIG", "GET", name))[1].decode()
        assert settings == {
            "port": "0", "appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "save": "",
            "maxmemory": str(64 << 20),
        }  # fmt: skip
        for path in (tmp_path / "data").rglob("*"):
            assert path.is_symlink() or stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


async def test_what_it_holds_is_there_again_after_an_orderly_end(tmp_path: Path) -> None:
    async with embedded(tmp_path) as (url, _), connect(url) as server:
        await server.call("global", "SET", "a", "1")
    async with embedded(tmp_path) as (url, _), connect(url) as server:
        assert await server.call("global", "GET", "a") == b"1"


async def test_a_killed_server_is_started_again_and_has_kept_what_it_had(tmp_path: Path) -> None:
    async with embedded(tmp_path) as (url, supervisor):
        async with connect(url) as server:
            await server.call("global", "SET", "a", "1")
        first = supervisor.pids["server"]
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: supervisor.pids["server"] != first and answers(tmp_path), "another server")
        async with connect(url) as server:
            assert await server.call("global", "GET", "a") == b"1"


async def test_it_ends_with_the_supervisor(tmp_path: Path) -> None:
    async with embedded(tmp_path) as (_, supervisor):
        pid = supervisor.pids["server"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not (tmp_path / SOCKET).exists()


async def test_without_a_server_the_message_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(ConnectionLost, match=r'no logyard is running in .*; start one with "logyard up"'):
        embedded_url(tmp_path)
    async with embedded(tmp_path) as (_, supervisor):
        os.kill(supervisor.pids["server"], signal.SIGKILL)
        await eventually(lambda: not answers(tmp_path), "the end of the server")  # its socket is left behind


@pytest.mark.parametrize("name", ["x" * 120, "a b", "what?", "50%", "a#b", "a@b:c", "é"])
async def test_any_directory_will_do(tmp_path: Path, name: str) -> None:
    async with embedded(tmp_path / name) as (url, _), connect(url) as server:
        assert await server.call("global", "PING") == b"PONG"
        assert (tmp_path / name / SOCKET).is_socket()


async def test_a_long_directory_is_reached_by_a_private_link(tmp_path: Path) -> None:
    data_dir = tmp_path / ("x" * LONGEST_SOCKET_PATH)
    async with embedded(data_dir) as (url, _):
        link = Path(url.removeprefix("unix://")).parent
        assert link.is_symlink()
        assert link.readlink() == data_dir.resolve()
        assert stat.S_IMODE(link.parent.stat().st_mode) == 0o700
        link.unlink()  # as a cleaner of /tmp might
        async with connect(embedded_url(data_dir)) as server:
            assert await server.call("global", "PING") == b"PONG"
        link.unlink()
        link.symlink_to(tmp_path)  # to somewhere else
        async with connect(embedded_url(data_dir)) as server:
            assert await server.call("global", "PING") == b"PONG"


def test_a_runtime_directory_of_somebody_else_is_not_used(tmp_path: Path, runtime_dir: Path) -> None:
    (runtime_dir / "logyard").mkdir()
    (runtime_dir / "logyard").chmod(0o755)
    with pytest.raises(ServerError, match="is not a private directory of this user"):
        embedded_url(tmp_path / ("x" * LONGEST_SOCKET_PATH))


def test_the_program_is_that_of_the_package() -> None:
    assert find_binary() == embedded_valkey()


def test_the_memory_limit_is_a_quarter_of_what_there_is() -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 64 << 20 <= default_maxmemory() <= max(total // 4, 64 << 20)


async def test_a_missing_program_is_named(tmp_path: Path) -> None:
    settings = EmbeddedSettings(binary=tmp_path / "no-such-server")
    with pytest.raises(ServerError, match=r"cannot start server \(.*no-such-server\): No such file"):
        async with embedded(tmp_path / "data", settings):
            pass


async def test_a_program_that_is_no_server_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"the embedded server cannot start: it ended without a word") as caught:
        async with embedded(tmp_path / "data", EmbeddedSettings(binary=Path("/bin/true"))):
            pass
    assert "\n" not in str(caught.value)


async def test_damaged_data_is_told_in_one_line(tmp_path: Path) -> None:
    async with embedded(tmp_path):
        pass
    (written,) = (tmp_path / "appendonlydir").glob("*.incr.aof")
    written.write_bytes(b"nonsense")
    with pytest.raises(ServerError, match=r"cannot start: Bad file format reading the append only file") as caught:
        async with embedded(tmp_path):
            pass
    assert "\n" not in str(caught.value)


async def test_a_half_written_last_command_is_dropped(tmp_path: Path) -> None:
    async with embedded(tmp_path) as (url, _), connect(url) as server:
        await server.call("global", "SET", "a", "1")
        await server.call("global", "SET", "b", "x" * 1000)
    (written,) = (tmp_path / "appendonlydir").glob("*.incr.aof")
    os.truncate(written, written.stat().st_size - 500)
    async with embedded(tmp_path) as (url, _), connect(url) as server:
        assert await server.call("global", "GET", "a") == b"1"
        assert await server.call("global", "GET", "b") is None


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory of its own file system, without a free byte."""
    folder = tmp_path / "full"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount: {mounted.stderr.strip()}")
    folder.chmod(0o700)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.needs("root", "linux")
def test_a_full_disk_is_said_at_once(full_disk: Path) -> None:
    prepare(full_disk)
    with (full_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))
    with pytest.raises(UsageError, match=r"cannot write to the data directory .*: no space left"), claim(full_disk):
        pass


async def test_a_long_log_makes_room(tmp_path: Path) -> None:
    prepare(tmp_path)
    with (tmp_path / "server.log").open("wb") as file:
        file.truncate(11 << 20)
    async with embedded(tmp_path):
        assert (tmp_path / "server.log").stat().st_size < 1 << 20
        assert (tmp_path / "server.log.1").stat().st_size == 11 << 20
