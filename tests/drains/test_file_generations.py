"""Every record exactly once, whenever the process dies and however far Redis falls back."""

from __future__ import annotations

import errno
import gc
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from logyard.errors import Permanent, RetryLater
from logyard_drains import file_compress, file_generations, file_live, file_position
from logyard_drains.file_compress import compress, expand
from logyard_drains.file_generations import Generations, Rotation
from logyard_drains.file_position import Position, partition_path, rotated_generations

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # who dies closes nothing

TRACED = {module.__file__ for module in (file_generations, file_live, file_compress, file_position)}
NEVER = threading.Event()


DESCRIPTORS: set[int] = set()
"""Descriptors that the code under test has opened and not closed."""


@pytest.fixture(autouse=True)
def _descriptors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Know what a process that dies leaves open, and let go of it here and not in somebody else's test."""
    real_open, real_close = os.open, os.close

    def noting_open(path: Any, *args: Any, **options: Any) -> int:
        fd = real_open(path, *args, **options)
        if "out.log" in str(path):
            DESCRIPTORS.add(fd)
        return fd

    def noting_close(fd: int) -> None:
        DESCRIPTORS.discard(fd)
        real_close(fd)

    monkeypatch.setattr(os, "open", noting_open)
    monkeypatch.setattr(os, "close", noting_close)
    yield
    close_what_died()
    gc.collect()


class KilledError(BaseException):
    """Stands for kill -9: no handler of the code under test catches it."""


def dies_before(line: int, action: Callable[[], object]) -> bool:
    """Do something, and die before the ``line``-th executed line of the code under test; False: it was done first."""
    executed = 0
    outcome: list[BaseException] = []

    def in_function(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal executed
        if event == "line":
            executed += 1
            if executed == line:
                raise KilledError
        return in_function

    def on_call(frame: FrameType, _event: str, _argument: Any) -> Any:
        return in_function if frame.f_code.co_filename in TRACED else None

    def run() -> None:
        sys.settrace(on_call)
        try:
            action()
        except BaseException as error:
            outcome.append(error)

    # In a thread of its own: raising out of an `except` clause's first line leaves the thread's stack of handled
    # exceptions as it was there, and every later exception of the thread would seem to come from this one.
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    died = any(isinstance(error, KilledError) for error in outcome)
    if outcome and not died:
        raise outcome[0]
    return died


def close_what_died() -> None:
    """The kernel closes a dead process's files, and with them its locks."""
    for fd in list(DESCRIPTORS):
        os.close(fd)


class Scene:
    """A directory with one drain's files, and the router's side: records, acknowledgements, crashes."""

    def __init__(self, directory: Path, rotation: Rotation, codec: str = "") -> None:
        self.directory = directory.resolve()
        self.path = self.directory / "out.log"
        self.rotation = rotation
        self.codec = codec
        self.now = 1_000.0
        self.records: list[bytes] = []
        self.acknowledged: list[tuple[str | None, int]] = [(None, 0)]
        self.files: Generations | None = None
        self.resumed = False

    @property
    def delivered(self) -> int:
        return self.acknowledged[-1][1]

    def open(self) -> Generations:
        if self.files is None:
            self.resumed = self.resumed or self.acknowledged[-1][0] is not None
            files = Generations(self.path, "d", self.rotation)
            try:
                files.open(self.acknowledged[-1][0], self.now)
            except Exception:
                files.close()
                raise
            self.files = files
        return self.files

    def blocks(self, count: int, size: int) -> list[bytes]:
        """The next ``count`` records that the router has to send, made up when there are none yet."""
        while len(self.records) < self.delivered + count:
            self.records.append(b"record %d %s\n" % (len(self.records), b"x" * size))
        return self.records[self.delivered : self.delivered + count]

    def send(self, count: int = 1, size: int = 10) -> str:
        blocks = self.blocks(count, size)
        return self.open().append(blocks, self.now).encode()

    def acknowledge(self, cursor: str, count: int = 1) -> None:
        self.acknowledged.append((cursor, self.delivered + count))

    def deliver(self, count: int = 1, size: int = 10) -> None:
        self.acknowledge(self.send(count, size), count)

    def compress(self) -> None:
        if self.codec:
            for path in self.open().uncompressed():
                compress(path, self.codec, NEVER)

    def die(self) -> None:
        self.files = None
        close_what_died()

    def roll_back(self, acknowledgements: int) -> None:
        """Redis lost the newest acknowledgements."""
        self.die()
        del self.acknowledged[max(1, len(self.acknowledged) - acknowledgements) :]

    def content(self) -> bytes:
        """All files one behind the other, as somebody reading them sees them."""
        whole = b""
        rotated = rotated_generations(self.path.name, self.directory.iterdir())
        for _, forms in sorted(rotated.items()):
            whole += self.read(forms[0])
        return whole + (self.path.read_bytes() if self.path.exists() else b"")

    def read(self, path: Path) -> bytes:
        if path.suffix not in file_position.COMPRESSED:
            return path.read_bytes()
        plain = self.directory / "expanded"
        expand(path, plain, 1 << 30)
        try:
            return plain.read_bytes()
        finally:
            plain.unlink()

    def expected(self) -> bytes:
        return b"".join(self.records[: self.delivered])


@pytest.fixture
def scene(tmp_path: Path) -> Callable[..., Scene]:
    return lambda **rotation: Scene(tmp_path, Rotation(**rotation))


def test_what_was_not_acknowledged_is_cut_and_written_once(scene: Callable[..., Scene]) -> None:
    drain = scene()
    drain.deliver(3)
    drain.send(2)
    drain.die()
    drain.deliver(2)
    assert drain.content() == drain.expected() != b""


def test_the_very_first_send_is_cut_too_though_no_cursor_tells_of_it(scene: Callable[..., Scene]) -> None:
    drain = scene()
    drain.path.write_bytes(b"somebody else's line\n")
    drain.send(2)
    drain.die()
    drain.deliver(2)
    assert drain.content() == b"somebody else's line\n" + drain.expected()


def test_a_drain_added_again_appends_to_what_its_predecessor_wrote(scene: Callable[..., Scene]) -> None:
    drain = scene()
    drain.deliver(2)
    drain.open().forget_first()
    drain.die()
    drain.acknowledged[-1] = (None, 2)
    drain.deliver(2)
    assert drain.content() == drain.expected()
    assert drain.content().count(b"\n") == 4


def test_an_unfinished_line_of_somebody_else_is_not_glued_to_a_record(scene: Callable[..., Scene]) -> None:
    drain = scene()
    drain.path.write_bytes(b"half")
    drain.deliver()
    assert drain.content() == b"half\n" + drain.expected()


def test_overwrite_empties_the_file_once(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    path.write_bytes(b"old\n")
    first = Generations(path, "d", Rotation())
    first.open(None, 0.0, overwrite=True)
    cursor = first.append([b"new\n"], 0.0).encode()
    first.close()
    second = Generations(path, "d", Rotation())
    second.open(cursor, 0.0, overwrite=True)
    second.append([b"newer\n"], 0.0)
    second.close()
    assert path.read_bytes() == b"new\nnewer\n"


def test_files_rotate_before_they_exceed_their_size_and_the_oldest_go(scene: Callable[..., Scene]) -> None:
    drain = scene(size=50, keep=2)
    for _ in range(10):
        drain.deliver()
    names = sorted(path.name for path in drain.directory.iterdir() if not path.name.startswith("."))
    assert names == ["out.log", "out.log.000003", "out.log.000004"]
    assert all(path.stat().st_size <= 50 for path in drain.directory.glob("out.log*"))
    assert drain.expected().endswith(drain.content())


def test_files_rotate_by_age_but_never_empty(scene: Callable[..., Scene]) -> None:
    drain = scene(age=60)
    drain.open()
    drain.now += 100
    drain.deliver()
    assert not list(drain.directory.glob("out.log.*"))
    drain.now += 59
    drain.deliver()
    drain.die()  # the age survives a restart
    drain.now += 1
    drain.deliver()
    assert [path.name for path in drain.directory.glob("out.log.*")] == ["out.log.000001"]
    assert drain.content() == drain.expected()


@pytest.mark.parametrize("codec", ["", "gzip", "zstd"])
def test_an_old_cursor_leads_back_into_a_rotated_file(tmp_path: Path, codec: str) -> None:
    drain = Scene(tmp_path, Rotation(size=60), codec)
    for _ in range(12):
        drain.deliver()
    drain.compress()
    drain.roll_back(9)
    drain.open()
    assert drain.content() == drain.expected()
    drain.deliver(9)
    assert drain.content() == drain.expected()


def test_a_cursor_older_than_everything_kept_writes_all_that_comes_again_once(scene: Callable[..., Scene]) -> None:
    drain = scene(size=30, keep=1)
    for _ in range(8):
        drain.deliver()
    drain.roll_back(6)
    drain.open()
    assert drain.content() == b""
    first = drain.delivered
    drain.deliver(2)
    drain.send(2)
    drain.die()
    drain.deliver(2)
    assert drain.content() == b"".join(drain.records[first : drain.delivered])[-len(drain.content()) :] != b""


def test_another_file_under_the_name_is_appended_to_and_not_cut(scene: Callable[..., Scene]) -> None:
    drain = scene()
    drain.deliver(5)
    drain.die()
    foreign = b"another file that is longer than the one before " * 20 + b"\n"
    drain.path.unlink()
    drain.path.write_bytes(foreign)
    first = drain.delivered
    drain.send(2)
    drain.die()
    drain.deliver(2)
    assert drain.content() == foreign + b"".join(drain.records[first:])


def test_a_file_cut_short_by_somebody_is_gone_on_with(scene: Callable[..., Scene]) -> None:
    drain = scene()
    drain.deliver(5)
    drain.die()
    os.truncate(drain.path, 3)
    drain.deliver(2)
    assert drain.content() == drain.records[0][:3] + b"\n" + b"".join(drain.records[5:7])


def test_a_file_renamed_by_logrotate_is_left_alone_and_a_new_one_begun(scene: Callable[..., Scene]) -> None:
    drain = scene()
    drain.deliver(2)
    drain.path.rename(drain.directory / "out.log.1")
    drain.send(1)
    drain.die()
    drain.deliver(3)
    assert (drain.directory / "out.log.1").read_bytes() == b"".join(drain.records[:2])
    assert drain.path.read_bytes() == b"".join(drain.records[2:5])


def test_a_changed_rotated_file_removes_nothing(scene: Callable[..., Scene]) -> None:
    drain = scene(size=60)
    for _ in range(12):
        drain.deliver()
    rotated = sorted(drain.directory.glob("out.log.*"))
    rotated[0].write_bytes(b"edited\n")
    before = drain.content()
    drain.roll_back(len(drain.acknowledged) - 2)
    drain.deliver()
    assert drain.content() == before + drain.records[drain.delivered - 1]


def test_a_damaged_rotated_file_asks_for_a_person(tmp_path: Path) -> None:
    drain = Scene(tmp_path, Rotation(size=60), "zstd")
    for _ in range(12):
        drain.deliver()
    drain.compress()
    next(iter(sorted(drain.directory.glob("*.zst")))).write_bytes(b"not zstd at all")
    drain.roll_back(11)
    with pytest.raises(Permanent, match=r"out\.log\.000001\.zst: damaged"):
        drain.open()


def test_two_writers_of_one_file_are_refused(scene: Callable[..., Scene]) -> None:
    drain = scene()
    drain.deliver()
    other = Generations(drain.path, "other", Rotation())
    with pytest.raises(RetryLater, match="another drain or process writes to this file"):
        other.open(None, 0.0)


def test_a_link_stays_a_link_when_its_file_rotates(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "out.log"
    link.symlink_to(tmp_path / "real" / "target.log")
    files = Generations(link, "d", Rotation(size=10))
    files.open(None, 0.0)
    for number in range(3):
        files.append([b"record %d\n" % number], 0.0)
    files.close()
    assert link.is_symlink()
    assert link.read_bytes() == b"record 2\n"
    assert (tmp_path / "real" / "target.log.000001").read_bytes() == b"record 0\n"


def test_after_a_short_write_on_a_full_disk_nothing_of_the_send_stays(
    scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    drain = scene()
    drain.deliver(2)
    calls = []

    def full(fd: int, buffers: list[bytes]) -> int:
        calls.append(buffers)
        if len(calls) == 1:
            return os.write(fd, bytes(buffers[0])[:4])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "writev", full)
        with pytest.raises(RetryLater, match="No space left on device"):
            drain.send(2)
    assert drain.content() == drain.expected()
    drain.deliver(2)  # the same open file goes on
    assert drain.content() == drain.expected()
    assert len(calls) == 2


def test_many_blocks_and_short_writes_arrive_whole_and_in_order(
    scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    drain = scene()
    real = os.writev

    def short(fd: int, buffers: list[bytes]) -> int:
        joined = b"".join(buffers)
        return real(fd, [joined[: max(1, len(joined) // 3)]])

    monkeypatch.setattr(os, "writev", short)
    drain.deliver(3000, 3)
    assert drain.content() == drain.expected()


def test_a_stopped_compression_changes_nothing(tmp_path: Path) -> None:
    source = tmp_path / "out.log.000001"
    source.write_bytes(b"x" * 5_000_000)
    stop = threading.Event()
    stop.set()
    assert not compress(source, "zstd", stop)
    assert [path.name for path in tmp_path.iterdir()] == ["out.log.000001"]


def test_a_compressed_file_keeps_its_time_and_rights(tmp_path: Path) -> None:
    source = tmp_path / "out.log.000001"
    source.write_bytes(b"x" * 100)
    source.chmod(0o640)
    os.utime(source, ns=(5 * 10**9, 7 * 10**9))
    assert compress(source, "gzip", NEVER)
    state = (tmp_path / "out.log.000001.gz").stat()
    assert (state.st_mode & 0o777, state.st_mtime_ns) == (0o640, 7 * 10**9)


def test_what_a_killed_compression_left_is_removed_at_the_next_open(scene: Callable[..., Scene]) -> None:
    drain = scene()
    ours = ["out.log.000001.zst.tmp", "out.log.restore.tmp", ".out.log.logyard.tmp"]
    theirs = ["out.log.tmp", "out.log.old.tmp", "other.tmp"]
    for name in ours + theirs:
        (drain.directory / name).write_bytes(b"torn")
    drain.open()
    left = {path.name for path in drain.directory.glob("*.tmp")} | {
        path.name for path in drain.directory.glob(".*.tmp")
    }
    assert left == set(theirs)


def test_partitions_have_files_of_their_own() -> None:
    path = Path("/var/log/out.log")
    assert partition_path(path, 0, 1) == path
    assert partition_path(path, 3, 16) == Path("/var/log/out.p03.log")
    assert partition_path(path, 7, 500) == Path("/var/log/out.p007.log")
    assert partition_path(Path("/var/log/out"), 1, 2) == Path("/var/log/out.p01")


def test_a_cursor_is_read_back_and_a_strange_one_ignored() -> None:
    position = Position("/a", 7, 12, 99, 1.5)
    assert Position.decode(position.encode(), "/a") == position
    for strange in (None, "", "12", "[]", "{}", position.encode()[:-2], '{"v":1,"path":"/a"}'):
        assert Position.decode(strange, "/a") is None
    assert Position.decode(position.encode(), "/b") is None
    with pytest.raises(Permanent, match="version 9"):
        Position.decode(position.encode().replace('"v":1', '"v":9'), "/a")


@pytest.mark.parametrize(("codec", "behind"), [("", 2), ("zstd", 0), ("zstd", 1), ("zstd", 30)])
def test_a_kill_before_any_line_of_any_step_loses_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str, behind: int
) -> None:
    """Rotate, compress, fall back by ``behind`` sends and go on, dying once before every line there is."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # it is the process that dies here, not the machine

    def story(drain: Scene) -> list[Callable[[], object]]:
        return [
            lambda: drain.deliver(2),
            lambda: drain.deliver(3),
            lambda: drain.deliver(1),
            drain.compress,
            lambda: drain.deliver(2),
            lambda: drain.roll_back(min(behind, len(drain.acknowledged) - 2)),
            lambda: drain.deliver(3),
            drain.compress,
            lambda: drain.deliver(1),
        ]

    def fresh(name: str) -> Scene:
        (tmp_path / name).mkdir()
        return Scene(tmp_path / name, Rotation(size=70), codec)

    steps = len(story(fresh("count")))
    runs = 0
    for step in range(steps):
        line = 0
        while True:
            line += 1
            runs += 1
            drain = fresh(f"{step}-{line}")
            actions = story(drain)
            for action in actions[:step]:
                action()
            died = dies_before(line, actions[step])
            if died:
                drain.die()
            drain.open()
            assert drain.content() == drain.expected(), f"after opening; died before line {line} of step {step}"
            for action in actions[step if died else step + 1 :]:
                action()
            assert drain.content() == drain.expected(), f"at the end; died before line {line} of step {step}"
            drain.die()
            if not died:
                break
    assert runs > 200


class Crashes(RuleBasedStateMachine):
    """Random sends, deaths at random lines, torn writes, rollbacks; invariant: each record exactly once."""

    @initialize(
        size=st.sampled_from([0, 60, 150]),
        age=st.sampled_from([0.0, 30.0]),
        keep=st.sampled_from([1, 2, 1000]),
        codec=st.sampled_from(["", "gzip", "zstd"]),
    )
    def begin(self, size: int, age: float, keep: int, codec: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.drain = Scene(Path(self.folder.name), Rotation(size=size, age=age, keep=keep), codec)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.drain.die()
            self.folder.cleanup()

    @rule(count=st.integers(1, 5), size=st.integers(0, 90))
    def deliver(self, count: int, size: int) -> None:
        self.drain.deliver(count, size)

    @rule(count=st.integers(1, 5), size=st.integers(0, 90))
    def die_before_acknowledging(self, count: int, size: int) -> None:
        self.drain.send(count, size)
        self.drain.die()

    @rule(count=st.integers(1, 5), line=st.integers(1, 150))
    def die_while_sending(self, count: int, line: int) -> None:
        self.dying(line, lambda: self.drain.deliver(count))

    @rule(torn=st.integers(0, 60), count=st.integers(1, 5))
    def die_with_a_torn_write(self, torn: int, count: int) -> None:
        files = self.drain.open()

        def write(blocks: list[bytes | memoryview]) -> None:
            os.write(files.live.fd, b"".join(blocks)[:torn])
            raise KilledError

        files.live.write_some = write  # type: ignore[method-assign,assignment]
        with suppress(KilledError):
            self.drain.send(count)
        self.drain.die()

    @rule(line=st.integers(1, 150))
    def die_while_opening(self, line: int) -> None:
        self.drain.die()
        self.dying(line, self.drain.open)

    @rule()
    def compress(self) -> None:
        self.drain.compress()

    @rule(line=st.integers(1, 60))
    def die_while_compressing(self, line: int) -> None:
        self.dying(line, self.drain.compress)

    @rule(seconds=st.sampled_from([1.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.drain.now += seconds

    @rule(acknowledgements=st.integers(1, 12))
    def redis_falls_back(self, acknowledgements: int) -> None:
        # To before the very first acknowledgement only while that is what a first open expects.
        left = 2 if self.drain.resumed else 1
        self.drain.roll_back(max(0, min(acknowledgements, len(self.drain.acknowledged) - left)))
        self.drain.die()

    @precondition(lambda self: hasattr(self, "drain"))
    @invariant()
    def each_record_is_there_exactly_once(self) -> None:
        self.drain.open()
        content, expected = self.drain.content(), self.drain.expected()
        if self.drain.rotation.keep >= 1000:
            assert content == expected
        else:
            # What was removed as too old is missing at the beginning, and nothing else.
            assert expected.endswith(content)
            assert content.startswith(b"record ") or not content

    def dying(self, line: int, action: Callable[[], object]) -> None:
        acknowledged = len(self.drain.acknowledged)
        if dies_before(line, action):
            assert len(self.drain.acknowledged) == acknowledged
            self.drain.die()


TestCrashes = Crashes.TestCase
TestCrashes.settings = settings(
    max_examples=150,
    stateful_step_count=25,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
