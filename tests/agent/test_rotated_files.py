"""Rotations of every kind, while the agent runs and while it does not: no line lost, none twice, each loss told."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import shutil
import time
from pathlib import Path

import pytest

from logyard.agent.position import Position, source_id
from logyard.agent.stamp import stamp_ns
from tests.agent.conftest import FakeRedis, StartAgent, arrived, write
from tests.servers.processes import eventually


def rotate(log: Path, *, keep: int = 9) -> Path:
    """Rename it to ``.1`` and older ones further, as logrotate does; the path is left without a file."""
    for number in range(keep, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.rename(log.with_name(f"{log.name}.{number + 1}"))
    return log.rename(log.with_name(f"{log.name}.1"))


def copytruncate(log: Path) -> Path:
    """Copy it to ``.1`` and empty it, as logrotate does."""
    for number in range(9, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.rename(log.with_name(f"{log.name}.{number + 1}"))
    copy = log.with_name(f"{log.name}.1")
    shutil.copyfile(log, copy)
    os.truncate(log, 0)
    return copy


def open_files(directory: Path) -> set[str]:
    """Names of the files below ``directory`` that this process has open."""
    return set(descriptors(directory))


def descriptors(directory: Path) -> list[str]:
    """The same, a name for each descriptor."""
    found = []
    for handle in Path("/proc/self/fd").iterdir():
        try:
            target = str(handle.readlink())
        except FileNotFoundError:
            continue
        if target.startswith(f"{directory}/"):
            found.append(target.removeprefix(f"{directory}/").removesuffix(" (deleted)"))
    return found


def gaps(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "may be lost" in record.getMessage()]


# by renaming


async def test_a_renamed_file_is_read_to_its_end_before_the_new_one(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    start_agent(log)
    await arrived(redis_fake, "one")
    old = [f"old {number} {'x' * 200}" for number in range(20_000)]
    write(log, *old)
    rotated = rotate(log)
    write(rotated, "still old")
    write(log, "new")
    await arrived(redis_fake, "one", *old, "still old", "new")


async def test_late_lines_in_a_renamed_file_arrive(redis_fake: FakeRedis, start_agent: StartAgent, logs: Path) -> None:
    log = logs / "web.log"
    write(log, "one")
    start_agent(log)
    await arrived(redis_fake, "one")
    rotated = rotate(log)
    write(log, "two")
    await arrived(redis_fake, "one", "two")
    write(rotated, "late")
    await arrived(redis_fake, "one", "two", "late")
    assert {(batch.key, batch.source) for batch in redis_fake.stored} == {("sys.web", "web.log")}


async def test_late_lines_in_a_renamed_file_arrive_after_a_restart(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    agent = start_agent(log)
    await arrived(redis_fake, "one")
    rotated = rotate(log)
    write(log, "two")
    await arrived(redis_fake, "one", "two")
    await agent.stop()
    start_agent(log)
    await eventually(lambda: {"web.log", "web.log.1"} == open_files(logs), "the old file to be followed")
    write(rotated, "late")
    await arrived(redis_fake, "one", "two", "late")


async def test_a_file_without_a_successor_is_followed_under_its_new_name(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    start_agent(log, keep_rotated=0, keep_answered=0, partial_timeout=0.04)
    await arrived(redis_fake, "one")
    rotated = rotate(log)
    write(rotated, "two")
    await arrived(redis_fake, "one", "two")
    await asyncio.sleep(0.05)
    write(rotated, "three")
    await arrived(redis_fake, "one", "two", "three")


async def test_the_begun_line_of_a_renamed_file_comes_before_the_new_file(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    log.write_bytes(b"one\nbegun")
    start_agent(log, partial_timeout=600)
    await arrived(redis_fake, "one")
    rotate(log)
    write(log, "two")
    await arrived(redis_fake, "one", "begun", "two")
    assert [batch.partial for batch in redis_fake.stored] == [False, True, False]


async def test_the_begun_line_of_a_renamed_file_waits_for_its_end_while_nothing_else_is_written(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    log.write_bytes(b"one\nbegun")
    start_agent(log, partial_timeout=600)
    await arrived(redis_fake, "one")
    rotated = rotate(log)
    log.touch()
    await eventually(lambda: "logs/web.log" in open_files(logs.parent), "the new file to be opened")
    write(rotated, " and ended")
    await arrived(redis_fake, "one", "begun and ended")


async def test_several_rotations_between_two_looks_lose_nothing(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    start_agent(log)
    await arrived(redis_fake, "one")
    for line in ("two", "three", "four"):
        write(log, line)
        rotate(log)
    write(log, "five")
    await arrived(redis_fake, "one", "two", "three", "four", "five")


@pytest.mark.parametrize("rotations", [1, 2, 4])
async def test_rotations_while_no_agent_runs_lose_nothing(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, rotations: int
) -> None:
    log = logs / "web.log"
    write(log, "first")
    agent = start_agent(log)
    await arrived(redis_fake, "first")
    await agent.stop()
    lines = ["first"]
    for number in range(rotations):
        write(log, f"{number} a", f"{number} b")
        lines += [f"{number} a", f"{number} b"]
        rotate(log)
    write(log, "last")
    agent = start_agent(log)
    await arrived(redis_fake, *lines, "last")
    await agent.stop()
    write(log, "more")
    start_agent(log)
    await arrived(redis_fake, *lines, "last", "more")


async def test_rotations_with_dates_while_no_agent_runs_lose_nothing(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    agent = start_agent(log)
    await arrived(redis_fake, "one")
    await agent.stop()
    for day in ("20240130", "20240131"):
        write(log, day)
        log.rename(logs / f"web.log-{day}")
        await asyncio.sleep(0.02)  # names with dates say nothing about the order within the clock's grain
    write(log, "now")
    start_agent(log)
    await arrived(redis_fake, "one", "20240130", "20240131", "now")


async def test_old_rotated_files_are_not_read_at_the_first_start(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "web.log.2", "older")
    write(logs / "web.log.1", "old")
    write(logs / "web.log", "now")
    start_agent(logs / "*", rescan=0.02)
    await arrived(redis_fake, "now")
    write(logs / "web.log", "then")
    await arrived(redis_fake, "now", "then")


@pytest.mark.parametrize("place", ["web.log", "new/web.log", "new/newer/web.log"])
async def test_a_file_that_is_rotated_before_it_was_ever_seen_is_read(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, place: str
) -> None:
    write(logs / "other.log", "other")
    old, log = logs / "web.log.1", logs / place
    write(old, "written before any agent ran")
    long_ago = time.time() - 3600
    os.utime(old, (long_ago, long_ago))
    start_agent(logs / "other.log", logs / "**/web.log")
    await arrived(redis_fake, "other")
    log.parent.mkdir(parents=True, exist_ok=True)
    for line in ("one", "two"):
        write(log, line)
        rotate(log)
    write(log, "three")
    await arrived(redis_fake, "other", "one", "two", "three")
    write(log, "four")
    await arrived(redis_fake, "other", "one", "two", "three", "four")


async def test_a_new_file_that_is_being_copied_is_read_once(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log, other = logs / "web.log", logs / "other.log"
    write(other, "other")
    start_agent(other, log)
    await arrived(redis_fake, "other")
    write(log, "one")
    shutil.copyfile(log, logs / "web.log.1")
    await arrived(redis_fake, "other", "one")
    os.truncate(log, 0)
    write(log, "two")
    await arrived(redis_fake, "other", "one", "two")


async def test_a_directory_with_rotated_files_that_is_moved_to_its_place_brings_no_old_lines(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    elsewhere = logs / "elsewhere"
    elsewhere.mkdir()
    write(elsewhere / "web.log.1", "old")
    write(elsewhere / "web.log", "one")
    long_ago = time.time() - 3600
    os.utime(elsewhere / "web.log.1", (long_ago, long_ago))
    write(logs / "other.log", "other")
    start_agent(logs / "other.log", logs / "here/web.log")
    await arrived(redis_fake, "other")
    elsewhere.rename(logs / "here")
    await arrived(redis_fake, "other", "one")
    write(logs / "here/web.log", "two")
    await arrived(redis_fake, "other", "one", "two")


async def test_a_glob_that_means_rotated_files_as_well_reads_them_once(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    agent = start_agent(logs / "*", rescan=0.02)
    await arrived(redis_fake, "one")
    write(log, "two")
    rotated = rotate(log)
    write(rotated, "three")
    await arrived(redis_fake, "one", "two", "three")
    write(log, "four")
    await arrived(redis_fake, "one", "two", "three", "four")
    await agent.stop()
    write(rotated, "five")
    start_agent(logs / "*", rescan=0.02)
    await arrived(redis_fake, "one", "two", "three", "four", "five", key="sys.web")


async def test_a_glob_takes_no_rotated_file_for_another_while_its_successor_is_missing(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log, looks = logs / "web.log", logs / "looks.log"
    write(logs / "web.log.1", "old")
    write(log, "one")
    write(looks, "look 0")
    start_agent(logs / "*", rescan=0.02, start="end")
    await eventually(lambda: redis_fake.reports, "the start")
    rotate(log)
    for number in range(1, 3):  # it has looked at the directory by then
        (logs / f"look{number}.log").write_bytes(b"look %d\n" % number)
        await eventually(lambda number=number: redis_fake.lines(f"sys.look{number}"), "a look")  # type: ignore[misc]
    write(log, "two")
    await eventually(lambda: b"two" in redis_fake.lines(), "the new file")
    assert redis_fake.lines("sys.web") == [b"two"]
    assert {batch.key for batch in redis_fake.stored} == {"sys.web", "sys.look1", "sys.look2"}


async def test_a_file_that_gets_the_name_of_another_followed_one_is_read_once(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "a.log", "one")
    start_agent(logs / "*.log", rescan=0.02)
    await arrived(redis_fake, "one")
    (logs / "a.log").rename(logs / "b.log")
    write(logs / "b.log", "two")
    await arrived(redis_fake, "one", "two")
    write(logs / "a.log", "three")
    await arrived(redis_fake, "one", "two", "three")


async def test_a_file_that_gets_its_name_back_is_followed_on(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    start_agent(log, rescan=0.02)
    await arrived(redis_fake, "one")
    rotated = rotate(log)
    write(log, "two")
    await arrived(redis_fake, "one", "two")
    log.rename(logs / "aside")
    rotated.rename(log)
    write(log, "three")
    await arrived(redis_fake, "one", "two", "three")


async def test_a_copy_beside_a_file_is_not_read(redis_fake: FakeRedis, start_agent: StartAgent, logs: Path) -> None:
    log = logs / "web.log"
    write(log, "one", "two")
    agent = start_agent(log)
    await arrived(redis_fake, "one", "two")
    shutil.copyfile(log, logs / "web.log.9")
    shutil.copyfile(log, logs / "web.log.bak")
    rotate(log)
    write(log, "three")
    await arrived(redis_fake, "one", "two", "three")
    await agent.stop()
    rotate(log)
    write(log, "four")
    start_agent(log)
    await arrived(redis_fake, "one", "two", "three", "four")


async def test_late_lines_in_an_older_file_do_not_hide_a_newer_one(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    agent = start_agent(log)
    await arrived(redis_fake, "one")
    for restarts in (False, True):
        if restarts:
            await agent.stop()
        before = [line.decode() for line in redis_fake.lines()]
        rotate(log)
        write(log, f"two {restarts}")
        rotate(log)
        write(log, f"three {restarts}")
        write(logs / "web.log.2", f"late {restarts}")
        os.utime(logs / "web.log.2", (2e9, 2e9))  # later even by the clock of the file system
        if restarts:
            start_agent(log)
        await arrived(redis_fake, *before, f"late {restarts}", f"two {restarts}", f"three {restarts}")


@pytest.mark.parametrize("seed", range(12))
async def test_bursts_of_copytruncate_beside_a_running_agent_lose_nothing_that_is_in_a_copy(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, seed: int
) -> None:
    """Whole generations come and go between two looks, and names change while they are looked at."""
    chance = random.Random(seed)
    log = logs / "web.log"
    count = 0

    def burst() -> None:
        nonlocal count
        for _ in range(chance.randrange(2, 6)):
            for _ in range(chance.randrange(1, 30)):
                write(log, str(count))
                count += 1
            copytruncate(log)
            if chance.random() < 0.3:
                time.sleep(chance.random() * 0.01)
        write(log, str(count))
        count += 1

    write(log, "start")
    start_agent(log)
    await arrived(redis_fake, "start")
    for _ in range(3):
        await asyncio.to_thread(burst)
        await arrived(redis_fake, "start", *map(str, range(count)))


@pytest.mark.parametrize("turn", [0, 1])
async def test_a_name_that_changes_between_a_listing_and_a_look_at_its_file_hides_no_copy(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, monkeypatch: pytest.MonkeyPatch, turn: int
) -> None:
    log, listdir = logs / "web.log", os.listdir
    first, second, third = (logs / f"web.log.{number}" for number in (1, 2, 3))
    left = -1

    def go_on() -> None:
        first.rename(second)
        shutil.copyfile(log, first)
        os.truncate(log, 0)
        write(log, "four")

    def names(path: str) -> list[str]:
        nonlocal left
        found = listdir(path)
        if path == str(logs) and left >= 0:
            if left == 0:
                write(log, "three")
                second.rename(third)
                asyncio.get_running_loop().call_soon(go_on)
            left -= 1
        return found

    write(log, "start")
    start_agent(log)
    await arrived(redis_fake, "start")
    monkeypatch.setattr("logyard.agent.rotation.os.listdir", names)
    for line in ("one", "two"):
        write(log, line)
        copytruncate(log)
    left = turn
    await eventually(lambda: left < 0, "the rotation", timeout=15)
    await arrived(redis_fake, "start", "one", "two", "three", "four")


# by deleting


async def test_a_deleted_file_is_read_to_its_end_and_closed(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    start_agent(log, keep_deleted=0.1, keep_answered=0.1, partial_timeout=0.04)
    await arrived(redis_fake, "one")
    with log.open("ab", buffering=0) as file:
        file.write(b"two\n")
        log.unlink()
        file.write(b"three\n")
        await arrived(redis_fake, "one", "two", "three")
    await eventually(lambda: not open_files(logs), "the file to be closed")
    write(log, "four")
    await arrived(redis_fake, "one", "two", "three", "four")


async def test_a_rotated_file_is_closed_after_a_while_and_the_new_one_is_not(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    start_agent(log, keep_rotated=0.1, keep_answered=0.1, partial_timeout=0.04)
    await arrived(redis_fake, "one")
    rotate(log)
    write(log, "two")
    await arrived(redis_fake, "one", "two")
    await eventually(lambda: open_files(logs) == {"web.log"}, "the old file to be closed")
    write(log, "three")
    await arrived(redis_fake, "one", "two", "three")


async def test_a_deleted_file_stays_open_while_redis_is_away(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    start_agent(log, keep_deleted=0, keep_answered=0, partial_timeout=0.04)
    await arrived(redis_fake, "one")
    redis_fake.up = False
    redis_fake.break_connections()
    write(log, "two")
    log.unlink()
    write(log, "three")
    await eventually(lambda: len(descriptors(logs)) == 2 and not redis_fake.connections, "the new file to be opened")
    await asyncio.sleep(0.1)
    assert len(descriptors(logs)) == 2
    redis_fake.up = True
    await arrived(redis_fake, "one", "two", "three")


# by copying and emptying


async def test_a_copied_and_emptied_file_loses_nothing_while_it_is_quiet(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = logs / "web.log"
    write(log, "one", "two")
    agent = start_agent(log)
    await arrived(redis_fake, "one", "two")
    copytruncate(log)
    write(log, "three")
    await arrived(redis_fake, "one", "two", "three")
    assert len({batch.origin for batch in redis_fake.stored}) == 2
    await agent.stop()
    write(log, "four")
    start_agent(log)
    await arrived(redis_fake, "one", "two", "three", "four")
    assert gaps(caplog) == []


async def test_a_copy_that_was_made_within_the_clocks_grain_of_the_last_look_is_read(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, now = logs / "web.log", time.time_ns()
    write(log, "one")
    monkeypatch.setattr("logyard.agent.source.stamp_ns", lambda: now)
    start_agent(log)
    await arrived(redis_fake, "one")
    copytruncate(log)
    write(log, "two")
    copy = copytruncate(log)
    os.utime(copy, ns=(now - 4_000_000, now - 4_000_000))  # by the clock of a file system on another machine
    write(log, "three")
    await arrived(redis_fake, "one", "two", "three")


def test_no_file_is_stamped_earlier_than_it_was_written(tmp_path: Path) -> None:
    for number in range(300):
        before = stamp_ns()
        (tmp_path / f"{number}").write_bytes(b"x")
        assert (tmp_path / f"{number}").stat().st_mtime_ns >= before


async def test_what_was_not_read_before_the_file_was_emptied_is_read_from_the_copy(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = logs / "web.log"
    write(log, "one")
    start_agent(log)
    await arrived(redis_fake, "one")
    write(log, "two", "three")
    copytruncate(log)
    write(log, "four")
    await arrived(redis_fake, "one", "two", "three", "four")
    assert {(batch.key, batch.source) for batch in redis_fake.stored} == {("sys.web", "web.log")}
    assert gaps(caplog) == []


@pytest.mark.parametrize("rotations", [1, 3])
async def test_files_emptied_while_no_agent_runs_lose_nothing(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, caplog: pytest.LogCaptureFixture, rotations: int
) -> None:
    log = logs / "web.log"
    write(log, "first")
    agent = start_agent(log)
    await arrived(redis_fake, "first")
    await agent.stop()
    lines = ["first"]
    for number in range(rotations):
        write(log, f"{number} a", f"{number} b")
        lines += [f"{number} a", f"{number} b"]
        copytruncate(log)
    write(log, "last")
    agent = start_agent(log)
    await arrived(redis_fake, *lines, "last")
    await agent.stop()
    write(log, "more")
    start_agent(log)
    await arrived(redis_fake, *lines, "last", "more")
    assert gaps(caplog) == []


async def test_a_file_emptied_again_before_anything_was_read_loses_nothing(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    start_agent(log)
    await arrived(redis_fake, "one")
    asked = len(redis_fake.asked)
    copytruncate(log)
    await eventually(lambda: len(redis_fake.asked) > asked, "the agent to notice")
    await eventually(lambda: {"web.log", "web.log.1"} == open_files(logs), "the copy to be followed")
    write(log, "two")
    copytruncate(log)
    write(log, "three")
    await arrived(redis_fake, "one", "two", "three")


@pytest.mark.parametrize(
    "refill", ["", "other\n", "other and much longer than before\n" * 9], ids=["", "short", "long"]
)
async def test_an_emptied_file_without_a_copy_is_a_possible_gap(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, caplog: pytest.LogCaptureFixture, refill: str
) -> None:
    log = logs / "web.log"
    write(log, "one", "two")
    start_agent(log, report_every=0.02)
    await arrived(redis_fake, "one", "two")
    os.truncate(log, 0)
    with log.open("a") as file:
        file.write(refill)
    write(log, "after")
    await arrived(redis_fake, "one", "two", *refill.splitlines(), "after")
    (told,) = gaps(caplog)
    assert f"{log} was emptied" in told
    assert "8 bytes" in told
    await eventually(lambda: b'"gaps":1' in redis_fake.last_report, "the report")


async def test_a_gap_is_told_once_whatever_happens_to_the_connection(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = logs / "web.log"
    write(log, "one")
    start_agent(log)
    await arrived(redis_fake, "one")
    os.truncate(log, 0)
    await eventually(lambda: gaps(caplog), "the gap to be told")
    for _ in range(3):
        asked = len(redis_fake.asked)
        redis_fake.break_connections()
        await eventually(lambda asked=asked: len(redis_fake.asked) > asked, "the next connection")  # type: ignore[misc]
    write(log, "two")
    await arrived(redis_fake, "one", "two")
    assert len(gaps(caplog)) == 1


async def test_a_compressed_copy_of_an_emptied_file_is_a_possible_gap(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = logs / "web.log"
    write(log, "one")
    agent = start_agent(log)
    await arrived(redis_fake, "one")
    await agent.stop()
    write(log, "lost")
    copytruncate(log).rename(logs / "web.log.1.gz")
    write(log, "two")
    start_agent(log)
    await arrived(redis_fake, "one", "two")
    assert len(gaps(caplog)) == 1


async def test_a_renamed_file_that_was_compressed_while_no_agent_ran_is_a_possible_gap(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = logs / "web.log"
    write(log, "one")
    agent = start_agent(log)
    await arrived(redis_fake, "one")
    await agent.stop()
    write(log, "lost")
    rotate(log).rename(logs / "web.log.2.gz")
    write(log, "two")
    rotate(log)
    write(log, "three")
    start_agent(log)
    await arrived(redis_fake, "one", "two", "three")
    assert len(gaps(caplog)) == 1


async def test_a_gap_of_one_generation_does_not_hide_the_next(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The copy of what was being read is compressed by the time that the agent looks, the next copy is not."""
    log = logs / "web.log"
    write(log, "one")
    start_agent(log)
    await arrived(redis_fake, "one")
    await asyncio.sleep(0.02)  # by the clock of the file system
    copytruncate(log)
    write(log, "two")
    copytruncate(log)
    (logs / "web.log.2").rename(logs / "web.log.2.gz")
    write(log, "three")
    await arrived(redis_fake, "one", "two", "three")
    assert len(gaps(caplog)) == 1


async def test_of_two_copies_only_one_is_read(redis_fake: FakeRedis, start_agent: StartAgent, logs: Path) -> None:
    log = logs / "web.log"
    write(log, "one")
    agent = start_agent(log)
    await arrived(redis_fake, "one")
    await agent.stop()
    write(log, "two")
    shutil.copyfile(log, logs / "web.log.bak")
    write(log, "three")
    copytruncate(log)
    write(log, "four")
    start_agent(log)
    await arrived(redis_fake, "one", "two", "three", "four")


async def test_a_writer_that_goes_on_at_its_old_place_leaves_a_hole_that_is_skipped(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    with log.open("wb", buffering=0) as file:  # not in append mode
        file.write(b"x" * 100_000 + b"\n")
        start_agent(log, report_every=0.02)
        await arrived(redis_fake, "x" * 100_000)
        copytruncate(log)
        file.write(b"two\n")
        await arrived(redis_fake, "x" * 100_000, "two")
    assert redis_fake.stored[-1].first == 100_001
    await eventually(lambda: b'"nul_bytes":100001' in redis_fake.last_report, "the report")


async def test_an_inode_number_that_is_used_again_inherits_no_offset(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "old", "a line of a file that is long gone", "and another")
    fd = os.open(logs / "old", os.O_RDONLY)
    state = Position.at(fd, 20, generation=7).encode()
    os.close(fd)
    log = logs / "web.log"
    write(log, "one line that is longer than that", "two")
    info = log.stat()
    redis_fake.states["sys.web", source_id("node1", info.st_dev, info.st_ino)] = state
    start_agent(log)
    await arrived(redis_fake, "one line that is longer than that", "two")
    assert redis_fake.stored[0].origin.endswith(".8")


async def test_nothing_is_logged_as_an_error_when_nothing_is_lost(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = logs / "web.log"
    write(log, "one")
    agent = start_agent(log)
    await arrived(redis_fake, "one")
    rotate(log)
    write(log, "two")
    await arrived(redis_fake, "one", "two")
    copytruncate(log)
    write(log, "three")
    await arrived(redis_fake, "one", "two", "three")
    await agent.stop()
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
