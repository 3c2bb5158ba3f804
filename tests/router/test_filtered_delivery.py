"""A drain with a filter: what passes arrives, what does not is counted, and both are acknowledged in order."""

from __future__ import annotations

import asyncio

import pytest

from logyard.batch import Batch
from logyard.bus.drains import DrainStatus, drain_status
from logyard.bus.replays import OVER, ReplayRequest, ask_for_replay, replay_progress
from logyard.drain import Limits
from logyard.server import Server, keys
from tests.router.conftest import Destination, Router, Writer, add, state_is

LINES = [b"%s line %d" % (b"WARN" if number % 4 == 0 else b"INFO", number) for number in range(100)]
WARNINGS = LINES[::4]


async def done(server: Server, records: int) -> DrainStatus:
    """The status once so many records are behind the drain."""
    async with asyncio.timeout(20):
        while True:
            (status,) = await drain_status(server, ["a"])
            if status.delivered + status.filtered + status.dead == records:
                return status
            await asyncio.sleep(0.005)


async def test_what_passes_arrives_and_the_rest_is_counted(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await add(server, "a", filter="level:>=warn")
    await writer.write("app.web", LINES)
    router.start()
    status = await done(server, 100)
    assert destinations["a"].arrived == WARNINGS
    assert (status.delivered, status.filtered, status.dead, status.lag_records) == (25, 75, 0, 0)
    pending = await server.call("p00", "XPENDING", keys.stream_key("p00", "app.web"), keys.group_name("a"))
    assert pending[0] == 0


@pytest.mark.parametrize("in_flight", [1, 3])
async def test_nothing_that_passes_is_acknowledged_all_the_same(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination], in_flight: int
) -> None:
    destinations["a"] = Destination(limits=Limits(in_flight=in_flight))
    await add(server, "a", filter="nosuchword")
    router.start()
    await writer.write("app.web", LINES)
    status = await done(server, 100)
    assert (destinations["a"].sends, status.filtered, status.lag_records) == (0, 100, 0)


async def test_many_batches_of_which_little_passes_make_one_send(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination(limits=Limits(max_records=20))
    await add(server, "a", filter="WARN")
    await writer.write("app.web", LINES, per_batch=4)
    router.start()
    await done(server, 100)
    assert destinations["a"].arrived == WARNINGS
    assert destinations["a"].sends <= 5  # where each batch by itself would make 25


async def test_a_filter_that_the_envelope_decides_decompresses_nothing(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def block(batch: Batch) -> bytes:
        raise AssertionError("decompressed")

    destinations["a"] = Destination()
    await add(server, "a", filter="node:other AND WARN")
    await writer.write("app.web", [b"WARN " + b"x" * 1000] * 50)
    monkeypatch.setattr(Batch, "block", property(block))
    router.start()
    assert (await done(server, 50)).filtered == 50


async def test_unconfirmed_records_hold_back_the_filtered_ones_behind_them(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination(confirming=0)
    await add(server, "a", filter="WARN")
    router.start()
    await writer.write("app.web", [b"WARN first"])
    async with asyncio.timeout(20):
        while not destinations["a"].arrived:
            await asyncio.sleep(0.005)
    await writer.write("app.web", [b"INFO second"] * 10)
    await state_is(server, "a", "running")
    (status,) = await drain_status(server, ["a"])
    assert (status.delivered, status.filtered) == (0, 0)
    destinations["a"].confirming = 1
    status = await done(server, 11)
    assert (status.delivered, status.filtered) == (1, 10)


async def test_a_damaged_batch_becomes_a_dead_letter(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await add(server, "a", filter="WARN")
    await writer.write("app.web", [b"WARN 1"])
    ((_, fields),) = await server.call("p00", "XRANGE", keys.stream_key("p00", "app.web"), "-", "+")
    broken = dict(zip(fields[::2], fields[1::2], strict=True)) | {b"codec": b"zstd", b"block": b"?", b"total": b"2"}
    stream = keys.stream_key("p00", "app.web")
    await server.call("p00", "XADD", stream, "*", *(part for item in broken.items() for part in item))
    router.start()
    status = await done(server, 2)
    assert (status.delivered, status.dead) == (1, 1)


async def test_a_wrong_filter_fails_the_drain_and_nothing_else(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await add(server, "a", filter="level:>=(")
    router.start()
    assert "level:>=" in (await state_is(server, "a", "failed")).last_error


async def test_a_replay_takes_what_passes_both_filters(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await add(server, "a", filter="WARN")
    await writer.write("app.web", LINES)
    router.start()
    await done(server, 100)
    destinations["a"].arrived.clear()
    request = ReplayRequest("a", "records", filter='"line 8"', detached=True)
    await ask_for_replay(server, request)
    async with asyncio.timeout(20):
        while (progress := await replay_progress(server, "a", request.id)).state not in OVER:
            await asyncio.sleep(0.005)
    assert destinations["a"].arrived == [line for line in WARNINGS if b"line 8" in line]
    assert (progress.sent, progress.filtered) == (len(destinations["a"].arrived), 100 - progress.sent)
