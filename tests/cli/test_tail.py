"""History and live joined: no line missing, none twice, whatever happens to Redis, the streams or the reader."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from logyard.batch import Batch
from logyard.bus.filters import save_filter
from logyard.bus.read import Positions
from logyard.errors import ConnectionLost, UsageError
from logyard.filters import FilterError
from logyard.server import Server, connect, keys
from logyard_cli.highlight import MARK
from logyard_cli.output import Output
from logyard_cli.tail import TailOptions, TailSummary, run_tail
from tests.servers.processes import eventually
from tests.servers.publishing import SECOND, START, Publisher
from tests.servers.redis import RedisServer


class Tail:
    """A tail that runs in this process, and what it has shown and said."""

    def __init__(self, url: str, *streams: str, **options: Any) -> None:
        self.url = url
        self.options = TailOptions(streams=streams, **{"output": "raw", **options})
        self.shown = io.BytesIO()
        self.notices: list[str] = []
        self.stop = asyncio.Event()
        self._task: asyncio.Task[TailSummary] | None = None

    @property
    def lines(self) -> list[bytes]:
        return self.shown.getvalue().splitlines()

    async def run(self) -> TailSummary:
        return await run_tail(
            lambda: connect(self.url), self.options, self.stop,
            output=Output(None, self.shown), notice=self.notices.append,
        )  # fmt: skip

    async def __aenter__(self) -> Tail:
        self._task = asyncio.create_task(self.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        assert self._task is not None
        await asyncio.wait_for(self._task, 30)

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        assert self._task is not None
        task = self._task

        def met() -> Any:
            if task.done():
                task.result()
                raise AssertionError(f"tail has ended; it showed {self.lines} and said {self.notices}")
            return condition()

        await eventually(met, what)

    async def until_shown(self, *lines: bytes) -> None:
        await self.until(lambda: set(lines) <= set(self.lines), f"{lines}")


@pytest.fixture
def tail(valkey: RedisServer) -> Callable[..., Tail]:
    return lambda *streams, **options: Tail(valkey.url, *streams, **options)


MakeTail = Callable[..., Tail]


async def test_the_last_lines_of_all_streams_then_what_comes(publisher: Publisher, tail: MakeTail) -> None:
    for number in range(20):
        await publisher.publish(f"app.s{number % 2}", b"%02d" % number, at=START + number * SECOND)
    async with tail(last=3) as running:
        await running.until_shown(b"19")
        await publisher.publish("app.s0", b"20", at=START + 20 * SECOND)
        await publisher.publish("app.new", b"21", at=START + 21 * SECOND)
        await running.until_shown(b"20", b"21")
    assert running.lines == [b"17", b"18", b"19", b"20", b"21"]


async def test_nothing_is_missing_or_twice_where_history_meets_live(publisher: Publisher, tail: MakeTail) -> None:
    written = 0

    async def write() -> None:
        nonlocal written
        while True:
            await publisher.publish(f"app.s{written % 3}", b"%06d" % written, at=START + written)
            written += 1

    writing = asyncio.create_task(write())
    await eventually(lambda: written > 50, "a beginning")
    async with tail(last=None) as running:
        await running.until(lambda: len(running.lines) > 300, "lines of both kinds")
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await running.until(lambda: len(running.lines) >= written, "the rest")
    lines = running.lines
    assert sorted(set(lines)) == sorted(lines)
    for stream in range(3):
        mine = [int(line) for line in lines if int(line) % 3 == stream]
        assert mine == list(range(stream, len(lines), 3))


async def test_without_following_it_ends_by_itself(publisher: Publisher, tail: MakeTail) -> None:
    await publisher.publish("app.web", b"1", b"2", b"3")
    running = tail(last=2, follow=False)
    summary = await asyncio.wait_for(running.run(), 30)
    assert running.lines == [b"2", b"3"]
    assert (summary.code, summary.lines, summary.streams) == (0, 2, {"app.web"})
    assert "2 lines of 1 stream shown, 2 matched, 0 dropped, in " in summary.text()


async def test_only_the_selected_instances_are_shown_in_history_and_live(publisher: Publisher, tail: MakeTail) -> None:
    for instance in ("3", "4"):
        await publisher.publish("app.web", b"old %s" % instance.encode(), instance=instance)
    async with tail("web.3") as running:
        await running.until_shown(b"old 3")
        for instance in ("4", "3"):
            await publisher.publish("app.web", b"new %s" % instance.encode(), instance=instance)
        await running.until_shown(b"new 3")
    assert running.lines == [b"old 3", b"new 3"]


async def test_an_unknown_name_ends_it_with_a_hint(publisher: Publisher, tail: MakeTail) -> None:
    await publisher.publish("app.web", b"x")
    for options in ({"follow": True}, {"follow": False}):
        running = tail("wbe", **options)
        assert (await running.run()).code == 1
        assert running.notices == ["no stream matches 'wbe'; did you mean web?"]
    both = tail("wbe", "web", follow=False)
    assert (await both.run()).code == 1
    assert both.lines == []


async def test_an_unknown_name_among_known_ones_is_waited_for(publisher: Publisher, tail: MakeTail) -> None:
    await publisher.publish("app.web", b"x")
    async with tail("web", "later") as running:
        await running.until_shown(b"x")
        assert "'later'" in running.notices[0] and "waiting" in running.notices[0]
        await publisher.publish("app.later", b"here")
        await running.until_shown(b"here")


async def test_a_deployment_without_streams_is_waited_for(
    valkey: RedisServer, publisher: Publisher, tail: MakeTail
) -> None:
    async with tail() as running:
        await running.until(lambda: running.notices, "the notice")
        await publisher.publish("app.web", b"first ever")
        await running.until_shown(b"first ever")
    assert "waiting" in running.notices[0]


async def test_an_argument_that_is_no_stream_is_refused(tail: MakeTail) -> None:
    with pytest.raises(UsageError, match="is not a stream"):
        await tail("a b").run()


async def test_a_server_that_is_not_there_is_told_at_once(tmp_path: object) -> None:
    with pytest.raises(ConnectionLost):
        await Tail(f"unix://{tmp_path}/none.sock").run()


async def test_a_restart_of_redis_loses_and_repeats_nothing(own_valkey: RedisServer) -> None:
    own_valkey.call("CONFIG", "SET", "appendfsync", "always")
    async with Tail(own_valkey.url) as running:
        async with connect(own_valkey.url) as server:
            publisher = Publisher(server)
            await publisher.publish("app.web", b"before")
            await running.until_shown(b"before")
        own_valkey.kill()
        await running.until(lambda: any("trying again" in told for told in running.notices), "the notice of the loss")
        own_valkey.start()
        async with connect(own_valkey.url) as server:
            publisher._server = server
            await publisher.publish("app.web", b"after")
            await running.until_shown(b"after")
    assert running.lines == [b"before", b"after"]
    assert "trying again" in running.notices[-2]
    assert running.notices[-1].startswith("reconnected after")
    assert running.notices[-1].endswith("nothing lost")


async def test_records_that_were_removed_during_an_outage_are_counted(own_valkey: RedisServer) -> None:
    own_valkey.call("CONFIG", "SET", "appendfsync", "always")
    reachable = asyncio.Event()
    reachable.set()

    @asynccontextmanager
    async def through_a_network() -> AsyncIterator[Server]:
        if not reachable.is_set():
            raise ConnectionLost("the network is away")
        async with connect(own_valkey.url) as server:
            yield server

    running = Tail(own_valkey.url)

    async def run() -> TailSummary:
        return await run_tail(
            through_a_network, running.options, running.stop,
            output=Output(None, running.shown), notice=running.notices.append,
        )  # fmt: skip

    running.run = run  # type: ignore[method-assign]
    async with running:
        async with connect(own_valkey.url) as server:
            publisher = Publisher(server)
            await publisher.publish("app.web", b"before")
            await running.until_shown(b"before")
            reachable.clear()
            own_valkey.kill()
        await running.until(lambda: any("trying again" in told for told in running.notices), "the notice of the loss")
        own_valkey.start()
        async with connect(own_valkey.url) as server:
            publisher._server = server
            await publisher.publish("app.web", b"gone 1", b"gone 2")
            await publisher.publish("app.web", b"after")
            await server.call("p00", "XTRIM", keys.stream_key("p00", "app.web"), "MAXLEN", 1)
            reachable.set()
            await running.until_shown(b"after")
    assert running.lines == [b"before", b"after"]
    assert "2 records were removed meanwhile" in running.notices[-1]


async def test_records_that_redis_lost_and_an_agent_sent_again_are_shown_once(
    server: Server, publisher: Publisher, tail: MakeTail
) -> None:
    await publisher.publish("app.web", b"one")
    async with tail() as running:
        await running.until_shown(b"one")
        # As after a failover to a replica that had not got the newest entry: entry and state are gone together.
        await server.call("p00", "DEL", keys.source_key("p00", "app.web/None"))
        again = Publisher(server)
        await again.publish("app.web", b"one", b"two")
        await running.until_shown(b"two")
    assert running.lines == [b"one", b"two"]


async def test_all_partitions_are_shown_in_order_of_time(valkey: RedisServer) -> None:
    async with connect(valkey.url, partitions=4) as server:
        publisher = Publisher(server)
        for number in range(24):
            await publisher.publish(f"app.a{number % 8}", b"%02d" % number, at=START + number * SECOND)
        async with Tail(valkey.url, last=20) as running:
            await running.until_shown(b"23")
            await publisher.publish("app.a1", b"24", at=START + 24 * SECOND)
            await publisher.publish("app.other", b"25", at=START + 25 * SECOND)
            await running.until_shown(b"24", b"25")
    assert running.lines[:20] == [b"%02d" % number for number in range(4, 24)]


async def test_a_reader_that_stops_reading_stops_us_from_reading(
    valkey: RedisServer, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = 0
    advance = Positions.advance

    def counting(self: Positions, batch: Batch) -> object:
        nonlocal batches
        batches += 1
        return advance(self, batch)

    monkeypatch.setattr(Positions, "advance", counting)
    reader, writer = os.pipe()
    stop, notices = asyncio.Event(), list[str]()
    options = TailOptions(last=0, output="raw")
    with os.fdopen(reader, "rb") as pipe, os.fdopen(writer, "wb") as end:
        output = Output(end.fileno())
        task = asyncio.create_task(
            run_tail(lambda: connect(valkey.url), options, stop, output=output, notice=notices.append)
        )
        await eventually(lambda: notices, "it to look")
        await publisher.publish("app.web", b"beginning")
        await eventually(lambda: batches, "the first batch")
        for _ in range(400):  # 24 MB; a pipe takes 64 KiB
            await publisher.publish("app.web", *[os.urandom(30).hex().encode()] * 1000)
        assert batches < 200
        shown, newest = 0, b""
        await publisher.publish("app.web", b"end")
        while not newest.endswith(b"\nend\n"):  # which may come in two pieces
            chunk = await asyncio.to_thread(os.read, pipe.fileno(), 65536)
            shown += chunk.count(b"\n")
            newest = (newest + chunk)[-5:]
        stop.set()
        await asyncio.wait_for(task, 30)
    assert shown == 400_002
    assert notices == ["no streams yet; waiting for the first records"]


async def test_entries_of_a_later_version_are_told_once_and_skipped(
    server: Server, publisher: Publisher, tail: MakeTail
) -> None:
    stream = keys.stream_key("p00", "app.web")
    await publisher.publish("app.web", b"a")
    async with tail() as running:
        await running.until_shown(b"a")
        for _ in range(3):
            await server.call("p00", "XADD", stream, "*", "v", "9")
        await publisher.publish("app.web", b"b")
        await running.until_shown(b"b")
    assert len([notice for notice in running.notices if "update logyard" in notice]) == 1


async def test_json_and_pretty_show_the_same_records(publisher: Publisher, tail: MakeTail) -> None:
    await publisher.publish("app.web", b'{"level":"error","msg":"boom","n":1}', instance="2")
    json, pretty = tail(follow=False, output="json"), tail(follow=False, output="pretty", color="always")
    await json.run()
    await pretty.run()
    envelope = orjson.loads(json.lines[0])
    assert (envelope["key"], envelope["instance"], envelope["level"]) == ("app.web", 2, "error")
    assert b"\x1b[31mERROR\x1b[0m  boom  \x1b[2mn=1\x1b[0m" in pretty.lines[0]


async def test_included_and_excluded_lines_in_history_and_live(publisher: Publisher, tail: MakeTail) -> None:
    await publisher.publish("app.web", b"GET /a", b"POST /b", b"GET /health", b"PUT /c")
    async with tail(include=("^GET", "^PUT"), exclude=("health",), last=2) as running:
        await running.until_shown(b"PUT /c")
        await publisher.publish("app.web", b"DELETE /d", b"GET /health")
        await publisher.publish("app.web", b"GET /e")
        await running.until_shown(b"GET /e")
    assert running.lines == [b"GET /a", b"PUT /c", b"GET /e"]


async def test_excluded_streams_and_instances_are_not_shown(publisher: Publisher, tail: MakeTail) -> None:
    for key, instance in (("app.web", "0"), ("app.web", "1"), ("sys.nginx", None), ("app.api", None)):
        await publisher.publish(key, f"{key} {instance}".encode(), instance=instance)
    running = tail(excluded=("web.1", "sys.*"), follow=False)
    await running.run()
    assert sorted(running.lines) == [b"app.api None", b"app.web 0"]


async def test_only_records_before_the_end_are_shown(publisher: Publisher, tail: MakeTail) -> None:
    for number in range(10):
        await publisher.publish("app.web", b"%d" % number, at=START + number * SECOND)
    limits = {"since_ns": START + 2 * SECOND, "until_ns": START + 7 * SECOND, "follow": False}
    whole, newest = tail(last=None, **limits), tail(last=3, **limits)
    await whole.run()
    await newest.run()
    assert whole.lines == [b"2", b"3", b"4", b"5", b"6"]
    assert newest.lines == [b"4", b"5", b"6"]


async def test_the_last_that_match_are_searched_for_as_far_back_as_it_takes(
    publisher: Publisher, tail: MakeTail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logyard_cli.tail._SAY_SEARCHING_AFTER", 3600.0)
    for number in range(3):
        await publisher.publish("app.web", b"needle %d" % number, *[b"hay"] * 50, at=START + number * SECOND)
    for number in range(300):
        await publisher.publish("app.web", *[b"hay"] * 5, at=START + (10 + number) * SECOND)
    two = tail(include=("needle",), last=2, follow=False)
    await two.run()
    assert (two.lines, two.notices) == ([b"needle 1", b"needle 2"], [])
    ten = tail(include=("needle",), last=10, follow=False)
    await ten.run()
    assert ten.lines == [b"needle 0", b"needle 1", b"needle 2"]
    assert ten.notices == ["found 3 of the last 10: searched all 1,653 records that are kept"]


async def test_a_search_that_takes_too_long_says_how_far_it_came(
    publisher: Publisher, tail: MakeTail, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publisher.publish("app.web", b"needle")
    for _ in range(20):
        await publisher.publish("app.web", *[b"hay"] * 1000)
    monkeypatch.setattr("logyard_cli.tail.SEARCH_FOR", -1.0)
    async with tail(include=("needle",)) as running:
        await running.until(lambda: running.notices, "the notice")
        await publisher.publish("app.web", b"another needle")
        await running.until_shown(b"another needle")
    assert running.lines == [b"another needle"]
    assert "found 0 of the last 10: gave up after 1,000 records, back to 20" in running.notices[0]
    patient = tail(include=("needle",), follow=False)  # there is nothing else to do
    await patient.run()
    assert patient.lines == [b"needle", b"another needle"]


async def test_context_is_shown_across_batches_and_where_history_meets_live(
    publisher: Publisher, tail: MakeTail
) -> None:
    for number in range(12):
        text = b"hit" if number in {3, 4, 10} else b"r%d" % number
        await publisher.publish("app.web", text, at=START + number * SECOND)
    async with tail(include=("hit",), last=1, before=2, after=3) as running:
        await running.until_shown(b"r11")
        for text in (b"r12", b"r13", b"r14", b"r15", b"r16", b"hit again"):
            await publisher.publish("app.web", text)
        await running.until_shown(b"hit again")
    # The hits before the last one are its context at best, here they are not even that.
    shown = [b"r8", b"r9", b"hit", b"r11", b"r12", b"r13", b"--", b"r15", b"r16", b"hit again"]
    assert running.lines == shown


async def test_context_of_all_that_is_kept_comes_from_the_same_source_in_groups(
    publisher: Publisher, tail: MakeTail
) -> None:
    for number in range(8):
        for instance in ("0", "1"):
            text = f"{instance}.{number}" + (" hit" if (number, instance) in {(2, "0"), (3, "0"), (6, "1")} else "")
            await publisher.publish("app.web", text.encode(), instance=instance, at=START + number * SECOND)
    running = tail(include=("hit",), last=None, before=1, after=1, follow=False)
    summary = await running.run()
    assert running.lines == [b"0.1", b"0.2 hit", b"0.3 hit", b"0.4", b"--", b"1.5", b"1.6 hit", b"1.7"]
    assert (summary.lines, summary.matched) == (7, 3)


async def test_what_is_wrong_in_an_expression_is_told_before_anything_is_shown(tail: MakeTail) -> None:
    for option in ("include", "exclude", "highlight"):
        with pytest.raises(UsageError, match=f"--{option} is not a regular expression"):
            await tail(**{option: ("a(b",)}).run()


async def test_a_filter_selects_in_history_and_live_and_streams_it_excludes_are_not_read(
    publisher: Publisher, tail: MakeTail
) -> None:
    await publisher.publish("app.web", b'{"level":"error","msg":"old"}', b'{"level":"info","msg":"no"}')
    await publisher.publish("sys.cron", b"ERROR other")
    async with tail(filters=("app:web", "level:>=warn")) as running:
        await running.until(lambda: len(running.lines) == 1, "the old one")
        await publisher.publish("app.web", b'{"level":"info","msg":"no"}')
        await publisher.publish("app.web", b"ERROR new")
        await running.until_shown(b"ERROR new")
        assert running.lines == [b'{"level":"error","msg":"old"}', b"ERROR new"]


async def test_what_a_filter_looks_for_is_marked(publisher: Publisher, tail: MakeTail) -> None:
    await publisher.publish("app.web", b"connection Refused by peer")
    running = tail(filters=("refused -nothing",), output="pretty", color="always", follow=False)
    await running.run()
    assert MARK.encode() + b"Refused" in running.shown.getvalue()


async def test_saved_filters_are_filled_in(server: Server, publisher: Publisher, tail: MakeTail) -> None:
    await save_filter(server, "bad", "level:>=error")
    await publisher.publish("app.web", b"ERROR one", b"INFO two")
    running = tail(filters=("@bad",), follow=False)
    await running.run()
    assert running.lines == [b"ERROR one"]
    with pytest.raises(UsageError, match="bad"):
        await tail(filters=("@bed",), follow=False).run()


async def test_a_wrong_filter_is_told_before_the_server_is_asked(tmp_path: object) -> None:
    with pytest.raises(FilterError, match="expected OR"):
        await Tail(f"unix://{tmp_path}/none.sock", filters=("levl:(warn error",)).run()


async def test_pipes_give_context_fields_and_a_table(publisher: Publisher, tail: MakeTail) -> None:
    for number in range(6):
        status = 500 if number == 3 else 200
        record = b'{"n":%d,"status":%d}' % (number, status)
        await publisher.publish("app.web", record, at=START + number * SECOND)
    context = tail(filters=("status:500 | context 1",), follow=False)
    await context.run()
    assert [orjson.loads(line)["n"] for line in context.lines] == [2, 3, 4]
    fields = tail(filters=("| fields n,status",), output="csv", follow=False)
    await fields.run()
    assert fields.lines == [b"n,status", *(b"%d,%d" % (n, 500 if n == 3 else 200) for n in range(6))]
    table = tail(filters=("| count by status",), output="json", follow=False, last=None, last_given=True)
    await table.run()
    counts = {row["status"]: row["count"] for row in map(orjson.loads, table.lines)}
    assert counts == {200: 5, 500: 1}


async def test_a_live_table_counts_what_comes_and_begins_with_nothing(
    publisher: Publisher, tail: MakeTail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logyard_cli.livetable.SNAPSHOT_EVERY", 0.0)
    await publisher.publish("app.web", b'{"status":200}')
    async with tail("web", filters=("| count by status",), output="json") as running:

        async def write() -> None:
            while True:
                await publisher.publish("app.web", b'{"status":503}')

        writing = asyncio.create_task(write())
        await running.until(lambda: running.lines, "a row")
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert orjson.loads(running.lines[0])["status"] == 503


async def test_a_filter_that_no_stream_can_pass_is_told_with_near_names(publisher: Publisher, tail: MakeTail) -> None:
    await publisher.publish("app.web", b"x")
    ended = tail(filters=("app:wbe",), follow=False)
    assert (await ended.run()).code == 1
    assert ended.notices == ["there is no application 'wbe'; did you mean web?"]
    async with tail(filters=("app:wbe",)) as running:
        await running.until(lambda: running.notices, "the notice")
        await publisher.publish("app.wbe", b"here")
        await running.until_shown(b"here")
    assert running.notices == ["there is no application 'wbe'; did you mean web?; waiting for it"]
    alone = tail(excluded=("web", "wbe"), follow=False)
    assert (await alone.run()).code == 1
    assert alone.notices == ["--exclude-stream leaves no stream"]
