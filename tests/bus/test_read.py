"""Reading for people: pages in both directions, following without a gap or a repetition, what vanished is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from logyard.batch import Batch, encode
from logyard.bus.read import Page, Positions, backlog, catch_up, follow, read_back, read_on, skip_ahead
from logyard.errors import ConnectionLost
from logyard.server import Server, connect, keys
from tests.servers.processes import eventually
from tests.servers.publishing import START, Publisher, make_batch
from tests.servers.redis import RedisServer


@pytest.fixture
def publisher(server: Server) -> Publisher:
    return Publisher(server)


def texts(page: Page) -> list[bytes]:
    return [line for batch in page.batches for line in batch.lines]


async def test_pages_are_read_backwards_to_the_first_entry(server: Server, publisher: Publisher) -> None:
    for number in range(5):
        await publisher.publish("app.web", b"%d" % number)
    page = await read_back(server, "app.web", count=2)
    assert (texts(page), page.ended) == ([b"4", b"3"], False)
    page = await read_back(server, "app.web", before=page.edge, count=10)
    assert (texts(page), page.ended) == ([b"2", b"1", b"0"], True)
    assert await read_back(server, "app.none") == Page(ended=True)


async def test_pages_are_read_forwards_up_to_an_entry(server: Server, publisher: Publisher) -> None:
    entries = [(await publisher.publish("app.web", b"%d" % number)).entry for number in range(5)]
    page = await read_on(server, "app.web", until=entries[3], count=2)
    assert (texts(page), page.ended) == ([b"0", b"1"], False)
    page = await read_on(server, "app.web", after=page.edge, until=entries[3], count=3)
    assert (texts(page), page.ended) == ([b"2", b"3"], True)


async def test_an_entry_of_a_later_version_is_skipped_and_told(server: Server, publisher: Publisher) -> None:
    await publisher.publish("app.web", b"good")
    await server.call("p00", "XADD", keys.stream_key("p00", "app.web"), "*", "v", "9")
    page = await read_back(server, "app.web", count=2)
    assert texts(page) == [b"good"]
    assert "update logyard" in str(page.unreadable[0])


class Follower:
    """Follows in a task and keeps what it got."""

    def __init__(self, positions: Positions) -> None:
        self.positions = positions
        self.got: list[bytes] = []
        self.missing = 0
        self.rounds = 0

    async def deliver(self, pages: Mapping[str, Page]) -> None:
        self.rounds += 1
        for page in pages.values():
            for batch in page.batches:
                selection, missing = self.positions.advance(batch)
                self.missing += missing
                self.got += selection.lines if selection else []

    async def until(self, server: Server, condition: Callable[[], bool]) -> None:
        task = asyncio.create_task(follow(server, self.positions, self.deliver))
        try:
            await eventually(condition, "records")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def everything(key: str) -> bool:
    del key
    return True


async def test_following_goes_on_behind_a_position_and_takes_in_streams_that_appear(
    server: Server, publisher: Publisher
) -> None:
    await publisher.publish("app.web", b"old")
    positions = Positions(lambda key: key.startswith("app."))
    page = await read_back(server, "app.web")
    positions.start("app.web", page.batches[0], page.edge)
    follower = Follower(positions)
    task = asyncio.create_task(follow(server, positions, follower.deliver))
    await publisher.publish("app.web", b"new")
    await eventually(lambda: follower.got == [b"new"], "what came")
    await publisher.publish("sys.other", b"unwanted")
    await publisher.publish("app.fresh", b"first of a new stream")
    await eventually(lambda: len(follower.got) == 2, "the stream that appeared")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert follower.got == [b"new", b"first of a new stream"]


async def test_a_position_survives_leaving_and_coming_back(server: Server, publisher: Publisher) -> None:
    follower = Follower(Positions(everything))
    expected = []
    for turn in range(3):
        for number in range(20):
            expected.append(b"%d-%d" % (turn, number))
            await publisher.publish("app.web", expected[-1])
        await follower.until(server, lambda: len(follower.got) >= len(expected))
    assert follower.got == expected
    assert follower.missing == 0


async def test_who_does_not_take_a_round_gets_no_further_one(server: Server, publisher: Publisher) -> None:
    release = asyncio.Event()
    rounds: list[int] = []

    async def deliver(pages: Mapping[str, Page]) -> None:
        rounds.append(sum(len(page.batches) for page in pages.values()))
        for page in pages.values():
            for batch in page.batches:
                positions.advance(batch)
        await release.wait()

    positions = Positions(everything)
    for _ in range(40):
        await publisher.publish("app.web", b"x")
    task = asyncio.create_task(follow(server, positions, deliver))
    await eventually(lambda: rounds, "the first round")
    for _ in range(5):  # many times what the next round would take
        await publisher.publish("app.web", b"y")
    assert len(rounds) == 1 and rounds[0] < 40
    release.set()
    await eventually(lambda: sum(rounds) == 45, "the rest")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_all_partitions_are_followed(valkey: RedisServer) -> None:
    async with connect(valkey.url, partitions=4) as server:
        publisher = Publisher(server)
        names = [f"app.a{number}" for number in range(12)]
        assert len({keys.tag_of(name, 4) for name in names}) == 4
        for name in names:
            await publisher.publish(name, name.encode())
        follower = Follower(Positions(everything))
        await follower.until(server, lambda: len(follower.got) == 12)
        assert sorted(follower.got) == sorted(name.encode() for name in names)


async def test_a_server_that_goes_away_is_reported_as_lost(own_valkey: RedisServer) -> None:
    async with connect(own_valkey.url) as server:
        await Publisher(server).publish("app.web", b"x")
        follower = Follower(Positions(everything))
        task = asyncio.create_task(follow(server, follower.positions, follower.deliver))
        await eventually(lambda: follower.got, "a record")
        own_valkey.kill()
        with pytest.raises(ConnectionLost):
            await task


async def test_what_was_trimmed_behind_a_position_is_counted_once(server: Server, publisher: Publisher) -> None:
    for number in range(3):
        await publisher.publish("app.web", b"a%d" % number, b"b%d" % number)
    positions = Positions(everything)
    page = await read_on(server, "app.web", count=1)
    positions.start("app.web", page.batches[0], page.edge)
    assert await catch_up(server, positions) == 0
    await server.call("p00", "XTRIM", keys.stream_key("p00", "app.web"), "MAXLEN", 1)
    assert await catch_up(server, positions) == 2
    assert await catch_up(server, positions) == 0
    follower = Follower(positions)
    await follower.until(server, lambda: len(follower.got) == 2)
    assert follower.got == [b"a2", b"b2"]
    assert follower.missing == 0


async def test_everything_trimmed_counts_as_well(server: Server, publisher: Publisher) -> None:
    positions = Positions(everything)
    await publisher.publish("app.web", b"1")
    page = await read_back(server, "app.web")
    positions.start("app.web", page.batches[0], page.edge)
    await publisher.publish("app.web", b"2", b"3")
    await server.call("p00", "XTRIM", keys.stream_key("p00", "app.web"), "MAXLEN", 0)
    assert await catch_up(server, positions) == 2


async def test_a_server_that_gives_out_ids_again_hides_nothing(server: Server, publisher: Publisher) -> None:
    """After a failover to a replica without the newest entries, whose clock is behind."""
    stream, meta = keys.stream_key("p00", "app.web"), keys.meta_key("p00", "app.web")
    first = await publisher.publish("app.web", b"kept")
    await publisher.publish("app.web", b"lost")
    follower = Follower(Positions(everything))
    await follower.until(server, lambda: len(follower.got) == 2)
    kept = await server.call("p00", "XRANGE", stream, first.entry, first.entry)
    lost = await server.call("p00", "XREVRANGE", stream, "+", "-", "COUNT", 1)
    milliseconds = int(first.entry.partition("-")[0])
    for records, expected in ((1, 2), (3, 3)):
        await server.call("p00", "DEL", stream)
        await server.call("p00", "XADD", stream, first.entry, *kept[0][1])
        await server.call("p00", "HSET", meta, "records", records)
        if records == 3:  # stored again, and one that is new
            await server.call("p00", "XADD", stream, f"{milliseconds}-7", *lost[0][1])
            batch = make_batch("app.web", [b"new"], first=5 + 5, origin="app.web/None.0", time_ns=START)
            await server.call("p00", "XADD", stream, f"{milliseconds}-8", "total", 3, *encode(batch))
        follower.positions.entries["app.web"] = f"{milliseconds + 60_000}-0"
        assert await catch_up(server, follower.positions) == 0
        assert follower.positions.entries["app.web"] == first.entry
        if records == 3:
            await follower.until(server, lambda: len(follower.got) >= 3)
        assert len(follower.got) == expected
    assert follower.got == [b"kept", b"lost", b"new"]


def advance(positions: Positions, batch: Batch) -> tuple[list[bytes], int]:
    selection, missing = positions.advance(batch)
    return (selection.lines if selection else []), missing


def test_a_jump_in_the_totals_is_what_vanished() -> None:
    positions = Positions(everything)
    assert advance(positions, make_batch("k", [b"a"], total=7, entry="1-0")) == ([b"a"], 0)
    assert advance(positions, make_batch("k", [b"b", b"c"], first=2, total=12, entry="2-0")) == ([b"b", b"c"], 3)
    assert positions.entries == {"k": "2-0"}


def test_records_that_were_stored_again_are_not_given_again() -> None:
    positions = Positions(everything)
    advance(positions, make_batch("k", [b"aa", b"bb"], total=2, entry="5-0"))
    assert advance(positions, make_batch("k", [b"aa", b"bb"], total=2, entry="6-0")) == ([], 0)
    assert advance(positions, make_batch("k", [b"aa", b"bb", b"cc"], total=3, entry="7-0")) == ([b"cc"], 0)
    assert advance(positions, make_batch("k", [b"aa"], total=4, entry="8-0", origin="other.0")) == ([b"aa"], 0)
    assert advance(positions, make_batch("k2", [b"aa"], total=1, entry="8-0")) == ([b"aa"], 0)


async def test_skipping_ahead_leaves_out_a_counted_number_and_goes_on_with_the_newest(
    server: Server, publisher: Publisher
) -> None:
    positions = Positions(everything)
    first = await publisher.publish("app.web", b"1", b"2")
    quiet = await publisher.publish("app.quiet", b"q")
    for key, entry in (("app.web", first.entry), ("app.quiet", quiet.entry)):
        page = await read_on(server, key, until=entry)
        positions.start(key, page.batches[0])
    between = [await publisher.publish("app.web", b"%d" % number, b"x", b"y") for number in range(3, 7)]
    newest = await publisher.publish("app.web", b"newest")
    assert await backlog(server, positions) == 13
    assert await skip_ahead(server, positions) == 12
    assert positions.entries == {"app.web": between[-1].entry, "app.quiet": quiet.entry}
    assert await backlog(server, positions) == 1
    # What had been asked for before the jump, and is answered after it, is no news.
    page = await read_on(server, "app.web", after=first.entry, count=2)
    assert [advance(positions, batch) for batch in page.batches] == [([], 0)] * 2
    positions.skip("app.web", page.edge)
    page = await read_on(server, "app.web", after=positions.entries["app.web"], count=9)
    assert [advance(positions, batch) for batch in page.batches] == [([b"newest"], 0)]
    assert positions.entries["app.web"] == newest.entry
    assert await skip_ahead(server, positions) == 0
