"""Standard input arrives in the stream, every line once, whatever happens to Redis in between."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logyard.batch import BLOCK_LIMIT, RECORD_LIMIT, Batch
from logyard.bus.read import read_on
from logyard.errors import ConnectionLost, ServerError
from logyard.server import Server, connect, keys
from logyard_cli.sending import Sender, SendTarget
from tests.cli.conftest import Run
from tests.servers.processes import eventually
from tests.servers.redis import RedisServer


async def stored(server: Server, key: str) -> list[Batch]:
    page = await read_on(server, key, count=100_000)
    assert not page.unreadable
    return page.batches


async def lines_of(server: Server, key: str) -> list[bytes]:
    return [line for batch in await stored(server, key) for line in batch.lines]


async def test_lines_arrive_as_they_are(server: Server, logyard: Run) -> None:
    done = logyard("send", "--app", "web", "--instance", "3", stdin=b"one\n\n  \xff \x1b[31m\r\nlast")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("logyard: 4 lines stored in app.web (")
    batches = await stored(server, "app.web")
    assert [line for batch in batches for line in batch.lines] == [b"one", b"", b"  \xff \x1b[31m\r", b"last"]
    assert (batches[-1].app, batches[-1].instance, batches[-1].source, batches[-1].partial) == (
        "web",
        "3",
        "stdin",
        True,
    )
    assert batches[-1].total == 4


async def test_the_stream_is_chosen_by_key(server: Server, logyard: Run) -> None:
    assert logyard("send", "--key", "backup", "--quiet", stdin=b"x\n").err == ""
    assert await lines_of(server, "sys.backup") == [b"x"]
    assert logyard("send", stdin=b"y\n").code == 0
    assert await lines_of(server, "sys.stdin") == [b"y"]


async def test_no_input_is_no_lines(server: Server, logyard: Run) -> None:
    done = logyard("send", stdin=b"")
    assert done.code == 0 and "0 lines stored" in done.err


@pytest.mark.parametrize("kind", ["file", "pipe"])
async def test_a_large_input_goes_in_full_batches(
    server: Server, start_logyard: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, kind: str
) -> None:
    data = b"".join(b"%0199d\n" % number for number in range(20_000))
    (tmp_path / "large").write_bytes(data)
    with (tmp_path / "large").open("rb") as file:
        process = start_logyard("send", "--key", "large", stdin=file if kind == "file" else subprocess.PIPE)
    await asyncio.to_thread(process.communicate, data if kind == "pipe" else None)
    assert process.returncode == 0
    batches = await stored(server, "sys.large")
    assert b"\n".join(batch.block for batch in batches) + b"\n" == data
    assert all(len(batch.block) <= BLOCK_LIMIT for batch in batches)
    spent_ns = batches[-1].time_ns - batches[0].time_ns
    assert len(batches) <= 17 + spent_ns / 5_000_000  # 16 if all were full; what has waited for 5 ms goes as it is


async def test_a_line_beyond_the_limit_is_cut_and_says_so(server: Server, logyard: Run) -> None:
    length = RECORD_LIMIT + 1234
    assert logyard("send", "--key", "sys.long", stdin=b"a\n" + b"x" * length + b"\nb\n").code == 0
    batches = await stored(server, "sys.long")
    assert [line[:1] for batch in batches for line in batch.lines] == [b"a", b"x", b"b"]
    (cut,) = [batch for batch in batches if batch.cut]
    assert (cut.cut, len(cut.block), cut.count) == (length, RECORD_LIMIT, 1)


async def test_a_line_that_is_typed_arrives_at_once(
    server: Server, start_logyard: Callable[..., subprocess.Popen[bytes]]
) -> None:
    process = start_logyard("send", "--key", "typed", stdin=subprocess.PIPE)
    assert process.stdin is not None and process.stderr is not None
    for number in range(3):
        process.stdin.write(b"line %d\n" % number)
        process.stdin.flush()
        await until_stored(server, "sys.typed", number + 1)
    process.stdin.close()
    assert process.wait(30) == 0


async def until_stored(server: Server, key: str, count: int) -> None:
    async def wait() -> None:
        while await server.call("p00", "HGET", keys.meta_key("p00", key), "records") != b"%d" % count:
            await asyncio.sleep(0.005)

    await asyncio.wait_for(wait(), 60)


async def test_ctrl_c_still_sends_what_was_read(
    server: Server, start_logyard: Callable[..., subprocess.Popen[bytes]]
) -> None:
    process = start_logyard("send", "--key", "stopped", stdin=subprocess.PIPE)
    assert process.stdin is not None and process.stderr is not None
    process.stdin.write(b"whole line\nhalf a li")
    process.stdin.flush()
    await until_stored(server, "sys.stopped", 1)
    process.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(process.wait, 30) == 130
    assert b"2 lines stored in sys.stopped" in process.stderr.read()
    assert await lines_of(server, "sys.stopped") == [b"whole line", b"half a li"]


class Input:
    """A pipe in place of standard input."""

    def __init__(self) -> None:
        reader, self._writer = os.pipe()
        self.file = os.fdopen(reader, "rb")
        self._open = True

    def write(self, data: bytes) -> None:
        os.write(self._writer, data)

    def close(self) -> None:
        if self._open:
            os.close(self._writer)
            self._open = False


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[Input]:
    pipe = Input()
    monkeypatch.setattr(sys, "stdin", pipe.file)
    yield pipe
    pipe.close()
    pipe.file.close()


TARGET = SendTarget("app.web", "node-1", "web")


async def test_a_restart_of_redis_loses_and_repeats_nothing(own_valkey: RedisServer, source: Input) -> None:
    own_valkey.call("CONFIG", "SET", "appendfsync", "always")
    notices: list[str] = []
    sender = Sender(lambda: connect(own_valkey.url), TARGET, 60, notices.append)
    task = asyncio.create_task(sender.run())
    source.write(b"before\n")
    await eventually(lambda: sender.stored == 1, "the first line")
    own_valkey.kill()
    source.write(b"during\n")
    await eventually(lambda: notices, "the notice of the loss")
    own_valkey.start()
    source.write(b"after\n")
    source.close()
    await asyncio.wait_for(task, 60)
    async with connect(own_valkey.url) as server:
        assert await lines_of(server, "app.web") == [b"before", b"during", b"after"]
    assert sender.stored == 3
    assert "nothing lost" in notices[-1]


async def test_a_batch_whose_answer_was_lost_is_not_stored_twice(
    server: Server, valkey: RedisServer, source: Input, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks behind the server's work and before its answer."""
    from logyard.bus.publish import Outbox

    publish = Outbox.publish
    broken = False

    def publish_and_break(self: Outbox, *args: object) -> object:
        nonlocal broken
        answer = publish(self, *args)  # type: ignore[arg-type]
        if not broken:
            broken = True
            answer.add_done_callback(lambda _: self._server.link("p00").close())
            lost: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            answer.add_done_callback(lambda done: lost.set_exception(ConnectionLost("the line broke")))
            return lost
        return answer

    monkeypatch.setattr(Outbox, "publish", publish_and_break)
    notices: list[str] = []
    sender = Sender(lambda: connect(valkey.url), TARGET, 60, notices.append)
    source.write(b"one\ntwo\n")
    source.close()
    await asyncio.wait_for(sender.run(), 60)
    assert await lines_of(server, "app.web") == [b"one", b"two"]
    assert sender.stored == 2 and broken


async def test_who_gives_up_says_what_is_stored(own_valkey: RedisServer, source: Input) -> None:
    sender = Sender(lambda: connect(own_valkey.url), TARGET, 0.3, lambda _: None)
    task = asyncio.create_task(sender.run())
    source.write(b"before\n")
    await eventually(lambda: sender.stored == 1, "the first line")
    own_valkey.kill()
    source.write(b"during\n")
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(task, 60)
    assert caught.group_contains(ServerError, match="gave up: 1 line stored, 1 line not stored")


async def test_a_server_that_forgot_confirmed_lines_is_told(
    server: Server, valkey: RedisServer, source: Input, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a failover: state and newest entries are gone together; what is no longer held cannot be sent again."""
    notices: list[str] = []
    sender = Sender(lambda: connect(valkey.url), TARGET, 60, notices.append)
    task = asyncio.create_task(sender.run())
    source.write(b"one\ntwo\n")
    await eventually(lambda: sender.stored == 2, "the first lines")
    valkey.flush()
    source.write(b"three\n")
    source.close()
    await asyncio.wait_for(task, 60)
    assert "Redis lost 2 lines that it had confirmed" in notices[0]
    assert await lines_of(server, "app.web") == [b"three"]


@pytest.mark.parametrize(
    "args", [("--key", "a", "--app", "b"), ("--instance", "1"), ("--key", "///"), ("--wait", "-1"), ("extra",)]
)
def test_contradictions_are_refused(logyard: Run, args: tuple[str, ...]) -> None:
    done = logyard("send", *args, stdin=b"x\n")
    assert done.code == 2
    assert done.err.startswith("logyard: ") and done.err.count("\n") == 1


def test_a_server_that_is_not_there_is_given_up_after_the_time(logyard: Run, tmp_path: object) -> None:
    done = logyard("send", "--wait", "0", stdin=b"x\n", url=f"unix://{tmp_path}/none.sock")
    assert done.code == 3
    assert "gave up: 0 lines stored" in done.err
    assert "Traceback" not in done.err


def test_without_a_running_logyard_it_says_so_at_once(logyard: Run) -> None:
    done = logyard("send", stdin=b"x\n", url=None)
    assert done.code == 3
    assert "no logyard is running in" in done.err and 'start one with "logyard up"' in done.err
