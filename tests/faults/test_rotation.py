"""Rotation by rename and by copytruncate, end to end, while the agent runs, is stopped or is dead."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.faults.pipeline import LINE_BYTES, STREAM, Pipeline, make_lines
from tests.servers.requirements import find_program

PART = 3_000


class Log:
    """A log file with numbered lines that is rotated while it grows."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "web.log"
        self.lines = 0
        self._writes = 0
        self.path.touch()

    def write(self, lines: int = 0) -> None:
        """Append lines; without a number, each time some more than the last time."""
        # Equal parts would hide what an emptied file looks like that has grown again.
        lines = lines or PART + self._writes * 7
        self._writes += 1
        with self.path.open("ab") as output:
            output.write(make_lines(self.lines, self.lines + lines))
        self.lines += lines

    def _shift(self) -> Path:
        for number in range(8, 0, -1):
            older = self.path.with_name(f"web.log.{number}")
            if older.exists():
                older.rename(self.path.with_name(f"web.log.{number + 1}"))
        return self.path.with_name("web.log.1")

    def rotate(self, how: str) -> None:
        """By ``rename`` (and a new file), or by ``copytruncate``."""
        if how == "rename":
            self.path.rename(self._shift())
            self.path.touch()
        else:
            shutil.copy2(self.path, self._shift())
            with self.path.open("r+b") as file:
                file.truncate()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    folder = tmp_path / "logs"
    folder.mkdir(mode=0o755)
    return Log(folder)


@pytest.fixture
def delivered(pipeline: Pipeline, tmp_path: Path) -> Path:
    """The file of a drain that takes everything as it was read; a router runs."""
    target = tmp_path / "out.log"
    pipeline.add_drain("file", f"file://{target}", "--format", "raw")
    pipeline.start_router()
    return target


def all_of(log: Log, pipeline: Pipeline, delivered: Path) -> None:
    """Every line is in the stream once and in order, and then in the drain's file."""
    pipeline.wait_published(log.lines)
    pipeline.wait(lambda: delivered.exists() and delivered.stat().st_size >= log.lines * LINE_BYTES, "the drain's file")
    assert pipeline.in_stream().order.tolist() == list(range(log.lines))
    assert delivered.read_bytes() == make_lines(0, log.lines)


def test_renames_under_a_running_agent(pipeline: Pipeline, log: Log, delivered: Path) -> None:
    log.write()
    pipeline.start_agent(f"{STREAM}={log.path}")
    pipeline.wait_published(1)
    for _ in range(6):
        log.write()
        log.rotate("rename")
        log.write()
    all_of(log, pipeline, delivered)


def test_lines_appended_to_a_renamed_file_arrive_too(pipeline: Pipeline, log: Log, delivered: Path) -> None:
    log.write()
    pipeline.start_agent(f"{STREAM}={log.path}")
    pipeline.wait_published(log.lines)
    with log.path.open("ab") as before:  # as a program that has not yet been told to open its log again
        log.rotate("rename")
        before.write(make_lines(log.lines, log.lines + PART))
    log.lines += PART
    pipeline.wait_published(log.lines)
    log.write()
    all_of(log, pipeline, delivered)


def test_truncations_under_a_running_agent_that_has_read_everything(
    pipeline: Pipeline, log: Log, delivered: Path
) -> None:
    pipeline.start_agent(f"{STREAM}={log.path}")
    for _ in range(6):
        log.write()
        pipeline.wait_published(log.lines)
        log.rotate("copytruncate")
    log.write()
    all_of(log, pipeline, delivered)


def test_a_truncated_file_that_has_grown_to_its_old_size_is_noticed(
    pipeline: Pipeline, log: Log, delivered: Path
) -> None:
    log.write(PART)
    agent = pipeline.start_agent(f"{STREAM}={log.path}")
    pipeline.wait_published(log.lines)
    agent.send_signal(signal.SIGSTOP)
    log.rotate("copytruncate")
    log.write(PART)
    agent.send_signal(signal.SIGCONT)
    all_of(log, pipeline, delivered)


@pytest.mark.parametrize("rotations", [1, 3])
@pytest.mark.parametrize("how", ["rename", "copytruncate"])
def test_rotations_between_two_looks_of_the_agent(
    pipeline: Pipeline, log: Log, delivered: Path, how: str, rotations: int
) -> None:
    """It gets no time to run meanwhile, as on a machine that is busy."""
    log.write()
    agent = pipeline.start_agent(f"{STREAM}={log.path}")
    pipeline.wait_published(1)
    agent.send_signal(signal.SIGSTOP)
    for _ in range(rotations):
        log.write()
        log.rotate(how)
    log.write()
    agent.send_signal(signal.SIGCONT)
    all_of(log, pipeline, delivered)


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("how", ["rename", "copytruncate"])
def test_rotation_while_the_agent_is_away(pipeline: Pipeline, log: Log, delivered: Path, how: str, end: str) -> None:
    log.write()
    agent = pipeline.start_agent(f"{STREAM}={log.path}")
    pipeline.wait_published(1)
    if end == "stop":
        assert agent.stop() == 0
    else:
        agent.kill()
    log.write()
    log.rotate(how)
    log.write()
    pipeline.start_agent()
    all_of(log, pipeline, delivered)


@pytest.mark.parametrize("how", ["rename", "copytruncate"])
def test_two_rotations_while_the_agent_is_away(pipeline: Pipeline, log: Log, delivered: Path, how: str) -> None:
    log.write()
    agent = pipeline.start_agent(f"{STREAM}={log.path}")
    pipeline.wait_published(log.lines)
    agent.kill()
    for _ in range(2):
        log.write()
        log.rotate(how)
    log.write()
    pipeline.start_agent()
    all_of(log, pipeline, delivered)


@pytest.mark.parametrize("how", ["rename", "copytruncate"])
def test_rotation_while_redis_is_away(pipeline: Pipeline, log: Log, delivered: Path, how: str) -> None:
    log.write()
    pipeline.start_agent(f"{STREAM}={log.path}")
    pipeline.wait_published(log.lines)
    pipeline.server.kill()
    for _ in range(2):
        log.write()
        log.rotate(how)
    log.write()
    pipeline.server.start()
    all_of(log, pipeline, delivered)


@pytest.mark.needs("logrotate")
@pytest.mark.parametrize("how", ["create 0644", "copytruncate"])
@pytest.mark.parametrize("running", [True, False], ids=["running", "away"])
def test_the_real_logrotate(
    pipeline: Pipeline, log: Log, delivered: Path, tmp_path: Path, how: str, running: bool
) -> None:
    config = tmp_path / "logrotate.conf"
    config.write_text(f"{log.path} {{\n  rotate 9\n  size 1\n  {how}\n  compress\n  delaycompress\n}}\n")
    config.chmod(0o644)
    logrotate = [find_program("logrotate") or "", "-s", str(tmp_path / "state"), str(config)]
    log.write()
    agent = pipeline.start_agent(f"{STREAM}={log.path}")
    for _ in range(3):
        pipeline.wait_published(log.lines)
        if not running:
            assert agent.stop() == 0
        log.write()
        subprocess.run(logrotate, check=True)
        log.write()
        if not running:
            agent = pipeline.start_agent()
    all_of(log, pipeline, delivered)
