"""The supervisor: children start in order, come back when they die, end in order, and never outlive it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import pytest

from logyard.errors import ServerError, UsageError
from logyard.supervisor import Child, Process, Supervisor, restart_delay, supervise
from logyard.supervisor.process import describe_end
from tests.servers.home import alive
from tests.servers.processes import Processes, eventually, wait_for

PYTHON = (sys.executable, "-S", "-c")


def sleeper(name: str, **options: object) -> Child:
    return Child(name, ("sleep", "1000"), **options)  # type: ignore[arg-type]


def stubborn(name: str, told: Path, **options: object) -> Child:
    """A child that takes no notice of SIGTERM, once it has said that it runs."""
    script = "import pathlib, signal, sys, time; signal.signal(15, signal.SIG_IGN); "
    script += "pathlib.Path(sys.argv[1]).touch(); time.sleep(1000)"
    return Child(name, (*PYTHON, script, str(told)), **options)  # type: ignore[arg-type]


def pid_of(supervisor: Supervisor, name: str) -> int:
    return supervisor.pids[name]


async def test_all_children_have_ended_when_it_is_left() -> None:
    async with supervise() as supervisor:
        for name in ("a", "b", "c"):
            await supervisor.start(sleeper(name))
        pids = supervisor.pids
        assert all(map(alive, pids.values()))
    assert list(pids) == ["a", "b", "c"]
    assert not any(map(alive, pids.values()))


async def test_children_end_one_after_the_other_the_last_one_first(tmp_path: Path) -> None:
    script = """
import pathlib, signal, sys, time
def end(*_):
    time.sleep(0.05)
    with open("told", "a") as file:
        file.write(sys.argv[1] + " ends\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1]).touch()
while True:
    signal.pause()
"""
    names = ("server", "router", "agent")
    async with supervise() as supervisor:
        for name in names:
            await supervisor.start(Child(name, (*PYTHON, script, name), folder=tmp_path))
        await eventually(lambda: all((tmp_path / name).exists() for name in names), "the children")
    assert (tmp_path / "told").read_text().split("\n")[:3] == ["agent ends", "router ends", "server ends"]


async def test_a_child_that_dies_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    async with supervise() as supervisor:
        await supervisor.start(sleeper("agent"))
        await supervisor.start(sleeper("other"))
        other, first = pid_of(supervisor, "other"), pid_of(supervisor, "agent")
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: pid_of(supervisor, "agent") != first, "another agent")
        assert pid_of(supervisor, "other") == other
        assert alive(pid_of(supervisor, "agent"))
    (record,) = caplog.records
    assert record.getMessage() == "agent was ended by SIGKILL; starting it again in 0.1 s"


def test_who_dies_again_and_again_waits_longer_up_to_a_limit() -> None:
    delays = [restart_delay(deaths) for deaths in range(1, 20)]
    assert delays == sorted(delays)
    assert delays[0] == 0.1
    assert delays[-1] == 5.0
    assert restart_delay(10**6) == 5.0


async def test_a_child_that_refuses_its_settings_is_not_started_again() -> None:
    async with supervise() as supervisor:
        await supervisor.start(Child("agent", ("sh", "-c", "exit 2")))
        with pytest.raises(UsageError, match="agent refuses its settings"):
            await supervisor.over()


async def test_a_child_that_cannot_be_started_again_is_tried_until_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/runs'\nexec sleep 1000\n")
    program.chmod(0o700)
    async with supervise() as supervisor:
        await supervisor.start(Child("agent", (str(program),)))
        first = pid_of(supervisor, "agent")
        await eventually((tmp_path / "runs").exists, "the program, which the shell opens itself")
        program.rename(tmp_path / "away")
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: any("cannot start" in line for line in caplog.messages), "a vain attempt")
        (tmp_path / "away").rename(program)
        await eventually(lambda: alive(pid_of(supervisor, "agent")), "another agent")


async def test_a_program_that_does_not_exist_is_named() -> None:
    async with supervise() as supervisor:
        with pytest.raises(ServerError, match=r"cannot start agent \(/no/such/program\): No such file or directory"):
            await supervisor.start(Child("agent", ("/no/such/program",)))


async def test_a_child_that_is_never_ready_ends_too() -> None:
    async def ready(process: Process) -> None:
        pids.append(process.pid)
        raise ServerError("not today")

    pids: list[int] = []
    with pytest.raises(ServerError, match="not today"):
        async with supervise() as supervisor:
            await supervisor.start(sleeper("agent", ready=ready))
    assert not alive(pids[0])


async def test_a_child_that_does_not_end_is_killed_after_its_deadline(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with supervise() as supervisor:
        await supervisor.start(stubborn("agent", tmp_path / "runs", stop_within=0.05))
        pid = pid_of(supervisor, "agent")
        await eventually((tmp_path / "runs").exists, "the child")
    assert not alive(pid)
    assert [record.getMessage() for record in caplog.records] == ["agent has not ended within 0.05 s: killing it"]


async def test_in_a_hurry_only_a_patient_child_gets_its_time(tmp_path: Path) -> None:
    script = """
import pathlib, signal, sys, time
def end(*_):
    time.sleep(0.3)
    pathlib.Path("ended").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
pathlib.Path("server runs").touch()
while True:
    signal.pause()
"""
    async with supervise() as supervisor:
        await supervisor.start(Child("server", (*PYTHON, script), folder=tmp_path, patient=True, stop_within=60))
        await supervisor.start(stubborn("agent", tmp_path / "agent runs", stop_within=1000))
        await eventually(lambda: (tmp_path / "server runs").exists() and (tmp_path / "agent runs").exists(), "both")
        supervisor.hurry()
    assert (tmp_path / "ended").exists()


async def test_an_interrupted_end_leaves_no_child(tmp_path: Path) -> None:
    pids = {}
    stopping = asyncio.Event()

    async def run() -> None:
        async with supervise() as supervisor:
            await supervisor.start(sleeper("router"))
            await supervisor.start(stubborn("agent", tmp_path / "runs", stop_within=1000))
            pids.update(supervisor.pids)
            await eventually((tmp_path / "runs").exists, "the child")
            stopping.set()

    task = asyncio.create_task(run())
    await stopping.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert len(pids) == 2
    assert not any(map(alive, pids.values()))


async def test_settings_reach_a_child_unseen(tmp_path: Path) -> None:
    script = "import pathlib, sys, time; pathlib.Path('got').write_text(sys.stdin.read()); time.sleep(1000)"
    async with supervise() as supervisor:
        await supervisor.start(Child("agent", (*PYTHON, script), stdin=b"hunter2", folder=tmp_path))
        await eventually(lambda: (tmp_path / "got").exists() and (tmp_path / "got").read_text(), "the settings")
        assert (tmp_path / "got").read_text() == "hunter2"
        proc = Path(f"/proc/{pid_of(supervisor, 'agent')}")
        assert b"hunter2" not in (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()
        assert "hunter2" not in repr(Child("agent", (), stdin=b"hunter2"))


async def test_ctrl_c_in_the_terminal_does_not_reach_children() -> None:
    async with supervise() as supervisor:
        await supervisor.start(sleeper("agent"))
        assert os.getpgid(pid_of(supervisor, "agent")) != os.getpgid(0)


@pytest.mark.needs("linux")
def test_a_killed_supervisor_leaves_no_child(processes: Processes, tmp_path: Path) -> None:
    script = """
import asyncio, pathlib, sys
from logyard.supervisor import Child, supervise
async def main():
    async with supervise() as supervisor:
        for name in ("a", "b"):
            await supervisor.start(Child(name, ("sleep", "1000")))
        pathlib.Path("new").write_text(" ".join(map(str, supervisor.pids.values())))
        pathlib.Path("new").rename("pids")
        await asyncio.sleep(1000)
asyncio.run(main())
"""
    supervisor = processes.start("supervisor", [sys.executable, "-c", script], cwd=tmp_path)
    wait_for((tmp_path / "pids").exists, "the children")
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    assert all(map(alive, pids))
    supervisor.kill()
    wait_for(lambda: not any(map(alive, pids)), "the end of the children")


def test_an_end_is_told_in_words() -> None:
    assert describe_end(0) == "ended with exit code 0"
    assert describe_end(-9) == "was ended by SIGKILL"
    assert describe_end(-63) == "was ended by signal 63"
