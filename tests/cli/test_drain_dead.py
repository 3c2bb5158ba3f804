"""Dead letters from the command line: looked at safely, sent again by a router, removed when asked."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from logyard.bus.dead import count_letters, newest_letters
from logyard.bus.drains import DrainSpec, add_drain, set_paused
from logyard.server import Server, keys
from tests.cli.conftest import Finished, Run
from tests.cli.dead_letters import bury

Dead = Callable[..., Finished]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
async def dead(server: Server, logyard: Run, tmp_path: Path) -> Dead:
    """``logyard drain dead archive ...``, for a drain that writes plain lines to a file."""
    await add_drain(server, DrainSpec("archive", f"file://{tmp_path}/all.log", params={"format": "raw"}))
    return lambda *args, **options: logyard("drain", "dead", "archive", *args, **options)


async def test_the_newest_are_listed_the_newest_last(server: Server, dead: Dead) -> None:
    await bury(server, "archive", *((b"text %d" % number, f"reason {number}") for number in range(30)))
    done = dead()
    heads, *rows = done.out.splitlines()
    assert heads.split() == ["ID", "WHEN", "STREAM", "INSTANCE", "REASON", "TEXT"]
    assert [row.split("reason ")[1].split() for row in rows] == [[str(n), "text", str(n)] for n in range(10, 30)]
    assert (done.code, done.err) == (0, "30 in all, 20 shown\n")
    assert len(dead("list", "-n", "all").out.splitlines()) == 31
    assert len(dead("-n", "3").out.splitlines()) == 4
    assert len(json.loads(dead("--json", "-n", "3").out)) == 3


async def test_since_leaves_out_what_died_before(server: Server, dead: Dead) -> None:
    await server.call("p00", "XADD", keys.dead_key("p00", "archive"), "1000-0", "died", "1000", "reason", "old",
                      "key", "app.web", "entry", "1-0")  # fmt: skip
    assert dead("--since", "1h").code == 1
    await bury(server, "archive", (b"text", "new"))
    done = dead("--since", "1h")
    assert "new" in done.out and "old" not in done.out
    assert done.err == "2 in all, 1 shown\n"


async def test_a_letter_is_shown_whole_and_cannot_reach_the_terminal(server: Server, dead: Dead) -> None:
    text = b"first\nsecond \x1b[31mred\x1b]0;title\x07 \xff end"
    await bury(server, "archive", (text, "no \x1b[2J field"))
    (letter,) = await newest_letters(server, "archive")
    listed, shown, told = dead(), dead("show", letter.name), dead("show", letter.name, "--json")
    assert all("\x1b" not in done.out and "\x07" not in done.out for done in (listed, shown, told))
    for part in ("no ␛[2J field", "app.web", "instance  2", "node-1", "stdout", "00000000000000aa.0:0",
                 "2026-09-21 14:13:20.123", "first\nsecond ␛[31mred", "\\xff end"):  # fmt: skip
        assert part in shown.out, shown.out
    (fields,) = json.loads(told.out)
    assert fields["text"] == text.decode("utf-8", "backslashreplace")
    assert (fields["record"], fields["tries"], fields["reason"]) == ("00000000000000aa.0:0", 1, "no \x1b[2J field")


async def test_letters_are_sent_again_by_the_router_and_leave(
    server: Server, dead: Dead, logyard: Run, start_logyard: Start, tmp_path: Path
) -> None:
    await bury(server, "archive", *((b"text %d" % number, f"reason {number % 2}") for number in range(10)))
    start_logyard("router")
    done = dead("replay", "--match", "REASON 1")
    assert (done.code, done.out) == (0, "drain archive: 5 records sent again, 5 left out; 5 left\n")
    assert (tmp_path / "all.log").read_text().split() == [
        "text",
        "1",
        "text",
        "3",
        "text",
        "5",
        "text",
        "7",
        "text",
        "9",
    ]
    first, *_ = await newest_letters(server, "archive")
    assert dead("replay", first.name).out == "drain archive: 1 record sent again, 4 left out; 4 left\n"
    assert dead("replay").out == "drain archive: 4 records sent again; 0 left\n"
    assert (tmp_path / "all.log").read_text().count("text") == 10
    done = dead("replay")
    assert (done.code, done.err) == (1, "logyard: drain archive has no dead letters\n")
    assert "replayed      10 (the last one done, 4 of 4)" in logyard("drain", "show", "archive").out


async def test_a_drain_that_cannot_take_them_is_refused_with_what_to_do(server: Server, dead: Dead) -> None:
    await bury(server, "archive", (b"text", "reason"))
    await set_paused(server, "archive", paused=True)
    done = dead("replay")
    assert done.code == 2 and 'first: "logyard drain resume archive"' in done.err
    assert await count_letters(server, "archive") == 1


async def test_without_a_router_it_says_so_and_ends_by_ctrl_c(server: Server, dead: Dead, start_logyard: Start) -> None:
    await bury(server, "archive", (b"text", "reason"))
    process = start_logyard("drain", "dead", "archive", "replay")
    assert process.stderr is not None and process.stdout is not None
    assert b"no router works on this drain; waiting for one" in process.stderr.readline()
    process.send_signal(2)
    out = process.stdout.read().decode()
    assert process.wait(30) == 130
    assert out == (
        "drain archive: stopped; 0 records sent again; 1 left\ngo on with: logyard drain dead archive replay\n"
    )
    assert await server.call(keys.GLOBAL, "GET", keys.replay_key("archive")) is None


async def test_purging_asks_first_and_tells_how_many(server: Server, dead: Dead) -> None:
    await server.call("p00", "XADD", keys.dead_key("p00", "archive"), "1000-0", "died", "1000", "reason", "old",
                      "key", "app.web", "entry", "1-0")  # fmt: skip
    await bury(server, "archive", (b"a", "new"), (b"b", "new"))
    done = dead("purge")
    assert done.code == 2 and "--yes" in done.err
    assert await count_letters(server, "archive") == 3
    assert dead("purge", "--before", "1h", "--yes").out == "drain archive: 1 dead letter removed, 2 left\n"
    assert dead("purge", "--yes").out == "drain archive: 2 dead letters removed, 0 left\n"
    assert "no dead letters" in dead("purge", "--yes").err
    assert "no dead letters" in dead().err


@pytest.mark.parametrize(("answer", "left"), [(b"n\n", 1), (b"y\n", 0)])
async def test_on_a_terminal_the_answer_decides(
    server: Server, dead: Dead, start_logyard: Start, answer: bytes, left: int
) -> None:
    await bury(server, "archive", (b"a", "new"))
    ours, theirs = pty.openpty()
    try:
        process = start_logyard("drain", "dead", "archive", "purge", stdin=theirs)
        os.write(ours, answer)
        assert process.stderr is not None
        assert b"Remove the 1 dead letter of drain archive for good? [y/N]" in process.stderr.read()
        assert process.wait(30) == (1 if left else 0)
    finally:
        os.close(ours)
        os.close(theirs)
    assert await count_letters(server, "archive") == left


async def test_ctrl_c_at_the_question_removes_nothing(server: Server, dead: Dead, start_logyard: Start) -> None:
    await bury(server, "archive", (b"a", "new"))
    ours, theirs = pty.openpty()
    try:
        process = start_logyard("drain", "dead", "archive", "purge", stdin=theirs)
        assert process.stderr is not None
        told = b""
        while b"[y/N]" not in told:
            told += await asyncio.to_thread(os.read, process.stderr.fileno(), 1000)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == -signal.SIGINT  # 130 for a shell
        assert process.stderr.read().strip() == b""
    finally:
        os.close(ours)
        os.close(theirs)
    assert await count_letters(server, "archive") == 1


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("show", "nonsense"), "'nonsense' is not the id of a dead letter"),
        (("show", "1-1"), "drain archive has no dead letter 1-1"),
        (("replay", "1-1"), "drain archive has no dead letter 1-1"),
        (("shwo", "1-1"), "did you mean show?"),
        (("-n", "x"), "give a number from 1, or all"),
        (("--since", "soon"), "'soon' is no point in time"),
        (("purge", "--before", "soon", "--yes"), "'soon' is no point in time"),
    ],
)
def test_wrong_usage_says_what_to_change(dead: Dead, args: tuple[str, ...], told: str) -> None:
    done = dead(*args)
    assert (done.code, done.out) == (2, "")
    assert told in done.err and done.err.count("\n") == 1


def test_an_unknown_drain_is_refused_with_near_ones(dead: Dead, logyard: Run) -> None:
    for args in ((), ("show", "1-1"), ("replay",), ("purge", "--yes")):
        assert "did you mean archive?" in logyard("drain", "dead", "archvie", *args).err
