"""``logyard agent`` and ``logyard router`` as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from logyard.service import Service
from tests.servers.home import User
from tests.servers.processes import Processes, wait_for
from tests.servers.redis import RedisServer


def test_the_two_work_with_the_server_of_up_and_with_any_other(user: User, valkey: RedisServer) -> None:
    user.up()
    for where in ([], ["--redis", valkey.url]):
        (user.home / "web.log").write_text("one\n")
        archive = user.home / f"archive{len(where)}.log"
        assert user.run("drain", "add", "archive", f"file://{archive}?format=raw", *where).code == 0
        router = user.start("router", *where, name="router")
        agent = user.start("agent", "app.web=web.log", "--node", "n2", "--start", "beginning", *where, name="agent")
        wait_for(lambda: archive.exists() and archive.read_text() == "one\n", "the archive")  # noqa: B023
        agent.send_signal(signal.SIGINT)
        router.send_signal(signal.SIGTERM)
        assert (agent.wait(), router.wait()) == (130, 0)
        assert "Traceback" not in agent.output() + router.output()
        (user.home / "web.log").unlink()


def test_without_a_server_they_say_how_to_start_one(user: User) -> None:
    for command in (["agent", "x.log"], ["router"]):
        done = user.run(*command)
        assert done.code == 3
        assert f'no logyard is running in {user.data}; start one with "logyard up"' in done.err


def test_an_agent_without_files_is_refused(user: User) -> None:
    done = user.run("agent")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("logyard: nothing to read: name files")


@pytest.mark.parametrize("second", [signal.SIGINT, None])
def test_a_service_that_hangs_ends_all_the_same(processes: Processes, second: int | None) -> None:
    script = """
import asyncio, sys
import logyard.service
logyard.service.STOP_WITHIN = 1
class Hanging(logyard.service.Service):
    async def _work(self, stop):
        print("runs", flush=True)
        while True:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                pass
sys.exit(Hanging("agent", "", {}).run())
"""
    process = processes.start("hanging", [sys.executable, "-c", script])
    wait_for(lambda: "runs" in process.output(), "the service")
    process.send_signal(signal.SIGTERM)
    if second is not None:
        process.send_signal(second)
    assert process.wait() in {130, 1, -signal.SIGALRM}


def test_a_child_reads_its_settings_and_forgets_where_they_came_from(tmp_path: Path) -> None:
    service = Service("router", "nonsense://x", {"node": "n", "retention": {}})
    done = subprocess.run(
        [sys.executable, "-P", "-m", "logyard.service", "router"], input=service.encode(), capture_output=True,
        env={**os.environ, "PYTHONPATH": ""}, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert b"'nonsense' is no Redis address" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_service_survives_the_way_to_another_process() -> None:
    service = Service("agent", "redis://:pass@h", {"node": "n", "rules": []}, 4)
    assert Service.decode(service.encode()) == service
