"""A Redis that breaks, forgets, fills up or is shared with a twin: still every line once."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from logyard.agent.position import Position
from logyard.agent.sender import MAX_BATCHES, MAX_BYTES, backoff
from logyard.agent.service import FileRule
from logyard.batch import BLOCK_LIMIT, Batch
from logyard.errors import ConnectionLost, ServerError, UsageError
from tests.agent.conftest import FakeRedis, StartAgent, arrived, write
from tests.servers.processes import eventually

LINES = [f"{number} {'x' * 90}" for number in range(30_000)]


def messages(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= level]


@pytest.mark.parametrize("answered", [False, True], ids=["lost answers", "lost requests"])
@pytest.mark.parametrize("batches", [1, 3, 7])
async def test_a_connection_that_breaks_loses_and_repeats_nothing(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, batches: int, answered: bool
) -> None:
    write(logs / "web.log", *LINES)
    redis_fake.break_after(batches, answered=answered)
    start_agent(logs / "web.log")
    await arrived(redis_fake, *LINES)


async def test_an_answer_lost_just_before_a_kill_repeats_nothing(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "web.log", *LINES)
    redis_fake.break_after(2, answered=False)
    agent = start_agent(logs / "web.log")
    await eventually(lambda: len(redis_fake.stored) == 2, "two batches")
    await agent.kill()
    start_agent(logs / "web.log")
    await arrived(redis_fake, *LINES)


async def test_what_a_crash_of_redis_took_is_read_again(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "web.log", *LINES)
    start_agent(logs / "web.log")
    await arrived(redis_fake, *LINES)
    redis_fake.lose_newest(4)
    await arrived(redis_fake, *LINES)
    identities = [batch.identity(offset) for batch in redis_fake.stored for offset in batch.offsets()]
    assert len(set(identities)) == len(LINES)


async def test_records_read_again_keep_their_identities(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "web.log", "one", "two")
    start_agent(logs / "web.log")
    await arrived(redis_fake, "one", "two")
    before = [batch.identity(offset) for batch in redis_fake.stored for offset in batch.offsets()]
    redis_fake.lose_newest(9)
    await arrived(redis_fake, "one", "two")
    assert [batch.identity(offset) for batch in redis_fake.stored for offset in batch.offsets()] == before


async def test_a_crash_that_took_lines_of_a_rotated_file_is_made_good(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    start_agent(log)
    await arrived(redis_fake, "one")
    write(log, "two")
    await arrived(redis_fake, "one", "two")
    log.rename(logs / "web.log.1")
    write(log, "three")
    await arrived(redis_fake, "one", "two", "three")
    redis_fake.lose_newest(2)
    await arrived(redis_fake, "one", "two", "three")


async def test_a_crash_that_took_lines_of_a_copied_and_emptied_file_is_made_good(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    for line in ("one", "two"):
        write(log, line)
        if line == "one":
            start_agent(log)
        await eventually(lambda line=line: line.encode() in redis_fake.lines(), line)  # type: ignore[misc]
    (logs / "web.log.1").write_bytes(log.read_bytes())
    log.write_bytes(b"three\n")
    await arrived(redis_fake, "one", "two", "three")
    redis_fake.lose_newest(2)
    await arrived(redis_fake, "one", "two", "three")


async def test_an_emptied_redis_gets_what_is_new(
    redis_fake: FakeRedis,
    start_agent: StartAgent,
    logs: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("logyard.agent.source.SETTLED", 0.0)
    log = logs / "web.log"
    write(log, "one")
    agent = start_agent(log)
    await arrived(redis_fake, "one")
    redis_fake.empty()
    write(log, "two")
    await arrived(redis_fake, "two")
    await agent.stop()
    redis_fake.empty()
    write(log, "three")
    start_agent(log)
    await arrived(redis_fake, "three")
    assert sum("Redis knows none" in message for message in messages(caplog)) == 2


async def test_a_redis_emptied_without_a_break_is_noticed_at_the_next_publish(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logyard.agent.source.SETTLED", 0.0)
    write(logs / "a.log", "a")
    write(logs / "b.log", "b")
    start_agent(logs / "*.log")
    await eventually(lambda: len(redis_fake.lines()) == 2, "the lines")
    redis_fake.stored.clear()
    redis_fake.states.clear()
    write(logs / "a.log", "c")
    await arrived(redis_fake, "c")
    write(logs / "b.log", "d")
    await arrived(redis_fake, "c", "d")


async def test_what_is_not_settled_is_read_again_when_redis_knows_nothing(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    """It may have been emptied, or have lost its newest writes: nothing may be lost."""
    log = logs / "web.log"
    write(log, "one")
    agent = start_agent(log)
    await arrived(redis_fake, "one")
    await agent.stop()
    redis_fake.lose_newest(1)
    start_agent(log)
    await arrived(redis_fake, "one")


async def test_the_agent_waits_for_a_redis_that_is_away_and_says_so_once(
    redis_fake: FakeRedis,
    start_agent: StartAgent,
    logs: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("logyard.agent.session.backoff", lambda attempt, chance: 0.001)
    caplog.set_level(logging.INFO)
    redis_fake.up = False
    write(logs / "web.log", "one")
    start_agent(logs / "web.log")
    await eventually(lambda: messages(caplog), "the message")
    await asyncio.sleep(0.05)
    write(logs / "web.log", "two")
    redis_fake.up = True
    await arrived(redis_fake, "one", "two")
    assert messages(caplog) == ["cannot reach the fake; files stay open, trying again"]
    assert "connected to Redis again" in caplog.text


async def test_rotations_are_followed_while_redis_is_away(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "0")
    start_agent(log)
    await arrived(redis_fake, "0")
    redis_fake.up = False
    redis_fake.break_connections()
    for number in range(1, 4):
        write(log, str(number))
        inode = log.stat().st_ino
        await eventually(lambda inode=inode: inode in _open_inodes(), "the file to be opened")  # type: ignore[misc]
        log.unlink()
    write(log, "4")
    redis_fake.up = True
    await arrived(redis_fake, "0", "1", "2", "3", "4")


def _open_inodes() -> set[int]:
    found = set()
    for handle in Path("/proc/self/fd").iterdir():
        try:
            found.add(handle.stat().st_ino)
        except FileNotFoundError:
            continue
    return found


async def test_lines_are_read_from_where_they_were_when_the_agent_first_looked(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    """Even if Redis comes much later: what was written meanwhile is new."""
    redis_fake.up = False
    write(logs / "web.log", "before")
    inode = (logs / "web.log").stat().st_ino
    start_agent(logs / "web.log", start="end")
    await eventually(lambda: inode in _open_inodes(), "the file to be opened")
    write(logs / "web.log", "meanwhile")
    redis_fake.up = True
    await arrived(redis_fake, "meanwhile")


async def test_a_full_redis_is_tried_again_and_said_once(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write(logs / "web.log", *LINES)
    redis_fake.full = True
    start_agent(logs / "web.log", report_every=0.01)
    await eventually(lambda: b'"waiting"' in redis_fake.last_report, "the report")
    await asyncio.sleep(0.3)
    redis_fake.full = False
    await arrived(redis_fake, *LINES)
    assert messages(caplog) == ["the fake is full; nothing is read until it takes batches again"]
    await eventually(lambda: b'"running"' in redis_fake.last_report, "the report")
    assert "Redis takes batches again" in caplog.text


async def test_a_redis_that_fills_up_in_the_middle_loses_and_repeats_nothing(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    write(logs / "web.log", *LINES)
    start_agent(logs / "web.log")
    await eventually(lambda: redis_fake.stored, "the first batch")
    redis_fake.full = True
    await asyncio.sleep(0.05)
    redis_fake.full = False
    await arrived(redis_fake, *LINES)


async def test_a_twin_with_the_same_name_repeats_nothing(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, tmp_path: Path
) -> None:
    log = logs / "web.log"
    write(log, *LINES[:50])
    start_agent(log, spacing=0.001)
    start_agent(log, spacing=0.005, data_dir=tmp_path / "twin")
    for number in range(50, 200):
        write(log, LINES[number])
        await asyncio.sleep(0.001)
    await arrived(redis_fake, *LINES[:200])


async def test_a_twin_that_read_on_is_told_once_and_its_answer_taken(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = logs / "web.log"
    write(log, "one")
    start_agent(log)
    await arrived(redis_fake, "one")
    ((where, stored),) = redis_fake.states.items()
    for line, line_of_twin in [("two", "three"), ("four", "five")]:
        redis_fake.silent = True
        write(log, line)
        await eventually(lambda: redis_fake.connections[0].held, "the publish")
        write(log, line_of_twin)
        before = Position.decode(stored)
        assert before is not None
        with log.open("rb") as file:
            state = Position.at(file.fileno(), log.stat().st_size, before.generation).encode()
            file.seek(before.offset)
            block = file.read()[:-1]
        batch = Batch(
            key="sys.web", node="node1", source="web.log", time_ns=1, count=2, block=block,
            origin=redis_fake.stored[0].origin, first=before.offset, last=log.stat().st_size,
        )  # fmt: skip
        redis_fake.append(batch, where[1], stored, state)
        stored = state
        redis_fake.speak()
        asked = len(redis_fake.asked)
        await eventually(lambda asked=asked: len(redis_fake.asked) > asked, "the question")  # type: ignore[misc]
    write(log, "six")
    await arrived(redis_fake, "one", "two", "three", "four", "five", "six")
    assert [message.partition(" reads")[0] for message in messages(caplog)] == ["another agent that calls itself node1"]


async def test_a_state_of_another_version_stops_that_file_alone(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(logs / "a.log", "a")
    write(logs / "b.log", "b")
    agent = start_agent(logs / "*.log")
    await eventually(lambda: len(redis_fake.lines()) == 2, "the lines")
    await agent.stop()
    key = next(key for key in redis_fake.states if key[0] == "sys.a")
    redis_fake.states[key] = b"v2 something else"
    write(logs / "a.log", "more")
    write(logs / "b.log", "more")
    start_agent(logs / "*.log")
    await eventually(lambda: len(redis_fake.lines()) == 3, "the line")
    assert redis_fake.lines("sys.a") == [b"a"]
    assert any("another version" in message for message in messages(caplog, logging.ERROR))


async def test_a_file_on_a_device_with_a_new_number_is_read_on(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, tmp_path: Path
) -> None:
    """Numbers of devices may change when a machine is started anew."""
    log = logs / "web.log"
    write(log, "one")
    agent = start_agent(log)
    await arrived(redis_fake, "one")
    await agent.stop()
    (checkpoint,) = (tmp_path / "agent-data").glob("*.json")
    told = json.loads(checkpoint.read_text())
    ((name, entry),) = told["sources"].items()
    told["sources"] = {"0123456789abcdef": entry}
    checkpoint.write_text(json.dumps(told))
    redis_fake.states["sys.web", "0123456789abcdef"] = redis_fake.states.pop(("sys.web", name))
    write(log, "two")
    start_agent(log)
    await arrived(redis_fake, "one", "two")


async def test_a_file_whose_stream_is_renamed_is_read_on(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    log = logs / "web.log"
    write(log, "one")
    agent = start_agent(log)
    await arrived(redis_fake, "one")
    await agent.stop()
    write(log, "two")
    start_agent(FileRule(str(log), key="sys.other"))
    await arrived(redis_fake, "one", "two")
    assert [batch.key for batch in redis_fake.stored] == ["sys.web", "sys.other"]


async def test_what_is_in_flight_is_bounded(redis_fake: FakeRedis, start_agent: StartAgent, logs: Path) -> None:
    lines = ["x" * 1000] * 10_000
    for number in range(3 * MAX_BATCHES):
        write(logs / f"{number:03}.log", "short")
    write(logs / "000.log", *lines)
    redis_fake.silent = True
    start_agent(logs / "*.log")
    await eventually(lambda: redis_fake.connections and redis_fake.connections[0].held, "publishes")
    await asyncio.sleep(0.05)
    assert len(redis_fake.connections[0].held) <= MAX_BATCHES
    redis_fake.speak()
    await eventually(lambda: len(redis_fake.lines()) == 3 * MAX_BATCHES + len(lines), "the lines")
    sizes = [len(batch.block) for batch in redis_fake.stored]
    assert max(sizes) * 4 <= MAX_BYTES + BLOCK_LIMIT


async def test_a_first_connection_that_shows_a_useless_redis_ends_the_agent(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path
) -> None:
    redis_fake.refusal = ServerError("too old")
    with pytest.raises(ServerError, match="too old"):
        await start_agent(logs / "web.log").task


async def test_a_wrong_address_ends_the_agent(redis_fake: FakeRedis, start_agent: StartAgent, logs: Path) -> None:
    redis_fake.refusal = UsageError("no address")
    with pytest.raises(UsageError, match="no address"):
        await start_agent(logs / "web.log").task


async def test_a_redis_that_becomes_useless_later_is_an_error_and_tried_again(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(logs / "web.log", "one")
    start_agent(logs / "web.log")
    await arrived(redis_fake, "one")
    redis_fake.refusal = ServerError("no permission")
    redis_fake.break_connections()
    write(logs / "web.log", "two")
    await eventually(lambda: messages(caplog, logging.ERROR), "the error")
    redis_fake.refusal = None
    await arrived(redis_fake, "one", "two")
    assert messages(caplog, logging.ERROR) == ["no permission; files stay open, trying again"]


async def test_a_publish_that_is_refused_is_tried_again_on_another_connection(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [ServerError("WRONGTYPE"), ConnectionLost("READONLY")]
    really_append = FakeRedis.append

    def append(self: FakeRedis, *args: Any) -> Any:
        if refusals:
            raise refusals.pop()
        return really_append(self, *args)

    monkeypatch.setattr(FakeRedis, "append", append)
    write(logs / "web.log", "one")
    start_agent(logs / "web.log")
    await arrived(redis_fake, "one")
    assert not refusals


def test_waits_grow_to_a_limit_and_differ() -> None:
    assert [backoff(attempt, 1.0) for attempt in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert backoff(1000, 0.0) == 2.5
