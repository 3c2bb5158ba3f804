"""Sending again, dead letters and what streams still hold, beside the live delivery and across failures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from logyard.batch import Batch, Selection
from logyard.bus.dead import Letter, count_letters, newest_letters
from logyard.bus.drains import DrainStatus, drain_status, remove_drain
from logyard.bus.replays import (
    OVER,
    ReplayProgress,
    ReplayRequest,
    ask_for_replay,
    end_replay,
    keep_asking,
    replay_progress,
)  # fmt: skip
from logyard.drain import Limits, Receipt
from logyard.errors import NotConnected, PartialFailure, UsageError
from logyard.router.replay import Replay
from logyard.server import Server, keys
from tests.router.conftest import Destination, Router, Writer, add, settled, until

LINES = [b"line %d" % number for number in range(100)]


def refusing(*positions: int, reason: str = "bad field") -> Callable[[list[bytes]], Awaitable[None]]:
    """Refuses the lines of these numbers, as long as it is asked."""
    bad = {LINES[position] for position in positions}

    async def behave(lines: list[bytes]) -> None:
        refused = {at: reason for at, line in enumerate(lines) if line in bad}
        if refused:
            raise PartialFailure("some", refused)

    return behave


async def over(server: Server, drain: str, request: str) -> ReplayProgress:
    async with asyncio.timeout(20):
        while (progress := await replay_progress(server, drain, request)).state not in OVER:
            await asyncio.sleep(0.005)
    return progress


async def replayed(server: Server, **asked: object) -> ReplayProgress:
    """Ask for a replay to drain a, and how it ended."""
    request = ReplayRequest("a", **{"kind": "letters", "detached": True, **asked})  # type: ignore[arg-type]
    await ask_for_replay(server, request)
    return await over(server, "a", request.id)


async def letters(server: Server) -> list[Letter]:
    return await newest_letters(server, "a")


async def status(server: Server) -> DrainStatus:
    (found,) = await drain_status(server, ["a"])
    return found


@pytest.fixture
async def refused(server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]) -> Destination:
    """A destination that runs, and has refused lines 3, 50 and 99."""
    destination = destinations["a"] = Destination(behave=refusing(3, 50, 99))
    await add(server, "a")
    await writer.write("app.web", LINES)
    router.start()
    await settled(server, "a", 100)
    destination.arrived.clear()
    destination.behave = None
    return destination


async def test_dead_letters_that_are_delivered_leave_and_are_counted_apart(
    server: Server, refused: Destination
) -> None:
    before = await status(server)
    progress = await replayed(server)
    assert refused.arrived == [LINES[3], LINES[50], LINES[99]]
    assert (progress.state, progress.total, progress.looked, progress.sent, progress.refused) == ("done", 3, 3, 3, 0)
    assert await letters(server) == []
    after = await status(server)
    assert (after.delivered, after.dead, after.replayed) == (before.delivered, before.dead, 3)


async def test_dead_letters_that_are_refused_again_stay_with_the_new_reason(
    server: Server, refused: Destination
) -> None:
    refused.behave = refusing(50, reason="still bad")
    progress = await replayed(server)
    assert (progress.looked, progress.sent, progress.refused) == (3, 2, 1)
    (letter,) = await letters(server)
    assert (letter.text, letter.reason, letter.tries) == (LINES[50], "still bad", 2)
    refused.behave = None
    assert (await replayed(server)).sent == 1
    assert await letters(server) == []


async def test_a_dead_letter_is_sent_as_its_record_was(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    sent: list[Batch] = []

    class Watched(Destination):
        async def send(self, records: Sequence[Selection]) -> Receipt | None:
            sent.extend(selection.batch for selection in records)
            return await super().send(records)

    destinations["a"] = Watched(behave=refusing(7))
    await add(server, "a")
    await writer.write("app.web", [LINES[7]])
    await writer.write("app.web", [b"other", LINES[7]])
    router.start()
    await settled(server, "a", 3)
    destinations["a"].behave = None
    await replayed(server)
    first, mixed, *again = sent
    names = ("key", "node", "app", "instance", "source", "time_ns", "origin", "cut", "partial", "entry")
    for was, offset, batch in zip((first, mixed), (first.first, mixed.offsets()[1]), again, strict=True):
        assert [getattr(batch, name) for name in names] == [getattr(was, name) for name in names]
        assert (batch.identity(batch.first), batch.lines) == (was.identity(offset), [LINES[7]])


@pytest.mark.parametrize(
    ("asked", "sent"), [({"match": "FIELD"}, 3), ({"match": "other"}, 0), ({"letters": "last"}, 1)]
)
async def test_some_of_the_dead_letters_may_be_chosen(
    server: Server, refused: Destination, asked: dict[str, object], sent: int
) -> None:
    if "letters" in asked:
        asked = {"letters": ((await letters(server))[-1].name,)}
    progress = await replayed(server, **asked)
    assert (progress.sent, progress.filtered, len(refused.arrived)) == (sent, 3 - sent, sent)
    assert await count_letters(server, "a") == 3 - sent


async def test_a_dead_letter_is_kept_until_the_destination_confirms_it(
    server: Server, refused: Destination, router: Router
) -> None:
    refused.confirming = 0
    request = ReplayRequest("a", "letters", detached=True)
    await ask_for_replay(server, request)
    await until(lambda: len(refused.arrived) == 3, "the letters to be written")
    assert await count_letters(server, "a") == 3
    assert (await replay_progress(server, "a", request.id)).sent == 0
    refused.confirming = 1_000_000
    assert (await over(server, "a", request.id)).sent == 3
    assert await count_letters(server, "a") == 0


async def test_a_batch_that_could_not_be_read_is_kept(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await add(server, "a")
    await writer.write("app.web", LINES[:1])
    await server.call("p00", "XADD", keys.stream_key("p00", "app.web"), "*", "v", "99", "block", "?")
    router.start()
    await settled(server, "a", 2)
    progress = await replayed(server)
    assert (progress.looked, progress.sent, progress.unreadable) == (1, 0, 1)
    (letter,) = await letters(server)
    assert letter.batch is None and "format version" in letter.reason


async def test_what_streams_hold_is_sent_again_beside_the_live_delivery(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES[:50])
    await writer.write("app.api", LINES[50:])
    await settled(server, "a", 100)
    before = await status(server)
    position = await server.call("p00", "HGET", keys.drain_key("p00", "a"), "at:app.web")
    destinations["a"].arrived.clear()
    progress = await replayed(server, kind="records")
    assert sorted(destinations["a"].arrived) == sorted(LINES)
    assert [line for line in destinations["a"].arrived if line in LINES[:50]] == LINES[:50]
    assert (progress.total, progress.looked, progress.sent, progress.gone) == (100, 100, 100, 0)
    after = await status(server)
    assert (after.delivered, after.lag_records, after.replayed) == (before.delivered, 0, 100)
    assert await server.call("p00", "HGET", keys.drain_key("p00", "a"), "at:app.web") == position
    await writer.write("app.web", [b"live"])
    await settled(server, "a", 101)
    assert destinations["a"].arrived[-1] == b"live"


async def test_a_part_of_what_streams_hold_may_be_chosen(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES[:50])
    await writer.write("app.api", LINES[50:])
    await settled(server, "a", 100)
    entries = await server.call("p00", "XRANGE", keys.stream_key("p00", "app.web"), "-", "+")
    last_ms = int(entries[-1][0].split(b"-")[0])
    assert (await replayed(server, kind="records", keys=("app.api",))).sent == 50
    assert destinations["a"].arrived[100:] == LINES[50:]
    assert (await replayed(server, kind="records", since_ms=last_ms + 1_000_000)).total == 0
    assert (await replayed(server, kind="records", until_ms=1)).total == 0
    both = await replayed(server, kind="records", until_ms=last_ms + 1_000_000)
    assert (both.sent, both.total) == (100, 100)


async def test_what_the_drain_has_not_had_comes_by_itself_and_once(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    slow = asyncio.Event()

    async def hold(lines: list[bytes]) -> None:
        if LINES[50] in lines:
            await slow.wait()

    destinations["a"] = Destination(behave=hold, limits=Limits(max_records=10, timeout=60))
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES[:50])
    await settled(server, "a", 50)
    await writer.write("app.web", LINES[50:])
    request = ReplayRequest("a", "records", detached=True)
    await ask_for_replay(server, request)
    async with asyncio.timeout(20):
        while (await replay_progress(server, "a", request.id)).state != "running":
            await asyncio.sleep(0.005)
    slow.set()
    assert (await over(server, "a", request.id)).sent == 50
    await settled(server, "a", 100)
    assert sorted(destinations["a"].arrived) == sorted([*LINES, *LINES[:50]])


async def test_live_records_wait_for_no_more_than_one_portion(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination(limits=Limits(max_records=5))
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES, per_batch=5)
    await settled(server, "a", 100)
    sends = 0
    live: list[int] = []

    async def count(lines: list[bytes]) -> None:
        nonlocal sends
        sends += 1
        if lines == [b"live"]:
            live.append(sends)
        if sends == 3:
            await writer.write("app.web", [b"live"])

    destinations["a"].behave = count
    assert (await replayed(server, kind="records")).sent == 100
    await settled(server, "a", 101)
    assert live and live[0] < 15


async def test_a_replay_nobody_asks_for_any_more_ends_in_order(
    server: Server,
    writer: Writer,
    router: Router,
    destinations: dict[str, Destination],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = asyncio.Event()
    cancel = Replay.cancel

    def cancelled(replay: Replay) -> None:
        cancel(replay)
        held.set()

    monkeypatch.setattr(Replay, "cancel", cancelled)
    destinations["a"] = Destination(limits=Limits(max_records=10, timeout=60))
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES)
    await settled(server, "a", 100)
    destinations["a"].arrived.clear()

    async def hold(lines: list[bytes]) -> None:
        if len(destinations["a"].arrived) >= 30:
            await held.wait()

    destinations["a"].behave = hold
    request = ReplayRequest("a", "records")
    await ask_for_replay(server, request)
    await until(lambda: len(destinations["a"].arrived) == 30, "some of it")
    assert await keep_asking(server, request)
    with pytest.raises(UsageError, match="under way"):
        await ask_for_replay(server, ReplayRequest("a", "letters"))
    await end_replay(server, request)
    progress = await over(server, "a", request.id)
    assert progress.state == "cancelled"
    assert progress.sent == len(destinations["a"].arrived) < 100
    assert progress.at_ms is not None
    assert not await keep_asking(server, request)


async def test_a_connection_that_breaks_costs_a_replay_nothing(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination(limits=Limits(max_records=10))
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES)
    await settled(server, "a", 100)
    destinations["a"].arrived.clear()
    calls = 0

    async def break_sometimes(lines: list[bytes]) -> None:
        nonlocal calls
        calls += 1
        if calls % 4 == 3:
            raise NotConnected("reset by peer")

    destinations["a"].behave = break_sometimes
    progress = await replayed(server, kind="records")
    assert (progress.state, progress.sent) == ("done", 100)
    assert set(destinations["a"].arrived) == set(LINES)


@pytest.mark.parametrize("in_flight", [1, 3])
async def test_records_that_break_the_connection_do_not_hold_up_the_live_ones(
    server: Server, refused: Destination, writer: Writer, in_flight: int
) -> None:
    async def break_on_old(lines: list[bytes]) -> None:
        if LINES[50] in lines:
            raise NotConnected("reset by peer")

    refused.limits = Limits(in_flight=in_flight)
    refused.behave = break_on_old
    progress = await replayed(server)
    assert (progress.state, progress.sent) == ("failed", 0)
    assert progress.error == "given up after 5 attempts: reset by peer"
    assert await count_letters(server, "a") == 3
    await writer.write("app.web", [b"live"])
    await settled(server, "a", 101)


async def test_another_router_goes_on_where_a_replay_was(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    held = asyncio.Event()
    destinations["a"] = Destination(limits=Limits(max_records=10))
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES)
    await settled(server, "a", 100)
    destinations["a"].arrived.clear()

    async def slow(lines: list[bytes]) -> None:
        if len(destinations["a"].arrived) >= 30:
            held.set()
            await asyncio.sleep(0.05)

    destinations["a"].behave = slow
    request = ReplayRequest("a", "records", detached=True)
    await ask_for_replay(server, request)
    await held.wait()
    await router.end()
    destinations["a"].behave = None
    router.start()
    progress = await over(server, "a", request.id)
    assert (progress.state, progress.total, progress.sent) == ("done", 100, 100)
    assert destinations["a"].arrived == LINES


async def test_records_that_were_removed_meanwhile_are_told(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES)
    await settled(server, "a", 100)
    entries = await server.call("p00", "XRANGE", keys.stream_key("p00", "app.web"), "-", "+")
    await server.call("p00", "XDEL", keys.stream_key("p00", "app.web"), entries[4][0])
    progress = await replayed(server, kind="records")
    assert (progress.total, progress.looked, progress.sent, progress.gone) == (100, 100, 90, 10)


async def test_a_removed_drain_leaves_no_replay_behind(server: Server, refused: Destination, router: Router) -> None:
    await replayed(server)
    await remove_drain(server, "a")
    await until(lambda: not refused.is_open, "a to close")
    await router.end()
    assert await server.call("p00", "KEYS", "logyard:*:a") == []
