"""Following files: what is written to them arrives, once and in order."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.agent.conftest import FakeRedis, StartAgent, arrived, write


async def test_lines_of_a_file_arrive_in_order(redis_fake: FakeRedis, start_agent: StartAgent, logs: Path) -> None:
    write(logs / "web.log", "one", "two")
    start_agent(logs / "web.log")
    await arrived(redis_fake, "one", "two")
    write(logs / "web.log", "three")
    await arrived(redis_fake, "one", "two", "three")


async def test_a_restart_goes_on_where_the_last_one_stopped(redis_fake: FakeRedis, start_agent: StartAgent, logs: Path) -> None:
    write(logs / "web.log", "one", "two")
    agent = start_agent(logs / "*.log")
    await arrived(redis_fake, "one", "two")
    await agent.stop()
    write(logs / "web.log", "three")
    start_agent(logs / "*.log")
    await arrived(redis_fake, "one", "two", "three")


async def test_rename(redis_fake: FakeRedis, start_agent: StartAgent, logs: Path) -> None:
    log = logs / "web.log"
    write(log, "one", "two")
    start_agent(logs / "*.log")
    await arrived(redis_fake, "one", "two")
    write(log, "three")
    log.rename(logs / "web.log.1")
    write(logs / "web.log.1", "four")
    write(log, "five")
    await arrived(redis_fake, "one", "two", "three", "four", "five")
    write(logs / "web.log.1", "late")
    await arrived(redis_fake, "one", "two", "three", "four", "five", "late")
