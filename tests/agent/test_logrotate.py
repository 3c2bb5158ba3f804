"""The real logrotate, by renaming and by copying, beside a writer that never stops: no line lost, none twice."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from pathlib import Path

import pytest

from tests.agent.conftest import FakeRedis, StartAgent, write
from tests.servers.processes import eventually
from tests.servers.requirements import find_program

pytestmark = pytest.mark.needs("logrotate")

CONFIG = """
{log} {{
  rotate 5
  size 1
  {how}
  missingok
  notifempty
}}
"""


class Rotation:
    """logrotate for one log file; ``how`` are its directives."""

    def __init__(self, log: Path, how: str) -> None:
        self.log = log
        log.parent.chmod(0o755)  # it refuses directories that others may write to
        self._config = log.parent.parent / "logrotate.conf"
        self._config.write_text(CONFIG.format(log=log, how=how))
        self._config.chmod(0o644)

    def run(self) -> None:
        state = self._config.with_name("logrotate.state")
        program = find_program("logrotate")
        assert program is not None
        command = [program, "--force", "-s", str(state), str(self._config)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


WAYS = {
    "create": "create 0644",
    "create, dates": "create 0644\n  dateext\n  dateformat -%Y%m%d-%s",
    "create, compressed": "create 0644\n  compress\n  delaycompress",
    "copytruncate": "copytruncate",
    "copytruncate, compressed": "copytruncate\n  compress\n  delaycompress",
}


async def all_lines(redis: FakeRedis, count: int) -> None:
    with contextlib.suppress(AssertionError):
        await eventually(lambda: len(redis.lines()) >= count, "the lines", timeout=20)
    assert sorted(redis.lines(), key=int) == [b"%d" % number for number in range(count)]


async def next_second() -> None:
    """Names with dates hold whole seconds, and logrotate's clock is a few ms late."""
    second = int(time.time())
    await eventually(lambda: time.time() >= second + 1.05, "the next second")


@pytest.mark.parametrize("way", WAYS)
async def test_rotations_while_the_agent_runs(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, way: str
) -> None:
    log = logs / "web.log"
    rotation = Rotation(log, WAYS[way])
    write(log, "0")
    start_agent(logs / "*")
    await all_lines(redis_fake, 1)
    count = 1
    for _ in range(3):
        for _ in range(20):
            write(log, str(count), str(count + 1))
            count += 2
            await asyncio.sleep(0)
        if "dates" in way:
            await next_second()
        await asyncio.to_thread(rotation.run)
        if "compressed" in way:
            await all_lines(redis_fake, count)  # what nobody has read by the next rotation is lost, and told
    write(log, str(count))
    await all_lines(redis_fake, count + 1)
    assert {batch.key for batch in redis_fake.stored} == {"sys.web"}


# After a second rotation what was not read would be compressed: that is told as a possible gap.
@pytest.mark.parametrize(
    ("way", "rotations"), [*((way, 1) for way in WAYS), *((way, 2) for way in WAYS if "compressed" not in way)]
)
async def test_rotations_while_no_agent_runs(
    redis_fake: FakeRedis, start_agent: StartAgent, logs: Path, way: str, rotations: int
) -> None:
    log = logs / "web.log"
    rotation = Rotation(log, WAYS[way])
    write(log, "0")
    agent = start_agent(log)
    await all_lines(redis_fake, 1)
    count = 1
    for _ in range(1 if "dates" in way else 2):
        await agent.stop()
        for _ in range(rotations):
            write(log, str(count), str(count + 1))
            count += 2
            if "dates" in way:
                await next_second()
            rotation.run()
        write(log, str(count))
        count += 1
        agent = start_agent(log)
        await all_lines(redis_fake, count)
    assert redis_fake.lines() == [b"%d" % number for number in range(count)]


async def test_a_writer_that_is_told_to_reopen_late(redis_fake: FakeRedis, start_agent: StartAgent, logs: Path) -> None:
    log = logs / "web.log"
    rotation = Rotation(log, WAYS["create"])
    write(log, "0")
    start_agent(log)
    count = 1
    for _ in range(3):
        with log.open("ab", buffering=0) as old:
            for late in (False, True):
                if late:
                    rotation.run()
                for _ in range(10):
                    old.write(b"%d\n" % count)
                    count += 1
                    await asyncio.sleep(0.001)
    write(log, str(count))
    await all_lines(redis_fake, count + 1)
