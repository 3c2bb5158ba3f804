"""The newest records over all streams, or all from a time on: exactly those, in order."""

from __future__ import annotations

import random

import pytest

from logyard.batch import Selection
from logyard.bus.read import Positions
from logyard.derive.time import times
from logyard.errors import WireError
from logyard.server import Server, keys
from logyard_cli.choice import StreamChoice
from logyard_cli.history import everything, last_records
from logyard_cli.merge import interleave, merge_times
from logyard_cli.picking import Picking
from logyard_cli.renderers import Part
from tests.servers.publishing import SECOND, START, Publisher


def part(selection: Selection) -> Part:
    observed = selection.batch.time_ns
    found = times(selection.lines, observed)
    return Part(selection, found, merge_times(found, observed))


def reading(*texts: str, since_ns: int | None = None, unreadable: list[WireError] | None = None) -> Picking:
    told: list[WireError] = [] if unreadable is None else unreadable
    return Picking(StreamChoice(texts).accepts, part, since_ns, told.append)


def stamped(second: int, text: str) -> bytes:
    """A record that says when it happened."""
    return f'{{"ts":{START // SECOND + second},"msg":"{text}"}}'.encode()


async def newest(server: Server, streams: list[str], number: int, how: Picking | None = None) -> list[bytes]:
    found, _ = await last_records(server, streams, number, how or reading(), Positions(lambda _: True))
    return interleave([(moments, [line for one in parts for line in one.selection.lines]) for moments, parts in found])


async def whole(server: Server, streams: list[str], how: Picking | None = None) -> list[bytes]:
    def render(parts: list[Part]) -> list[list[bytes]]:
        return [one.selection.lines for one in parts]

    return [
        line
        async for lines in everything(server, streams, how or reading(), Positions(lambda _: True), render)
        for line in lines
    ]


async def test_the_newest_over_all_streams_by_the_time_in_the_records(server: Server, publisher: Publisher) -> None:
    await publisher.publish(
        "app.a", *(stamped(second, f"a{second}") for second in range(0, 100, 2)), at=START + 200 * SECOND
    )
    await publisher.publish(
        "app.b", *(stamped(second, f"b{second}") for second in range(1, 100, 2)), at=START + 200 * SECOND
    )
    await publisher.publish("app.c", stamped(-50, "old"), at=START)
    got = await newest(server, ["app.a", "app.b", "app.c"], 5)
    assert got == [stamped(95, "b95"), stamped(96, "a96"), stamped(97, "b97"), stamped(98, "a98"), stamped(99, "b99")]


@pytest.mark.parametrize("number", [0, 1, 7, 50, 1000])
async def test_the_newest_are_the_tail_of_everything(server: Server, publisher: Publisher, number: int) -> None:
    choose = random.Random(number)
    clock = START
    streams = [f"app.s{index}" for index in range(5)]
    seconds: dict[bytes, int] = {}
    stream_of: dict[bytes, str] = {}
    for at in range(60):
        clock += choose.randrange(3) * SECOND
        records = [b"%d.%d" % (at, index) for index in range(choose.randrange(1, 5))]
        stream = choose.choice(streams)
        seconds.update(dict.fromkeys(records, clock))
        stream_of.update(dict.fromkeys(records, stream))
        await publisher.publish(stream, *records, at=clock)
    all_lines = await whole(server, streams)
    assert len(set(all_lines)) == len(all_lines)
    got = await newest(server, streams, number)
    # Batches of the same second may change places between streams, and nothing else.
    assert len(got) == len(set(got)) == min(number, len(all_lines))
    left_out = set(all_lines) - set(got)
    assert max((seconds[line] for line in left_out), default=0) <= min((seconds[line] for line in got), default=clock)
    for stream in streams:
        mine = [line for line in all_lines if stream_of[line] == stream]
        kept = [line for line in got if stream_of[line] == stream]
        assert kept == mine[len(mine) - len(kept) :]


async def test_no_more_is_unpacked_than_can_matter(
    server: Server, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        await publisher.publish(f"app.quiet{number:02d}", *[b"x"] * 20, at=START - number * SECOND)
    for number in range(30):
        await publisher.publish("app.busy", b"%d" % number, at=START + (number + 1) * SECOND)
    opened: list[str] = []
    how = reading()

    def counting(selection: Selection) -> Selection:
        opened.append(selection.batch.key)
        return selection

    how.select = counting
    streams = ["app.busy", *(f"app.quiet{number:02d}" for number in range(40))]
    assert await newest(server, streams, 10, how) == [b"%d" % number for number in range(20, 30)]
    assert len(set(opened)) <= 9


async def test_an_instance_is_found_behind_the_others(server: Server, publisher: Publisher) -> None:
    for number in range(3):
        await publisher.publish("app.web", b"three %d" % number, instance="3")
    for number in range(200):
        await publisher.publish("app.web", b"four %d" % number, instance="4")
    assert await newest(server, ["app.web"], 2, reading("web.3")) == [b"three 1", b"three 2"]
    assert await newest(server, ["app.web"], 10, reading("web.3")) == [b"three %d" % number for number in range(3)]
    assert await newest(server, ["app.web"], 10, reading("web.9")) == []


async def test_everything_is_merged_over_many_pages(server: Server, publisher: Publisher) -> None:
    for number in range(120):
        await publisher.publish(f"app.s{number % 3}", b"%03d" % number, at=START + number * SECOND)
    assert await whole(server, ["app.s0", "app.s1", "app.s2"]) == [b"%03d" % number for number in range(120)]


async def test_a_time_limit_counts_the_records_own_times(server: Server, publisher: Publisher) -> None:
    # Redis stores all of them now; their own times decide.
    now = START + 1000 * SECOND
    await publisher.publish(
        "app.a", stamped(1, "before"), stamped(500, "at"), b"  its trace", stamped(900, "after"), at=now
    )
    await publisher.publish("app.b", stamped(2, "long before"), at=now)
    how = reading(since_ns=START + 500 * SECOND)
    expected = [stamped(500, "at"), b"  its trace", stamped(900, "after")]
    assert await whole(server, ["app.a", "app.b"], how) == expected
    assert await newest(server, ["app.a", "app.b"], 10, how) == expected
    assert await newest(server, ["app.a", "app.b"], 1, how) == expected[-1:]


async def test_entries_that_cannot_be_read_are_told_and_skipped(server: Server, publisher: Publisher) -> None:
    stream = keys.stream_key("p00", "app.a")
    await publisher.publish("app.a", b"good")
    await server.call("p00", "XADD", stream, "*", "v", "9")
    damaged = [
        "v",
        "1",
        "node",
        "n",
        "source",
        "s",
        "time",
        "1",
        "count",
        "2",
        "origin",
        "x.0",
        "first",
        "0",
        "last",
        "4",
    ]
    await server.call("p00", "XADD", stream, "*", *damaged, "block", "one record instead of two")
    told: list[WireError] = []
    assert await newest(server, ["app.a"], 10, reading(unreadable=told)) == [b"good"]
    assert await whole(server, ["app.a"], reading(unreadable=told)) == [b"good"]
    assert any("update logyard" in str(error) for error in told)
    assert any("says 2 records and holds 1" in str(error) for error in told)


async def test_following_starts_behind_the_newest_entry(server: Server, publisher: Publisher) -> None:
    await publisher.publish("app.a", b"1")
    last = await publisher.publish("app.a", b"2")
    positions = Positions(lambda _: True)
    await last_records(server, ["app.a", "app.none"], 1, reading(), positions)
    assert positions.entries == {"app.a": last.entry, "app.none": "0-0"}
    assert positions.totals == {"app.a": 2}
