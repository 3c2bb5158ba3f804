"""On a real terminal: colours and local time, nothing that a log line could do to it, Ctrl-C as people press it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cli.conftest import COMMAND
from tests.servers.publishing import Publisher
from tests.servers.redis import RedisServer

OURS = re.compile(rb"\x1b\[[0-9;]*m")
NASTY = b"\x1b[2J\x1b]0;title\x07 \xc2\x9b31m \xe2\x80\xae \r\x08 evil \x7f"


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, *args: str, env: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, *args], stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - there are no threads
        )  # fmt: skip
        os.close(slave)
        self.screen = b""

    def until(self, what: bytes) -> bytes:
        """Everything shown up to now, once ``what`` is in it."""
        return self.until_match(re.escape(what))

    def until_match(self, pattern: bytes) -> bytes:
        """The same with a regular expression."""
        deadline = time.monotonic() + 60
        while not re.search(pattern, self.screen):
            left = max(deadline - time.monotonic(), 0.0)
            assert select.select([self._master], [], [], left)[0], f"no {pattern!r} in {self.screen!r}"
            if not self._read():
                break
        assert re.search(pattern, self.screen), self.screen
        return self.screen

    def rest(self) -> bytes:
        """Everything shown, of a process that has ended."""
        while select.select([self._master], [], [], 0)[0] and self._read():
            pass
        return self.screen

    def _read(self) -> bool:
        try:
            self.screen += os.read(self._master, 65536)
        except OSError:  # the terminal is closed
            return False
        return True

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminal(valkey: RedisServer) -> Iterator[Callable[..., Terminal]]:
    started: list[Terminal] = []

    def start(*args: str, **env: str) -> Terminal:
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "LOGYARD_REDIS_URL": valkey.url,
            "TZ": "Asia/Tokyo",
            **env,
        }
        started.append(Terminal(*args, env=environment))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.mark.parametrize("output", ["pretty", "raw", "text", "json"])
async def test_nothing_of_a_line_acts_on_the_terminal(
    publisher: Publisher, terminal: Callable[..., Terminal], output: str
) -> None:
    await publisher.publish("app.web", NASTY, b"ERROR the end")
    screen = OURS.sub(b"", terminal("tail", "-o", output, "-F").until(b"the end"))
    shown = screen.decode().replace("\r\n", "\n").replace("\n", "")
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e]", shown), shown
    assert "evil" in shown


async def test_colours_and_local_time(publisher: Publisher, terminal: Callable[..., Terminal]) -> None:
    record = b'{"ts":"2026-01-01T00:00:00Z","level":"error","msg":"boom"}'
    await publisher.publish("app.web", record, instance="0")
    screen = terminal("tail", "-F").until(b"boom")
    assert b"\x1b[31mERROR\x1b[0m" in screen
    assert b"2026-01-01 09:00:00.000" in screen
    assert b"2026-01-01T00:00:00.000Z" in terminal("tail", "-F", "--utc").until(b"boom")
    assert b"\x1b[31m" not in terminal("tail", "-F", NO_COLOR="1").until(b"boom")


async def test_ctrl_c_on_the_keyboard_ends_it_in_order(publisher: Publisher, terminal: Callable[..., Terminal]) -> None:
    await publisher.publish("app.web", b"ready")
    screen = terminal("tail")
    screen.until(b"ready")
    screen.type(b"\x03")
    text = screen.until(b"a second)")
    assert b"1 line of 1 stream" in text and b"Traceback" not in text
    assert screen.process.wait(30) == 130


async def test_a_terminal_that_is_held_can_still_be_left(
    publisher: Publisher, terminal: Callable[..., Terminal]
) -> None:
    await publisher.publish("app.web", b"ready")
    screen = terminal("tail", "-o", "raw")
    screen.until(b"ready")
    screen.type(b"\x13")  # Ctrl-S
    for _ in range(50):
        await publisher.publish("app.web", *[b"x" * 100] * 100)
    screen.type(b"\x03")
    screen.until(b"a second)")
    assert screen.process.wait(30) == 130


async def test_what_is_typed_is_sent(publisher: Publisher, terminal: Callable[..., Terminal]) -> None:
    screen = terminal("send", "--key", "typed")
    screen.until(b"Ctrl-D ends")
    screen.type(b"hello\n\x04")
    screen.until(b"1 line stored in sys.typed")
    assert screen.process.wait(30) == 0


async def test_the_status_line_makes_room_for_lines_and_goes_away_at_the_end(
    publisher: Publisher, terminal: Callable[..., Terminal]
) -> None:
    await publisher.publish("app.web", b"ERROR one", b"INFO two")
    screen = terminal("tail", "--spark", "-o", "raw", NO_COLOR="1")
    screen.until_match(rb"two\r\n[\d.]+/s")  # a second may end in between
    await publisher.publish("app.web", b"ERROR three")
    screen.until(b"\r\x1b[2KERROR three\r\n")
    screen.until(b"error ")
    screen.type(b"\x03")
    shown = screen.until(b"a second)")
    assert b"3 lines of 1 stream shown, 3 matched, 0 dropped" in shown
    assert shown.rindex(b"\x1b[2K") > shown.rindex(b"error ")
    assert screen.process.wait(30) == 130


async def test_a_table_is_drawn_over_itself(publisher: Publisher, terminal: Callable[..., Terminal]) -> None:
    await publisher.publish("app.web", b'{"status":200}')
    screen = terminal("tail", "-n", "1", "-e", "| count by status", NO_COLOR="1")
    screen.until(b"1 record; Ctrl-C ends")
    await publisher.publish("app.web", b'{"status":200}')
    screen.until(b"2 records; Ctrl-C ends")
    screen.type(b"\x03")
    screen.until(b"a second)")
    assert screen.process.wait(30) == 130
