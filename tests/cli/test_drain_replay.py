"""``logyard drain replay``: what is told while a router does it, and how to go on where it was stopped."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from logyard.bus.drains import DrainSpec, add_drain, drain_status
from logyard.bus.replays import ReplayRequest, ask_for_replay, replay_progress, replay_requests
from logyard.server import Server, keys
from tests.cli.conftest import Run
from tests.servers.publishing import Publisher

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
async def archive(server: Server, publisher: Publisher, start_logyard: Start, tmp_path: Path) -> Path:
    """The file of a drain that a router has delivered 100 lines of web and 100 of api to."""
    await add_drain(server, DrainSpec("archive", f"file://{tmp_path}/all.log", params={"format": "raw"}))
    start_logyard("router")
    for number in range(10):
        for app in ("web", "api"):
            await publisher.publish(f"app.{app}", *(b"%s %d" % (app.encode(), number * 10 + n) for n in range(10)))
    async with asyncio.timeout(30):
        while (await drain_status(server))[0].delivered < 200:
            await asyncio.sleep(0.01)
    return tmp_path / "all.log"


def texts(path: Path) -> list[str]:
    return path.read_text().splitlines()


async def test_it_is_sent_again_and_told(server: Server, archive: Path, logyard: Run) -> None:
    done = logyard("drain", "replay", "archive", "--since", "1h")
    assert (done.code, done.out) == (0, "drain archive: 200 records sent again\n"), done.err
    assert len(texts(archive)) == 400 and len(set(texts(archive))) == 200
    done = logyard("drain", "replay", "archive", "--since", "1h", "--key", "api")
    assert (done.code, done.out) == (0, "drain archive: 100 records sent again\n")
    assert texts(archive)[400:] == [f"api {number}" for number in range(100)]
    assert '"replayed": 300' in logyard("drain", "status", "archive", "--json").out


def test_what_selects_nothing_is_told(archive: Path, logyard: Run) -> None:
    done = logyard("drain", "replay", "archive", "--since", "2h", "--until", "1h")
    assert (done.code, done.err) == (1, "logyard: the streams hold nothing of that time that this drain has had\n")
    done = logyard("drain", "replay", "archive", "--since", "2h", "--key", "nosuch")
    assert (done.code, done.err) == (1, "logyard: drain archive takes no stream that matches nosuch\n")
    assert len(texts(archive)) == 200


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((), "give --since T"),
        (("--since", "soon"), "'soon' is no point in time"),
        (("--since", "1h", "--until", "2h"), "--until 2h is before --since 1h"),
        (("--since", "1h", "--key", "web.3"), "whole streams"),
    ],
)
def test_wrong_usage_says_what_to_change(logyard: Run, args: tuple[str, ...], told: str) -> None:
    done = logyard("drain", "replay", "archive", *args)
    assert (done.code, done.out) == (2, "") and told in done.err and done.err.count("\n") == 1


async def test_one_at_a_time_and_a_detached_one_can_be_ended(server: Server, tmp_path: Path, logyard: Run) -> None:
    await add_drain(server, DrainSpec("archive", f"file://{tmp_path}/all.log"))
    replay = ("drain", "replay", "archive")
    assert logyard(*replay, "--cancel").code == 1
    done = logyard(*replay, "--since", "1h", "--detach")
    assert done.code == 0 and "logyard drain replay archive --cancel" in done.out
    done = logyard(*replay, "--since", "1h", "--detach")
    assert done.code == 2 and "under way" in done.err and "--cancel" in done.err
    done = logyard(*replay, "--cancel")
    assert (done.code, done.out) == (0, "drain archive: the replay ends; so far 0 records sent again\n")
    assert logyard(*replay, "--since", "1h", "--detach").code == 0


async def test_a_request_that_nobody_renews_ends_by_itself(server: Server, tmp_path: Path) -> None:
    await add_drain(server, DrainSpec("archive", f"file://{tmp_path}/all.log"))
    request = ReplayRequest("archive", "records")
    await ask_for_replay(server, request)
    assert 0 < await server.call(keys.GLOBAL, "PTTL", keys.replay_key("archive")) <= 10_000
    assert (await replay_progress(server, "archive", request.id)).state == "waiting"


async def test_ctrl_c_says_where_it_stood_and_how_to_go_on(
    server: Server, publisher: Publisher, start_logyard: Start, tmp_path: Path
) -> None:
    await add_drain(server, DrainSpec("archive", f"file://{tmp_path}/all.log"))
    await publisher.publish("app.web", b"line")
    process = start_logyard("drain", "replay", "archive", "--since", "2026-01-01T00:00:00Z", "--key", "app.web")
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while not (request := (await replay_requests(server, ["archive"])).get("archive")):
            await asyncio.sleep(0.01)
    # What a router writes that is half through.
    progress = keys.replayed_key("p00", "archive")
    await server.call(
        "p00", "HSET", progress, "id", request.id, "state", "running", "total", 100, "looked", 50, "sent", 49,
        "refused", 1, "at", "1790000000123-4 app.web",
    )  # fmt: skip
    process.send_signal(2)
    async with asyncio.timeout(30):
        while await replay_requests(server, ["archive"]):
            await asyncio.sleep(0.01)
    await server.call("p00", "HSET", progress, "state", "cancelled", "sent", 59)
    first, second = process.stdout.read().decode().splitlines()
    assert process.wait(30) == 130
    assert first == "drain archive: stopped; 59 records sent again, 1 refused again"
    command, _, until = second.partition(" --until ")
    assert command == "go on with: logyard drain replay archive --since 2026-09-21T14:13:20.123Z"
    assert until.endswith(" --key app.web")


async def test_a_terminal_gets_a_bar_that_leaves_no_trace(server: Server, archive: Path, start_logyard: Start) -> None:
    ours, theirs = pty.openpty()
    try:
        process = start_logyard("drain", "replay", "archive", "--since", "1h", stderr=theirs)
        drawn = b""
        running = True
        while running or select.select([ours], [], [], 0)[0]:
            running = process.poll() is None
            if select.select([ours], [], [], 0.01)[0]:  # a terminal holds less than all of it
                drawn += os.read(ours, 65536)
        assert process.returncode == 0
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"% " in drawn and b" of 200" in drawn and b"\n" not in drawn
    assert drawn.endswith(b"\r\x1b[K")


def test_moments_are_written_as_they_are_read() -> None:
    from logyard_cli.moments import parse_moment
    from logyard_cli.replaying import timestamp

    assert parse_moment(timestamp(1_790_000_000_123), datetime.now(UTC).replace(year=2100)) == 1_790_000_000_123_000_000
