"""Notifications of the kernel, what stands in for them, and when they are looked at."""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logyard.agent.listener import Listener
from logyard.agent.watch import Watcher
from tests.servers.processes import eventually, wait_for


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    made = Watcher()
    yield made
    made.close()


def test_written_files_and_changed_directories_are_told(watcher: Watcher, tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    watcher.watch(str(tmp_path), followed=True)
    with (tmp_path / "a.log").open("a") as file:
        file.write("line\n")
    noticed = watcher.collect()
    assert noticed == ({f"{tmp_path}/a.log"}, set(), False)
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    assert watcher.collect() == (set(), {str(tmp_path)}, False)
    (tmp_path / "b.log").touch()
    assert watcher.collect().changed == {str(tmp_path)}
    assert watcher.collect() == (set(), set(), False)


def test_files_on_the_way_are_not_told(watcher: Watcher, tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    watcher.watch(str(tmp_path), followed=False)
    with (tmp_path / "a.log").open("a") as file:
        file.write("line\n")
    assert watcher.collect() == (set(), set(), False)
    (tmp_path / "sub").mkdir()
    assert watcher.collect() == (set(), {str(tmp_path)}, False)


def test_a_directory_that_is_removed_means_a_look_at_everything(watcher: Watcher, tmp_path: Path) -> None:
    directory = tmp_path / "sub"
    directory.mkdir()
    watcher.watch(str(directory), followed=True)
    directory.rmdir()
    assert watcher.collect().everything
    assert watcher.watched == []


def test_a_directory_in_place_of_another_is_watched_anew(watcher: Watcher, tmp_path: Path) -> None:
    directory = tmp_path / "sub"
    directory.mkdir()
    watcher.watch(str(directory), followed=True)
    directory.rename(tmp_path / "old")
    directory.mkdir()
    watcher.watch(str(directory), followed=True)
    watcher.collect()
    (directory / "a.log").touch()
    assert watcher.collect().changed == {str(directory)}


def test_an_overflow_means_a_look_at_everything(watcher: Watcher, tmp_path: Path) -> None:
    watcher.watch(str(tmp_path), followed=True)
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 100_000:
        pytest.skip("the queue is too long to fill it")
    for number in range(limit // 2 + 2):
        (tmp_path / f"a{number % 2}").touch()
        (tmp_path / f"a{number % 2}").unlink()
    everything = False
    for _ in range(10_000):
        noticed = watcher.collect()
        everything |= noticed.everything
        if noticed == (set(), set(), False):
            break
    assert everything


def test_no_watch_left_is_said_once_and_the_directories_are_polled(
    watcher: Watcher, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import inotify_simple

    def refuse(self: Any, path: str, mask: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(inotify_simple.INotify, "add_watch", refuse)
    for name in "abc":
        (tmp_path / name).mkdir()
        watcher.watch(str(tmp_path / name), followed=True)
    assert watcher.polled == {str(tmp_path / name) for name in "abc"}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "max_user_watches" in caplog.text
    monkeypatch.undo()
    watcher.watch(str(tmp_path / "a"), followed=True)
    assert watcher.polled == {str(tmp_path / name) for name in "bc"}


def test_without_inotify_everything_is_polled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "inotify_simple", None)
    watcher = Watcher()
    watcher.watch(str(tmp_path), followed=True)
    watcher.watch(str(tmp_path / "sub"), followed=True)
    assert watcher.polled == {str(tmp_path), str(tmp_path / "sub")}
    assert watcher.fileno() is None
    assert len(caplog.records) == 1


def test_one_inotify_instance_serves_all_directories(watcher: Watcher, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / str(number)).mkdir()
        watcher.watch(str(tmp_path / str(number)), followed=True)
    instances = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            instances += "inotify" in str(link.readlink())
        except FileNotFoundError:  # the handle that lists the directory
            continue
    assert instances == 1


class Spied(Listener):
    """A listener that counts its looks."""

    looks = 0


async def test_what_happens_within_the_spacing_is_looked_at_together(watcher: Watcher, tmp_path: Path) -> None:
    watcher.watch(str(tmp_path), followed=True)
    looks: list[float] = []
    changed: list[set[str]] = []

    def look() -> None:
        looks.append(time.monotonic())
        changed.append(watcher.collect().changed)

    listener = Listener(watcher, look, lambda: 0.2)
    listener.open()
    (tmp_path / "first").touch()
    await eventually(lambda: looks, "the first look")
    for number in range(50):
        (tmp_path / f"more{number}").touch()
        await asyncio.sleep(0)
    assert len(looks) <= 1 + (time.monotonic() - looks[0]) / 0.19
    await eventually(lambda: len(looks) >= 2, "the second look")
    await asyncio.sleep(0.25)  # whatever came meanwhile has been looked at
    assert all(later - look >= 0.19 for look, later in itertools.pairwise(looks))  # the loop's clock may be coarser
    assert all(one == {str(tmp_path)} for one in changed)
    listener.close()
    before = len(looks)
    (tmp_path / "late").touch()
    await asyncio.sleep(0)
    assert len(looks) == before


def test_closing_twice_is_harmless(watcher: Watcher, tmp_path: Path) -> None:
    watcher.watch(str(tmp_path), followed=True)
    watcher.close()
    watcher.close()
    wait_for(lambda: watcher.fileno() is None, "the handle to be gone")
