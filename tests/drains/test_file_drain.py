"""The file drain as the router uses it: real disks that are full, real kills, threads that come to an end."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from logyard.drain import Context, DrainURI
from logyard.errors import NotConnected, Permanent, RetryLater, UsageError
from logyard_drains import file
from logyard_drains.file import FileDrain
from logyard_drains.file_compress import expand
from logyard_drains.file_position import Position, rotated_generations
from tests.drains.records import batch_of, numbered, numbers_in
from tests.servers.processes import Processes, eventually, wait_for

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def opened(
    path: Path, cursor: str | None = None, testing: bool = False, **params: str
) -> AsyncIterator[FileDrain]:
    config = file.configure(DrainURI.parse(f"file://{path}", {"format": "raw", **params}))
    async with file.open(config, Context("d", "router1", cursor=cursor, testing=testing)) as drain:
        yield drain


async def test_each_record_is_a_line_and_the_cursor_says_where_the_file_ends(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    async with opened(path) as drain:
        receipt = await drain.send([batch_of([b"one", b"two\nlines"]), batch_of([b"three"])])
    assert path.read_bytes() == b"one\ntwo\\nlines\nthree\n"
    assert receipt is not None
    position = Position.decode(receipt.cursor, str(path))
    assert position is not None
    assert position.length == path.stat().st_size


async def test_an_open_with_the_cursor_cuts_what_came_after_it(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    async with opened(path) as drain:
        receipt = await drain.send([numbered(0, 10)])
        await drain.send([numbered(10, 10)])
    assert receipt is not None
    async with opened(path, receipt.cursor) as drain:
        await drain.send([numbered(10, 5)])
    assert numbers_in(path.read_bytes()) == list(range(15))


async def test_finishing_in_good_order_leaves_no_trace_beside_the_file(tmp_path: Path) -> None:
    async with opened(tmp_path / "out.log") as drain:
        await drain.send([numbered(0, 1)])
        assert len(list(tmp_path.iterdir())) == 2
        await drain.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["out.log"]


async def test_the_mark_of_the_beginning_goes_once_the_first_cursor_must_be_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / ".out.log.logyard"
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    async with opened(tmp_path / "out.log") as drain:
        await drain.send([numbered(0, 1)])
        now += file.SETTLED
        await drain.send([numbered(1, 1)])
        assert mark.exists()
        now += 1
        await drain.send([numbered(2, 1)])
        assert not mark.exists()


@pytest.mark.parametrize(("codec", "ending"), [("gzip", ".gz"), ("zstd", ".zst")])
async def test_rotated_files_are_compressed_in_the_background(tmp_path: Path, codec: str, ending: str) -> None:
    cursor = None
    async with opened(tmp_path / "out.log", rotate_size="2KiB", compress=codec) as drain:
        for start in range(0, 100, 10):
            receipt = await drain.send([numbered(start, 10, 100)])
            cursor = receipt.cursor if receipt else None
        await eventually(lambda: not list(tmp_path.glob("out.log.0?????")), "all rotated files to be compressed")
    rotated = sorted(tmp_path.glob(f"out.log.*{ending}"))
    assert len(rotated) == 4
    expanded = tmp_path / "expanded"
    found = b""
    for path in rotated:
        expand(path, expanded, 1 << 30)
        found += expanded.read_bytes()
    assert numbers_in(found + (tmp_path / "out.log").read_bytes()) == list(range(100))
    async with opened(tmp_path / "out.log", cursor, rotate_size="2KiB", compress=codec):
        assert sorted(tmp_path.glob(f"out.log.*{ending}")) == rotated


async def test_a_compression_that_a_kill_interrupted_is_taken_up_at_the_next_open(tmp_path: Path) -> None:
    (tmp_path / "out.log.000001").write_bytes(b"x\n" * 1000)
    (tmp_path / "out.log.000001.zst.tmp").write_bytes(b"torn")
    async with opened(tmp_path / "out.log", compress="zstd"):
        await eventually((tmp_path / "out.log.000001.zst").exists, "the compressed file")
    assert not (tmp_path / "out.log.000001.zst.tmp").exists()


async def test_files_rotate_by_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    async with opened(tmp_path / "out.log", rotate_age="1h") as drain:
        await drain.send([numbered(0, 1)])
        now += 3600
        await drain.send([numbered(1, 1)])
    assert numbers_in((tmp_path / "out.log.000001").read_bytes()) == [0]
    assert numbers_in((tmp_path / "out.log").read_bytes()) == [1]


async def test_partitions_write_files_of_their_own(tmp_path: Path) -> None:
    config = file.configure(DrainURI.parse(f"file://{tmp_path}/out.log?format=raw"))
    for partition in range(2):
        context = Context("d", "router1", partition=partition, partitions=2)
        async with file.open(config, context) as drain:
            await drain.send([numbered(partition, 1)])
            await drain.finish()
    assert {path.name: numbers_in(path.read_bytes()) for path in tmp_path.iterdir()} == {
        "out.p00.log": [0],
        "out.p01.log": [1],
    }


async def test_trying_it_makes_no_file_but_a_marked_record_can_be_sent(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    async with opened(path, testing=True) as drain:
        assert not list(tmp_path.iterdir())
        assert await drain.send([numbered(0, 1)]) is None
    assert numbers_in(path.read_bytes()) == [0]
    assert [found.name for found in tmp_path.iterdir()] == ["out.log"]


@pytest.mark.parametrize("testing", [False, True])
async def test_a_missing_directory_is_told(tmp_path: Path, testing: bool) -> None:
    with pytest.raises(Permanent, match=rf"the directory {re.escape(str(tmp_path))}/logs does not exist; create it"):
        async with opened(tmp_path / "logs" / "out.log", testing=testing):
            pass


async def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (Path("/dev/null"), tmp_path, tmp_path / "fifo"):
        with pytest.raises(Permanent, match="is not a regular file"):
            async with opened(path):
                pass


async def test_a_directory_or_file_that_is_not_writable_is_told(unprivileged: Path) -> None:
    logs = unprivileged / "logs"
    logs.mkdir()
    (logs / "out.log").touch(mode=0o400)
    with pytest.raises(Permanent, match=r"out\.log is not writable for user"):
        async with opened(logs / "out.log"):
            pass
    logs.chmod(0o500)
    with pytest.raises(Permanent, match=r"logs is not writable for user"):
        async with opened(logs / "other.log"):
            pass


async def test_a_second_drain_on_the_same_file_is_told_to_wait(tmp_path: Path) -> None:
    async with opened(tmp_path / "out.log") as drain:
        with pytest.raises(RetryLater, match="another drain or process writes to this file"):
            async with opened(tmp_path / "out.log"):
                pass
        await drain.send([numbered(0, 1)])
    async with opened(tmp_path / "out.log"):
        pass


async def test_a_failing_disk_is_connected_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_fd: int, _blocks: object) -> int:
        raise OSError(5, os.strerror(5))

    async with opened(tmp_path / "out.log") as drain:
        monkeypatch.setattr(os, "writev", failing)
        with pytest.raises(NotConnected, match=r"out\.log: Input/output error"):
            await drain.send([numbered(0, 1)])


async def test_a_cancelled_send_is_over_before_the_file_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on, real = threading.Event(), threading.Event(), os.writev

    def slow(fd: int, blocks: list[bytes]) -> int:
        entered.set()
        go_on.wait(20)
        return real(fd, blocks)

    monkeypatch.setattr(os, "writev", slow)
    path = tmp_path / "out.log"
    async with opened(path) as drain:
        sending = asyncio.create_task(drain.send([numbered(0, 3)]))
        await eventually(entered.is_set, "the write to begin")
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert path.read_bytes() == b""
        go_on.set()
    assert numbers_in(path.read_bytes()) == [0, 1, 2]
    async with opened(path) as drain:
        assert path.read_bytes() == b""  # it was not acknowledged, and comes again
        await drain.send([numbered(0, 3)])
    assert numbers_in(path.read_bytes()) == [0, 1, 2]


async def test_no_thread_outlives_the_drain(tmp_path: Path) -> None:
    async with opened(tmp_path / "out.log", rotate_size="1KiB", compress="zstd") as drain:
        for start in range(0, 100, 10):
            await drain.send([numbered(start, 10, 100)])

    def left() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("logyard-")]

    await eventually(lambda: not left(), "the threads to end")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.needs("root", "linux")
async def test_on_a_full_disk_nothing_is_torn_and_it_goes_on_when_there_is_room(small_disk: Path) -> None:
    path = small_disk / "out.log"
    filling = small_disk / "filling"
    filling.write_bytes(b"x" * 700_000)
    async with opened(path) as drain:
        sent = 50
        await drain.send([numbered(0, 50, 4096)])
        with pytest.raises(RetryLater, match=r"out\.log: No space left on device; nothing was written"):
            await drain.send([numbered(50, 50, 4096)])
        assert numbers_in(path.read_bytes()) == list(range(sent))
        filling.unlink()
        receipt = await drain.send([numbered(sent, 10, 4096)])
        assert receipt is not None
    assert numbers_in(path.read_bytes()) == list(range(sent + 10))
    async with opened(path, receipt.cursor):
        assert numbers_in(path.read_bytes()) == list(range(sent + 10))


@pytest.mark.needs("root", "linux")
async def test_a_full_disk_at_the_moment_of_opening_or_rotating_is_waited_for(small_disk: Path) -> None:
    path, filling = small_disk / "out.log", small_disk / "filling"
    subprocess.run(["mount", "-o", "remount,nr_inodes=4", str(small_disk)], check=True)
    filling.touch()
    (small_disk / "second").touch()
    (small_disk / "third").touch()
    with pytest.raises(RetryLater, match="No space left on device"):
        async with opened(path):
            pass
    (small_disk / "second").unlink()
    (small_disk / "third").unlink()
    async with opened(path, rotate_size="1KiB") as drain:
        receipt = await drain.send([numbered(0, 10, 100)])
        assert receipt is not None
        with pytest.raises(RetryLater, match="No space left on device"):
            await drain.send([numbered(10, 10, 100)])
    filling.unlink()
    async with opened(path, receipt.cursor, rotate_size="1KiB") as drain:
        await drain.send([numbered(10, 10, 100)])
    assert numbers_in(b"".join(found.read_bytes() for found in sorted(small_disk.glob("out.log.*")))) == list(range(10))
    assert numbers_in(path.read_bytes()) == list(range(10, 20))


WRITER = """
# Delivers numbered records and keeps the acknowledged cursor as the router does: after the send, in one step.
import asyncio, json, os, random, sys
from pathlib import Path
from logyard.drain import Context, DrainURI
from logyard_drains import file
from tests.drains.records import numbered

async def main(folder, seed):
    chance = random.Random(seed)
    state = folder / "state.json"
    cursor, start = json.loads(state.read_text()) if state.exists() else (None, 0)
    uri = f"file://{folder}/logs/out.log?format=raw&rotate_size=20KiB&keep=100000&compress=zstd"
    async with file.open(file.configure(DrainURI.parse(uri)), Context("d", "n", cursor=cursor)) as drain:
        while True:
            count = chance.randint(1, 60)
            receipt = await drain.send([numbered(start, count, chance.randint(20, 300))])
            start += count
            temporary = folder / "state.tmp"
            temporary.write_text(json.dumps([receipt.cursor, start]))
            os.rename(temporary, state)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


def whole(folder: Path) -> list[int]:
    """The numbers in all files, in their order."""
    data = b""
    for _, forms in sorted(rotated_generations("out.log", folder.iterdir()).items()):
        if forms[0].suffix == ".zst":
            expand(forms[0], folder.parent / "expanded", 1 << 30)
            data += (folder.parent / "expanded").read_bytes()
        else:
            data += forms[0].read_bytes()
    return numbers_in(data + (folder / "out.log").read_bytes())


async def test_kill_9_again_and_again_loses_and_repeats_nothing(processes: Processes, tmp_path: Path) -> None:
    logs, state = tmp_path / "logs", tmp_path / "state.json"
    logs.mkdir()
    chance = random.Random(8)
    older: list[str] = []
    for kill in range(8):
        before = json.loads(state.read_text())[1] if state.exists() else 0
        writer = processes.start(
            "writer", [sys.executable, "-c", WRITER, str(tmp_path), str(kill)], env={"PYTHONPATH": str(ROOT)}
        )

        def delivered(
            more: int = before + chance.randint(1, 3000), writer: object = writer, last: bool = kill == 7
        ) -> bool:
            assert writer.alive  # type: ignore[attr-defined]
            if last and not list(logs.glob("*.zst")):  # a slow disk may have kept all before from being written
                return False
            return state.exists() and bool(json.loads(state.read_text())[1] >= more)

        wait_for(delivered, "some records to be delivered")
        writer.kill()
        older.append(state.read_text())
        if kill in {4, 6}:
            del older[-2:]  # Redis has lost what was acknowledged since
            state.write_text(older[-1])
    cursor, acknowledged = json.loads(state.read_text())
    async with opened(logs / "out.log", cursor):
        pass
    assert whole(logs) == list(range(acknowledged))
    assert list(logs.glob("*.zst"))


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("file://relative/path", "three slashes"),
        ("file://", "does not name a file"),
        ("file:///", "does not name a file"),
        ("file:///var/log/", "does not name a file"),
        ("file:///x?keep=0", "at least 1"),
        ("file:///x?compress=rar", "compress='rar' is not one of"),
        ("file:///x?rotate_size=-1", "rotate_size"),
        ("file:///x?rotate_age=often", "not a duration"),
        ("file:///x?fsync=perhaps", "neither yes nor no"),
        ("file:///x?format=xml", "is not a format"),
    ],
)
def test_wrong_settings_are_named(uri: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        file.configure(DrainURI.parse(uri))
