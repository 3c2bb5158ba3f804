"""The data directory: private, and with one owner."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from logyard.datadir import LOCK, claim, prepare
from logyard.errors import UsageError


def test_a_new_directory_is_closed_to_others(tmp_path: Path) -> None:
    path = prepare(tmp_path / "a" / "b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_an_empty_directory_and_one_of_ours_are_closed(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.mkdir()
    for _ in range(2):
        path.chmod(0o755)
        prepare(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        (path / "something").touch()


def test_a_directory_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "home"
    path.mkdir(mode=0o755)
    path.chmod(0o755)
    (path / "letter").touch()
    with pytest.raises(UsageError, match="give logyard a directory of its own"):
        prepare(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert [found.name for found in path.iterdir()] == ["letter"]
    path.chmod(0o700)
    prepare(path)


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="cannot use the data directory"):
            prepare(path)


def test_a_directory_that_cannot_be_read_is_refused(unprivileged: Path) -> None:
    path = unprivileged / "data"
    path.mkdir(mode=0)
    with pytest.raises(UsageError, match="Permission denied"):
        prepare(path)


def test_a_second_owner_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    prepare(tmp_path)
    told = rf"another logyard \(process {os.getpid()}\) runs in the data directory"
    with claim(tmp_path), pytest.raises(UsageError, match=told), claim(tmp_path, wait=0):
        pass
    with claim(tmp_path, wait=0):
        pass


def test_the_next_owner_waits_for_the_server_of_one_that_was_killed(tmp_path: Path) -> None:
    prepare(tmp_path)
    # The owner starts a child that keeps the lock until its standard input ends, and is killed.
    script = """
import os, pathlib, signal, subprocess, sys
from logyard.datadir import claim
with claim(pathlib.Path(sys.argv[1])) as lock:
    subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], pass_fds=[lock])
    os.kill(os.getpid(), signal.SIGKILL)
"""
    owner = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE)
    assert owner.wait() < 0
    stdin = owner.stdin
    assert stdin is not None
    waits = 0

    def sleep(seconds: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 3:
            stdin.close()
        os.sched_yield()

    with claim(tmp_path, wait=60, sleep=sleep):
        assert waits >= 3
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"


def test_the_next_owner_does_not_wait_for_ever(tmp_path: Path) -> None:
    prepare(tmp_path)
    with claim(tmp_path):
        (tmp_path / LOCK).write_text("not a number")
        with pytest.raises(UsageError, match="another logyard runs"), claim(tmp_path, wait=0.05):
            pass
