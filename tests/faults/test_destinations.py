"""Destinations that go away, come back, or take nothing: what waits for them, and that nobody else notices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.pipeline import LINE_BYTES, STREAM, Pipeline, Tally, make_lines
from tests.servers.syslog_receiver import BlackHole, SyslogReceiver

PART = 50_000


@pytest.fixture
def arrived() -> Tally:
    return Tally()


@pytest.fixture
def receiver(arrived: Tally) -> Iterator[SyslogReceiver]:
    """Not listening yet."""
    receiver = SyslogReceiver(arrived.add_frames)
    yield receiver
    receiver.down()


class Source:
    """A log file with numbered lines, followed by a running agent."""

    def __init__(self, pipeline: Pipeline, path: Path) -> None:
        self.path = path
        self.lines = 0
        path.touch()
        pipeline.start_agent(f"{STREAM}={path}")

    def write(self, lines: int = PART) -> None:
        with self.path.open("ab") as output:
            output.write(make_lines(self.lines, self.lines + lines))
        self.lines += lines


@pytest.fixture
def source(pipeline: Pipeline, tmp_path: Path) -> Source:
    return Source(pipeline, tmp_path / "web.log")


def test_a_receiver_that_was_down_gets_everything_when_it_is_up_again(
    pipeline: Pipeline, source: Source, receiver: SyslogReceiver, arrived: Tally
) -> None:
    pipeline.add_drain("syslog", f"syslog://127.0.0.1:{receiver.port}")
    pipeline.start_router()
    source.write()
    pipeline.wait(lambda: pipeline.status("syslog")["state"] == "retrying", "the drain to notice that nobody listens")
    receiver.up()
    pipeline.wait(lambda: len(arrived.order) >= source.lines, "the lines of before")
    for _ in range(3):
        # In the middle of its work: what it had received but not read is lost with it, and has to be sent again.
        source.write()
        pipeline.wait(lambda: len(arrived.order) > source.lines - PART // 2, "half of what was written")
        receiver.down()
        source.write()
        pipeline.wait_published(source.lines)
        pipeline.wait(lambda: pipeline.status("syslog")["state"] == "retrying", "the drain to notice that it is gone")
        receiver.up()
        pipeline.wait(lambda: not arrived.missing(source.lines), "all lines so far")
    status = pipeline.wait(lambda: caught_up(pipeline, "syslog"), "the drain to know that it has caught up")
    assert status["delivered"] == source.lines
    assert status["dead"] == status["dropped"] == 0
    assert len(arrived.repeated(source.lines)) <= 3


def test_a_destination_that_never_reads_holds_up_nobody_else(
    pipeline: Pipeline, source: Source, receiver: SyslogReceiver, arrived: Tally, black_hole: BlackHole, tmp_path: Path
) -> None:
    receiver.up()
    target = tmp_path / "out.log"
    pipeline.add_drain("hole", f"tcp://127.0.0.1:{black_hole.port}")
    pipeline.add_drain("other-hole", f"syslog://127.0.0.1:{black_hole.port}")
    pipeline.add_drain("file", f"file://{target}", "--format", "raw")
    pipeline.add_drain("syslog", f"syslog://127.0.0.1:{receiver.port}")
    pipeline.start_router()
    for _ in range(4):
        source.write()
        pipeline.wait(lambda: len(arrived.order) >= source.lines, "all lines at the receiver")
        pipeline.wait(lambda: size(target) >= source.lines * LINE_BYTES, "all lines in the file")
        for hole in ("hole", "other-hole"):
            assert pipeline.status(hole)["lag_records"] > 0
    # The holes were stuck all the time: what they were given is only what the kernel's buffers took.
    for hole in ("hole", "other-hole"):
        assert pipeline.status(hole)["delivered"] < source.lines
    assert arrived.order.tolist() == list(range(source.lines))
    assert target.read_bytes() == source.path.read_bytes()
    for name in ("file", "syslog"):
        status = pipeline.wait(lambda name=name: caught_up(pipeline, name), f"{name} to have caught up")  # type: ignore[misc]
        assert status["delivered"] == source.lines


def test_removing_a_stuck_drain_and_adding_another_needs_no_restart(
    pipeline: Pipeline, source: Source, black_hole: BlackHole, tmp_path: Path
) -> None:
    target = tmp_path / "out.log"
    pipeline.add_drain("hole", f"tcp://127.0.0.1:{black_hole.port}")
    router = pipeline.start_router()
    source.write()
    pipeline.wait_published(source.lines)
    pipeline.wait(lambda: pipeline.status("hole")["state"] in {"running", "retrying"}, "the drain to be at work")
    pipeline.logyard("drain", "rm", "hole")
    pipeline.add_drain("file", f"file://{target}", "--format", "raw")
    pipeline.wait(lambda: size(target) >= source.lines * LINE_BYTES, "all lines in the file")
    assert router.alive
    assert router.stop() == 0


def test_a_stopped_router_ends_in_order_and_its_successor_repeats_nothing(
    pipeline: Pipeline, source: Source, receiver: SyslogReceiver, arrived: Tally, tmp_path: Path
) -> None:
    receiver.up()
    target = tmp_path / "out.log"
    pipeline.add_drain("file", f"file://{target}", "--format", "raw")
    pipeline.add_drain("syslog", f"syslog://127.0.0.1:{receiver.port}")
    router = pipeline.start_router()
    for _ in range(3):
        source.write()
        pipeline.wait(lambda: len(arrived.order) > source.lines - PART, "the first of these lines")
        assert router.stop() == 0
        router = pipeline.start_router()
    pipeline.wait(lambda: len(arrived.order) >= source.lines, "all lines at the receiver")
    pipeline.wait(lambda: size(target) >= source.lines * LINE_BYTES, "all lines in the file")
    assert arrived.order.tolist() == list(range(source.lines))
    assert target.read_bytes() == source.path.read_bytes()


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def caught_up(pipeline: Pipeline, name: str) -> dict[str, Any]:
    """The drain's status once nothing is left to deliver, else {}."""
    status = pipeline.status(name)
    return status if status["lag_records"] == 0 else {}
