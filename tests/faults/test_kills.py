"""What arrives when agent, router and server die at random moments, many times."""

from __future__ import annotations

import filecmp
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.pipeline import LINE_BYTES, STREAM, Pipeline, Tally, make_lines
from tests.servers.syslog_receiver import SyslogReceiver

KILLS = 20
PER_KILL = 50_000
LINES = KILLS * PER_KILL
IN_DOUBT = 70_000
"""Lines around a kill that may come twice: its resend window, 8 MiB here, and the sends that are in flight."""


@pytest.fixture
def arrived() -> Tally:
    return Tally()


@pytest.fixture
def receiver(arrived: Tally) -> Iterator[SyslogReceiver]:
    receiver = SyslogReceiver(arrived.add_frames)
    receiver.up()
    yield receiver
    receiver.down()


def test_twenty_kills_in_a_million_lines_lose_nothing_and_repeat_only_what_was_in_doubt(
    pipeline: Pipeline, receiver: SyslogReceiver, arrived: Tally, tmp_path: Path
) -> None:
    seed = int(os.environ.get("LOGYARD_TEST_SEED", "3"))
    chosen = random.Random(seed)
    print(f"LOGYARD_TEST_SEED={seed}")
    victims = [("agent", "router", "server")[number % 3] for number in range(KILLS)]
    chosen.shuffle(victims)
    source, target = tmp_path / "web.log", tmp_path / "out.log"

    pipeline.add_drain("file", f"file://{target}", "--format", "raw")
    pipeline.add_drain("syslog", f"syslog://127.0.0.1:{receiver.port}?severity=info&time=observed&resend_window=8MiB")
    pipeline.start_router()
    source.touch()
    pipeline.start_agent(f"{STREAM}={source}")

    doubtful = []
    for number, victim in enumerate(victims):
        # Each kill comes while fresh lines are on their way through the victim, at a place that is drawn.
        progress = receiver.received if victim == "router" else pipeline.published
        done = progress()
        with source.open("ab") as output:
            output.write(make_lines(number * PER_KILL, (number + 1) * PER_KILL))
        due = done + chosen.randrange(max(1, (number + 1) * PER_KILL - done - PER_KILL // 10))
        pipeline.wait(lambda: progress() > due, f"line {due} to pass the {victim} (kill {number + 1} of {KILLS})")  # noqa: B023
        if victim != "agent":
            doubtful.append(range(arrived.highest - IN_DOUBT, arrived.highest + IN_DOUBT))
        kill_and_start_again(pipeline, victim)
        print(f"kill {number + 1}: {victim} at line {due}")

    pipeline.wait_published(LINES)
    pipeline.wait(lambda: target.exists() and target.stat().st_size >= LINES * LINE_BYTES, "all lines in the file")
    pipeline.wait(lambda: len(arrived.order) >= LINES and not arrived.missing(LINES), "all lines at the receiver")

    assert pipeline.agent is not None
    assert pipeline.agent.alive
    assert pipeline.router is not None
    assert pipeline.router.alive
    assert pipeline.in_stream().order.tolist() == list(range(LINES)), "the stream holds each line once, in order"
    assert filecmp.cmp(source, target, shallow=False), "the file drain holds each line once, in order"
    repeated = arrived.repeated(LINES)
    print(f"the receiver got {sum(map(len, repeated))} lines more than once, in {len(repeated)} places: {repeated}")
    assert len(repeated) <= len(doubtful), "the agent's death repeats nothing, another's at most one stretch of lines"
    for stretch in repeated:
        strays = [line for line in stretch if not any(line in around for around in doubtful)]
        assert not strays, f"lines {strays[0]} to {strays[-1]} came twice, with no kill around {doubtful}"


def kill_and_start_again(pipeline: Pipeline, victim: str) -> None:
    if victim == "server":
        pipeline.server.kill()
        pipeline.server.start()
    elif victim == "agent":
        assert pipeline.agent is not None
        pipeline.agent.kill()
        pipeline.start_agent()
    else:
        assert pipeline.router is not None
        pipeline.router.kill()
        pipeline.start_router()
