"""A router that is killed while records and dead letters are sent again, beside what comes live."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

from logyard.batch import Batch, Selection
from logyard.bus.dead import count_letters
from logyard.bus.replays import OVER, ReplayProgress, ReplayRequest, ask_for_replay, replay_progress
from logyard.router.dead import DeadLetters
from logyard.server import Server, connect
from tests.faults.pipeline import STREAM, Pipeline, make_lines, numbers_in

OLD = 60_000
KILLS = 4
LIVE_PER_KILL = 5_000


async def test_kills_during_a_replay_cost_no_record_and_leave_the_live_ones_exactly_once(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    chosen = random.Random(int(os.environ.get("LOGYARD_TEST_SEED", "5")))
    source, target = tmp_path / "web.log", tmp_path / "out.log"
    pipeline.add_drain("file", f"file://{target}", "--format", "raw")
    router = pipeline.start_router()
    source.write_bytes(make_lines(0, OLD))
    pipeline.start_agent(f"{STREAM}={source}")
    pipeline.wait(lambda: pipeline.status("file")["delivered"] == OLD, "the old lines")

    async with connect(pipeline.url) as server:
        request = ReplayRequest("file", "records", detached=True)
        await ask_for_replay(server, request)
        await _looked_at(server, request, 1)
        for number in range(KILLS):
            begin = OLD + number * LIVE_PER_KILL
            with source.open("ab") as output:
                output.write(make_lines(begin, begin + LIVE_PER_KILL))
            due = chosen.randrange(OLD * number // KILLS, OLD * (number + 1) // KILLS)
            await _looked_at(server, request, due)
            router.kill()
            router = pipeline.start_router()
        ended = await _over(server, request)
        assert (ended.state, ended.total, ended.looked) == ("done", OLD, OLD)
    lines = OLD + KILLS * LIVE_PER_KILL
    pipeline.wait(lambda: pipeline.status("file")["delivered"] == lines, "the live lines")

    counts = [0] * lines
    for written in numbers_in(target.read_bytes()):
        counts[written] += 1
    assert set(counts[OLD:]) == {1}, "a live line is lost or there twice"
    assert min(counts[:OLD]) >= 2, "a line was not sent again"


async def test_kills_during_the_replay_of_dead_letters_lose_none(pipeline: Pipeline, tmp_path: Path) -> None:
    letters = 5_000
    target = tmp_path / "out.log"
    pipeline.add_drain("file", f"file://{target}", "--format", "raw")
    async with connect(pipeline.url) as server:
        dead = DeadLetters(server, "p00", "file")
        lines = make_lines(0, letters).splitlines()
        block = b"\n".join(lines)
        batch = Batch(
            key=STREAM, node="n1", source="stdout", time_ns=1, count=letters, origin="00000000000000aa.0", first=0,
            last=len(block) + 1, block=block, entry="1-1",
        )  # fmt: skip
        for first in range(0, letters, 1000):
            await dead.bury([Selection(batch, range(first, first + 1000))], dict.fromkeys(range(1000), "refused"))
        router = pipeline.start_router()
        request = ReplayRequest("file", "letters", detached=True)
        await ask_for_replay(server, request)
        for number in range(3):
            await _looked_at(server, request, letters * (number + 1) // 5)
            router.kill()
            router = pipeline.start_router()
        ended = await _over(server, request)
        assert (ended.state, ended.refused) == ("done", 0)
        assert await count_letters(server, "file") == 0
    assert set(numbers_in(target.read_bytes())) == set(range(letters))


async def _looked_at(server: Server, request: ReplayRequest, records: int) -> None:
    async with asyncio.timeout(60):
        while True:
            progress = await replay_progress(server, request.drain, request.id)
            if progress.looked >= records or progress.state in OVER:
                return
            await asyncio.sleep(0.002)


async def _over(server: Server, request: ReplayRequest) -> ReplayProgress:
    async with asyncio.timeout(60):
        while (progress := await replay_progress(server, request.drain, request.id)).state not in OVER:
            await asyncio.sleep(0.01)
    return progress
