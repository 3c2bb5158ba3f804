"""Long results on a terminal go through a pager, short ones and those for programs do not."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

import pytest

from logyard_cli.pager import pager_command
from tests.cli.test_terminal import NASTY, OURS, Terminal
from tests.servers.publishing import Publisher
from tests.servers.redis import RedisServer

Start = Callable[..., Terminal]


@pytest.fixture
def terminal(valkey: RedisServer) -> Iterator[Start]:
    started: list[Terminal] = []

    def start(*args: str, **env: str) -> Terminal:
        environment = {**os.environ, "TERM": "xterm-256color", "LOGYARD_REDIS_URL": valkey.url, **env}
        started.append(Terminal(*args, env={**environment, "LINES": "24", "COLUMNS": "80"}))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.mark.parametrize(
    ("environment", "command"),
    [
        ({"PAGER": "sed s/a/b/"}, ["sed", "s/a/b/"]),
        ({"PAGER": "cat"}, []),
        ({"PAGER": ""}, []),
        ({"PAGER": "'"}, []),
        ({"PAGER": "surely-not-installed"}, []),
        ({"PAGER": "sed", "TERM": "dumb"}, []),
    ],
)
def test_which_pager(environment: dict[str, str], command: list[str]) -> None:
    assert pager_command({"TERM": "xterm", "PATH": os.environ["PATH"], **environment}) == command


def test_less_is_told_to_show_colours_unless_somebody_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: f"/usr/bin/{name}")
    assert pager_command({"TERM": "xterm"}) == ["less", "-RFX"]
    assert pager_command({"TERM": "xterm", "LESS": "-S"}) == ["less"]
    assert pager_command({}) == []


async def test_what_exceeds_the_screen_is_paged(publisher: Publisher, terminal: Start) -> None:
    await publisher.publish("app.web", *[b"line %d" % at for at in range(200)])
    screen = terminal("query", "line", "-o", "raw", PAGER="sed s/^/paged:/")
    text = OURS.sub(b"", screen.until(b"matched, in"))
    assert b"paged:line 0\r\n" in text
    assert b"paged:line 199\r\n" in text
    assert screen.process.wait(30) == 0
    plain = terminal("query", "line", "-o", "raw", "--no-pager", PAGER="sed s/^/paged:/").until(b"matched, in")
    assert b"paged" not in plain


async def test_what_fits_is_just_shown(publisher: Publisher, terminal: Start) -> None:
    await publisher.publish("app.web", *[b"line %d" % at for at in range(10)])
    text = OURS.sub(b"", terminal("query", "line", "-o", "raw", PAGER="sed s/^/paged:/").until(b"matched, in"))
    assert b"line 9\r\n" in text
    assert b"paged" not in text


async def test_leaving_the_pager_ends_the_search_in_silence(publisher: Publisher, terminal: Start) -> None:
    for _ in range(20):
        await publisher.publish("app.web", *[b"line" * 50] * 1000)
    screen = terminal("query", "line", "-o", "raw", PAGER="head -n 2")
    assert screen.process.wait(60) == 0
    assert b"Traceback" not in screen.rest()


@pytest.mark.parametrize("output", ["pretty", "raw", "json", "csv"])
async def test_nothing_of_a_line_reaches_the_pager_or_the_terminal(
    publisher: Publisher, terminal: Start, output: str
) -> None:
    await publisher.publish("app.web", *[NASTY] * 60, b"the end")
    for query in ("", "| fields text", "| count by text"):
        if output == "raw" and query:
            continue
        screen = OURS.sub(b"", terminal("query", query, "-o", output, PAGER="sed s/^//").until(b"matched, in"))
        shown = screen.decode().replace("\r\n", "\n").replace("\n", "").replace("\r\x1b[K", "")
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e]", shown), shown
        assert "evil" in shown


async def test_a_chart_fits_the_terminal_and_has_its_colours(publisher: Publisher, terminal: Start) -> None:
    lines = [b'{"time":"2026-01-01T00:00:%02dZ","n":%d}' % (at, at % 3) for at in range(60)]
    await publisher.publish("app.web", *lines)
    text = terminal("query", "| count by n every 1s", "--chart").until(b"matched, in")
    assert b"38;5;32m" in text
    rows = OURS.sub(b"", text).decode().partition("logyard:")[0].split("\r\n")
    assert max(map(len, rows)) <= 80
    plain = terminal("query", "| count by n every 1s", "--chart", NO_COLOR="1").until(b"matched, in")
    assert not OURS.search(plain)
