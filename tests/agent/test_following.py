"""Following files: what is written to them arrives, once and in order."""

from __future__ import annotations

import asyncio
import builtins
import logging
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from logyard.agent.service import FileRule
from logyard.batch import BLOCK_LIMIT, RECORD_LIMIT
from tests.agent.conftest import FakeRedis, StartAgent, arrived, write
from tests.servers.processes import eventually


async def test_lines_of_a_file_arrive_in_order(redis_fake: FakeRedis, start_agent: StartAgent, logs: Path) -> None:
    write(logs / "web.log", "one", "two")
    start_agent(logs / "web.log")
    await arrived(redis_fake, "one", "two")
    write(logs / "web.log", "", "three")
    await arrived(redis_fake, "one", "two", "", "three")


async def test_a_restart_goes_on_where_the_last_one_stopped(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "web.log", "one", "two")
    agent = start_agent(logs / "*.log")
    await arrived(redis_fake, "one", "two")
    await agent.stop()
    write(logs / "web.log", "three")
    start_agent(logs / "*.log")
    await arrived(redis_fake, "one", "two", "three")


async def test_batches_carry_the_labels_and_the_origin(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    (logs / "web").mkdir()
    write(logs / "web" / "3.log", "one", "two")
    start_agent(FileRule(f"{logs}/{{app}}/{{instance}}.log", source="stdout"), node="n7")
    await arrived(redis_fake, "one", "two", key="app.web")
    (batch,) = redis_fake.stored
    assert (batch.node, batch.app, batch.instance, batch.source) == ("n7", "web", "3", "stdout")
    assert (batch.first, batch.last, batch.count) == (0, 8, 2)
    assert len(batch.origin.partition(".")[0]) == 16


async def test_a_large_file_arrives_whole_in_full_batches(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    lines = [f"{number} {'x' * (number % 300)}" for number in range(20_000)]
    write(logs / "web.log", *lines)
    start_agent(logs / "web.log")
    await arrived(redis_fake, *lines)
    assert all(BLOCK_LIMIT - 400 < len(batch.block) <= BLOCK_LIMIT for batch in redis_fake.stored[:-1])


async def test_a_line_beyond_the_limit_is_marked_and_stops_nothing(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "web.log", "one", "x" * (RECORD_LIMIT + 5), "two")
    start_agent(logs / "web.log")
    await arrived(redis_fake, "one", "x" * RECORD_LIMIT, "two")
    assert [(batch.cut, batch.count) for batch in redis_fake.stored] == [(0, 1), (RECORD_LIMIT + 5, 1), (0, 1)]


async def test_a_line_without_an_end_is_sent_after_a_while_and_its_end_adds_nothing(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    (logs / "web.log").write_bytes(b"one\ntwo, wait")
    start_agent(logs / "web.log", partial_timeout=0.05)
    await arrived(redis_fake, "one", "two, wait")
    assert [batch.partial for batch in redis_fake.stored] == [False, True]
    write(logs / "web.log", "", "three")
    await arrived(redis_fake, "one", "two, wait", "three")


async def test_a_line_that_keeps_growing_is_not_sent_in_parts(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    log.touch()
    start_agent(log, partial_timeout=60)
    with log.open("ab", buffering=0) as file:
        for number in range(20):
            file.write(b"%d," % number)
            await asyncio.sleep(0.005)
        assert redis_fake.stored == []
        file.write(b"end\n")
    await arrived(redis_fake, ",".join([*map(str, range(20)), "end"]))


async def test_a_file_that_appears_later_is_read_from_the_beginning(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "old.log", "before")
    start_agent(logs / "*.log", start="end", rescan=600)
    await eventually(lambda: redis_fake.asked, "the start")
    write(logs / "new.log", "first")
    await arrived(redis_fake, "first")
    write(logs / "old.log", "after")
    await arrived(redis_fake, "first", "after")


async def test_starting_at_the_end_waits_for_whole_lines(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    (logs / "web.log").write_bytes(b"before\nbegun ")
    start_agent(logs / "web.log", start="end")
    await eventually(lambda: redis_fake.reports, "the start")
    write(logs / "web.log", "and ended")
    await arrived(redis_fake, "begun and ended")


async def test_the_start_setting_counts_once(redis_fake: FakeRedis, start_agent: StartAgent, logs: Path) -> None:
    """Files made while the agent is stopped appeared later; files where nothing was read keep their start."""
    write(logs / "old.log", "before")
    agent = start_agent(logs / "*.log", start="end")
    await eventually(lambda: redis_fake.reports, "the start")
    await agent.stop()
    write(logs / "old.log", "meanwhile")
    write(logs / "new.log", "new")
    start_agent(logs / "*.log", start="end")
    await eventually(lambda: len(redis_fake.lines()) == 2, "the lines")
    assert redis_fake.lines("sys.old") == [b"meanwhile"]
    assert redis_fake.lines("sys.new") == [b"new"]


async def test_a_new_rule_has_a_first_time_of_its_own(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "a.log", "a")
    write(logs / "b.log", "b")
    agent = start_agent(logs / "a.log")
    await arrived(redis_fake, "a")
    await agent.stop()
    start_agent(logs / "a.log", FileRule(str(logs / "b.log"), start="end"))
    await eventually(lambda: redis_fake.reports and len(redis_fake.asked) >= 3, "the start")
    write(logs / "b.log", "later")
    await arrived(redis_fake, "a", "later")


async def test_nothing_that_a_rollback_took_is_lost_when_reading_began_at_the_end(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "web.log", "before")
    write(logs / "other.log", "other")
    start_agent(FileRule(str(logs / "other.log"), start="beginning"), logs / "*.log", start="end")
    await arrived(redis_fake, "other")
    write(logs / "web.log", "one")
    await arrived(redis_fake, "other", "one")
    redis_fake.lose_newest(1)
    await arrived(redis_fake, "other", "one")


async def test_new_directories_are_found_at_once(redis_fake: FakeRedis, start_agent: StartAgent, logs: Path) -> None:
    start_agent(f"{logs}/{{app}}/{{instance}}/{{source}}.log", rescan=600)
    await eventually(lambda: redis_fake.reports, "the start")
    (logs / "web" / "0").mkdir(parents=True)
    write(logs / "web" / "0" / "stdout.log", "one")
    await arrived(redis_fake, "one")
    (logs / "web" / "1").mkdir()
    write(logs / "web" / "1" / "stdout.log", "two")
    await arrived(redis_fake, "one", "two", key="app.web")


async def test_a_directory_that_is_made_anew_is_followed_again(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    directory = logs / "app"
    directory.mkdir()
    write(directory / "web.log", "one")
    start_agent(directory / "*.log", rescan=600)
    await arrived(redis_fake, "one")
    directory.rename(logs / "old")
    directory.mkdir()
    write(directory / "web.log", "two")
    await arrived(redis_fake, "one", "two")


async def test_a_file_behind_a_link_is_followed_through_rotations_of_its_target(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    (logs / "real").mkdir()
    (logs / "links").mkdir()
    write(logs / "real" / "out.log", "one")
    (logs / "links" / "web.log").symlink_to("../real/out.log")
    start_agent(logs / "links" / "*.log", rescan=600)
    await arrived(redis_fake, "one", key="sys.web")
    write(logs / "real" / "out.log", "two")
    await arrived(redis_fake, "one", "two")
    (logs / "real" / "out.log").rename(logs / "real" / "out.log.1")
    write(logs / "real" / "out.log.1", "three")
    write(logs / "real" / "out.log", "four")
    await arrived(redis_fake, "one", "two", "three", "four", key="sys.web")


async def test_a_file_with_two_names_is_read_once(redis_fake: FakeRedis, start_agent: StartAgent, logs: Path) -> None:
    write(logs / "a.log", "one")
    (logs / "b.log").hardlink_to(logs / "a.log")
    (logs / "c.log").symlink_to("a.log")
    start_agent(logs / "*.log", rescan=0.02)
    await arrived(redis_fake, "one")
    write(logs / "b.log", "two")
    await arrived(redis_fake, "one", "two")


async def test_an_unreadable_file_is_told_once_and_read_when_it_can_be(
    redis_fake: FakeRedis,
    start_agent: StartAgent,
    logs: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write(logs / "a.log", "a")
    write(logs / "b.log", "b")
    closed = {str(logs / "a.log")}
    really_open = os.open

    def refuse(path: Any, *args: Any, **options: Any) -> int:
        if path in closed:
            raise PermissionError(13, "Permission denied", path)
        return really_open(path, *args, **options)

    monkeypatch.setattr(os, "open", refuse)
    start_agent(logs / "*.log", rescan=0.02)
    await arrived(redis_fake, "b")
    asked = len(redis_fake.reports)
    write(logs / "b.log", "c")
    await arrived(redis_fake, "b", "c")
    await eventually(lambda: len(redis_fake.reports) >= asked, "some time")
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [f"{logs}/a.log cannot be followed: Permission denied; trying again"]
    closed.clear()
    await arrived(redis_fake, "b", "c", "a")


async def test_a_file_that_fails_while_it_is_read_disturbs_no_other(
    redis_fake: FakeRedis,
    start_agent: StartAgent,
    logs: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write(logs / "a.log", "a")
    write(logs / "b.log", "b")
    broken = {(logs / "a.log").stat().st_ino}
    really_read = os.preadv

    def fail(fd: int, *args: Any) -> int:
        if os.fstat(fd).st_ino in broken:
            raise OSError(5, "Input/output error")
        return really_read(fd, *args)

    monkeypatch.setattr(os, "preadv", fail)
    start_agent(logs / "*.log", rescan=0.02, partial_timeout=0.1)
    await arrived(redis_fake, "b")
    assert "a.log cannot be read any more: Input/output error" in caplog.text
    write(logs / "b.log", "c")
    await arrived(redis_fake, "b", "c")
    broken.clear()
    await arrived(redis_fake, "b", "c", "a")


async def test_a_name_that_makes_no_key_is_told_and_others_are_read(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(logs / "---.log", "no")
    write(logs / "a.log", "a")
    start_agent(logs / "*.log", rescan=0.02)
    await arrived(redis_fake, "a")
    assert "---.log cannot be followed" in caplog.text


async def test_files_are_followed_without_notifications(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    start_agent(logs / "*.log", polling=True, poll=0.01, rescan=0.05)
    await arrived(redis_fake, "one")
    write(log, "two")
    await arrived(redis_fake, "one", "two")
    log.rename(logs / "web.log.1")
    write(log, "three")
    await arrived(redis_fake, "one", "two", "three")
    write(logs / "new.log", "four")
    await arrived(redis_fake, "one", "two", "three", "four")


async def test_what_no_notification_told_is_found_by_the_rescan(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from logyard.agent.watch import Noticed, Watcher

    monkeypatch.setattr(Watcher, "collect", lambda self: Noticed(set(), set(), everything=False))
    monkeypatch.setattr(Watcher, "fileno", lambda self: None)
    write(logs / "web.log", "one")
    start_agent(logs / "*.log", rescan=0.05)
    await arrived(redis_fake, "one")
    write(logs / "web.log", "two")
    write(logs / "other.log", "three")
    await eventually(lambda: len(redis_fake.lines()) == 3, "the lines")


async def test_a_lost_notification_means_a_look_at_everything(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from logyard.agent.watch import Noticed, Watcher

    really_collect = Watcher.collect
    overflows = 0

    def overflow(self: Watcher) -> Noticed:
        nonlocal overflows
        really_collect(self)
        overflows += 1
        return Noticed(set(), set(), everything=True)

    write(logs / "web.log", "one")
    start_agent(logs / "*.log", rescan=600)
    await arrived(redis_fake, "one")
    monkeypatch.setattr(Watcher, "collect", overflow)
    write(logs / "web.log", "two")
    write(logs / "other.log", "three")
    await eventually(lambda: len(redis_fake.lines()) == 3, "the lines")
    assert overflows


async def test_a_thousand_quiet_files_cost_one_listing_each_time(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1000):
        write(logs / f"{number}.log", f"line {number}")
    start_agent(logs / "*.log", rescan=0.05, report_every=60, checkpoint_every=60)
    await eventually(lambda: len(redis_fake.lines()) == 1000, "the lines")
    calls: Counter[str] = Counter()

    def count(module: Any, name: str) -> None:
        really = getattr(module, name)

        def counted(*args: Any, **options: Any) -> Any:
            calls[name] += 1
            return really(*args, **options)

        monkeypatch.setattr(module, name, counted)

    for name in ("open", "close", "stat", "lstat", "fstat", "pread", "preadv", "scandir", "listdir"):
        count(os, name)
    count(builtins, "open")
    await eventually(lambda: calls["scandir"] >= 1, "a look")
    await eventually(lambda: calls["scandir"] >= 2, "a look")
    calls.clear()
    await eventually(lambda: calls["scandir"] >= 5, "five looks")
    assert calls["scandir"] == 5
    assert 4000 <= calls["fstat"] <= 6000  # one for each file and look
    assert calls["stat"] + calls["lstat"] < 100, calls  # the directories above
    assert set(calls) <= {"scandir", "fstat", "stat", "lstat"}, calls


async def test_a_file_with_much_to_read_does_not_hold_up_others(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "big.log", *("x" * 1000 for _ in range(40_000)))
    start_agent(logs / "*.log")
    await eventually(lambda: redis_fake.stored, "the first batch")
    write(logs / "small.log", "one")
    await eventually(lambda: redis_fake.lines("sys.small"), "the small file")
    assert len(redis_fake.lines("sys.big")) < 40_000
