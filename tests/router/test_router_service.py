"""The router as a whole, on a real server, with destinations that misbehave on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from logyard import registry
from logyard.bus.dead import count_letters, newest_letters
from logyard.bus.drains import DrainSpec, add_drain, drain_status, remove_drain, set_paused
from logyard.bus.groups import dict_of, join
from logyard.drain import Limits
from logyard.errors import NotConnected, PartialFailure, Permanent, Refused, RetryLater, ServerFull, TooLarge
from logyard.router.intake import Intake, Taken
from logyard.server import Server, connect, keys
from tests.router.conftest import Destination, Router, Writer, add, settled, state_is, until
from tests.servers.redis import RedisServer

LINES = [b"line %d" % number for number in range(100)]


async def test_records_arrive_in_order_and_are_acknowledged(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await writer.write("app.web", LINES[:50])
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES[50:])
    await settled(server, "a", 100)
    assert destinations["a"].arrived == LINES
    status = await state_is(server, "a", "running")
    assert (status.lag_records, status.dropped, status.resent) == (0, 0, 0)
    pending = await server.call("p00", "XPENDING", keys.stream_key("p00", "app.web"), keys.group_name("a"))
    assert pending[0] == 0


async def test_a_drain_takes_only_its_streams_and_new_ones_join(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await add(server, "a", keys=("app.*",))
    router.start()
    await writer.write("sys.cron", [b"no"])
    await writer.write("app.web", [b"web"])
    await writer.write("app.api", [b"api"])
    await settled(server, "a", 2)
    assert sorted(destinations["a"].arrived) == [b"api", b"web"]


async def test_a_new_stream_is_found_without_looking_at_everything(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("logyard.router.service.LOOK_EVERY", 3600)
    monkeypatch.setattr("logyard.router.intake.BLOCK_MS", 3_600_000)
    destinations["a"] = Destination()
    await add(server, "a")
    router.start()
    await state_is(server, "a", "running")
    await writer.write("app.web", LINES)
    await settled(server, "a", 100)


async def test_records_wait_for_company_only_until_enough_has_come(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination(limits=Limits(max_records=100, linger=3600))
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES[:10])
    await state_is(server, "a", "running")
    await writer.write("app.web", LINES[10:50])
    await settled(server, "a", 50)
    assert destinations["a"].sends == 1


async def test_a_drain_that_is_to_stop_sends_what_waits_for_company(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    taken = asyncio.Event()
    take = Intake.take

    async def noting(intake: Intake, *args: Any) -> list[Taken]:
        found = await take(intake, *args)
        if found:
            taken.set()
        return found

    monkeypatch.setattr(Intake, "take", noting)
    destinations["a"] = Destination(limits=Limits(max_records=100, linger=3600))
    await add(server, "a")
    await writer.write("app.web", LINES[:10])
    router.start()
    await taken.wait()
    await router.end()
    assert destinations["a"].arrived == LINES[:10]


async def test_a_drain_from_now_gets_nothing_older(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await writer.write("app.web", [b"old"])
    await add_drain(server, DrainSpec(name="a", uri="test://a"))
    await writer.write("app.web", [b"new"])
    router.start()
    await settled(server, "a", 1)
    assert destinations["a"].arrived == [b"new"]


async def test_a_stalled_drain_leaves_the_others_running(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    hole = asyncio.Event()

    async def swallow(lines: list[bytes]) -> None:
        await hole.wait()

    destinations["hole"] = Destination(behave=swallow)
    destinations["fine"] = Destination()
    await add(server, "hole")
    await add(server, "fine")
    router.start()
    await writer.write("app.web", LINES)
    await settled(server, "fine", 100)
    assert destinations["hole"].arrived == []
    statuses = {status.name: status for status in await drain_status(server)}
    assert statuses["hole"].lag_records == 100
    assert statuses["fine"].lag_records == 0
    hole.set()
    await settled(server, "hole", 100)


async def black_hole(started: asyncio.Event, end: asyncio.Event) -> None:
    started.set()
    await end.wait()


@pytest.mark.parametrize("how", ["removed", "changed", "paused"])
async def test_a_stalled_drain_that_is_to_stop_holds_up_nothing_else(
    server: Server,
    writer: Writer,
    router: Router,
    destinations: dict[str, Destination],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    monkeypatch.setattr("logyard.router.service.STOP_WITHIN", 600.0)
    started, end = asyncio.Event(), asyncio.Event()
    hole = destinations["hole"] = Destination(behave=lambda lines: black_hole(started, end))
    destinations["fine"], destinations["next"] = Destination(), Destination()
    await writer.write("app.web", LINES)
    await add(server, "hole")
    await add(server, "fine")
    router.start()
    await started.wait()
    if how == "removed":
        await remove_drain(server, "hole")
    elif how == "paused":
        await set_paused(server, "hole", True)
    else:
        spec = DrainSpec(name="hole", uri="test://next", start="beginning")
        await add_drain(server, spec, replace_existing=True)
    destinations["late"] = Destination()
    await add(server, "late")
    await settled(server, "late", 100)
    await writer.write("app.web", LINES)
    await settled(server, "fine", 200)
    assert hole.is_open
    assert destinations["next"].arrived == []  # two workers never run for one drain
    end.set()
    await until(lambda: not hole.is_open, "the old worker's end")
    if how == "changed":
        await settled(server, "hole", 200)
        assert hole.arrived + destinations["next"].arrived == LINES + LINES


@pytest.fixture
def renewing_while_it_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers may take for ever to stop, and every look renews leases."""
    monkeypatch.setattr("logyard.router.service.STOP_WITHIN", 600.0)
    monkeypatch.setattr("logyard.router.service.RENEW_EVERY", 0.0)


@pytest.mark.usefixtures("renewing_while_it_hangs")
async def test_a_stopping_drain_keeps_its_lease(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    started, end = asyncio.Event(), asyncio.Event()
    destinations["hole"] = Destination(behave=lambda lines: black_hole(started, end))
    await writer.write("app.web", LINES)
    await add(server, "hole")
    router.start()
    await started.wait()
    await set_paused(server, "hole", True)
    lease = keys.lease_key("p00", "hole")
    await server.call("p00", "PEXPIRE", lease, 1000)

    async def renewed() -> bool:
        return bool(await server.call("p00", "PTTL", lease) > 2000)

    async with asyncio.timeout(20):
        while not await renewed():
            await asyncio.sleep(0.005)
    end.set()
    await settled(server, "hole", 100)
    async with asyncio.timeout(20):
        while await server.call("p00", "EXISTS", lease):
            await asyncio.sleep(0.005)


async def test_a_drain_removed_and_added_again_at_once_begins_anew(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await writer.write("app.web", LINES)
    await add(server, "a")
    router.start()
    await settled(server, "a", 100)
    await remove_drain(server, "a")
    await add(server, "a")
    await settled(server, "a", 100)
    assert destinations["a"].arrived == LINES + LINES


@pytest.mark.usefixtures("renewing_while_it_hangs")
async def test_a_worker_of_a_removed_drain_counts_nothing_for_another_of_its_name(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    started, end = asyncio.Event(), asyncio.Event()
    destinations["a"] = Destination(behave=lambda lines: black_hole(started, end), limits=Limits(max_records=100))

    async def renewed() -> float:
        _, until_ms = await server.call(keys.GLOBAL, "ZRANGE", keys.ROUTERS, 0, -1, "WITHSCORES")
        return float(until_ms)

    await writer.write("app.web", LINES + LINES)
    await add(server, "a")
    router.start()
    await started.wait()
    await remove_drain(server, "a")
    await add_drain(server, DrainSpec("a", "test://a", start="now"))
    for _ in range(3):  # the first may have begun before
        before = await renewed()
        async with asyncio.timeout(60):
            while await renewed() == before:
                await asyncio.sleep(0.005)
    end.set()
    await writer.write("app.web", [b"new"])
    async with asyncio.timeout(60):
        while b"new" not in destinations["a"].arrived or (await drain_status(server, ["a"]))[0].lag_records:
            await asyncio.sleep(0.005)
    (status,) = await drain_status(server, ["a"])
    assert (status.delivered, status.dropped, status.dead) == (1, 0, 0)


async def test_a_destination_that_was_away_gets_everything_once_it_is_back(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    away = True

    def refuse() -> None:
        if away:
            raise NotConnected("connection refused")

    destinations["a"] = Destination(at_open=refuse)
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES)
    await until(lambda: len(destinations["a"].contexts) > 3, "several attempts")
    assert (await state_is(server, "a", "retrying")).last_error == "connection refused"
    away = False
    await settled(server, "a", 100)
    assert destinations["a"].arrived == LINES
    (status,) = await drain_status(server)
    assert status.resent == 0


async def test_a_connection_that_breaks_in_the_middle_repeats_only_what_was_not_acknowledged(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    calls = 0

    async def break_once(lines: list[bytes]) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise NotConnected("reset by peer")

    destinations["a"] = Destination(behave=break_once, limits=Limits(max_records=10))
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES)
    await settled(server, "a", 100)
    assert destinations["a"].arrived == LINES
    (status,) = await drain_status(server)
    assert status.resent == 10


async def test_retry_later_repeats_on_the_same_connection(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    refusals = [RetryLater("busy", 0.001), RetryLater("busy"), TimeoutError()]

    async def busy(lines: list[bytes]) -> None:
        if len(refusals) > 1:
            raise refusals.pop(0)

    destinations["a"] = Destination(behave=busy)
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES)
    await settled(server, "a", 100)
    assert destinations["a"].arrived == LINES
    assert len(destinations["a"].contexts) == 1


async def test_a_batch_that_is_too_large_is_halved_down_to_the_record_that_is(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    async def small_only(lines: list[bytes]) -> None:
        if len(lines) > 3 or b"line 42" in lines:
            raise TooLarge("413")

    destinations["a"] = Destination(behave=small_only)
    await add(server, "a")
    await writer.write("app.web", LINES)
    router.start()
    await settled(server, "a", 100)
    assert destinations["a"].arrived == [line for line in LINES if line != b"line 42"]
    dead = await server.call("p00", "XRANGE", keys.dead_key("p00", "a"), "-", "+")
    assert len(dead) == 1
    fields = dict(zip(dead[0][1][::2], dead[0][1][1::2], strict=True))
    offset = sum(len(line) + 1 for line in LINES[:42])
    assert fields[b"text"] == b"line 42"
    assert fields[b"reason"] == b"413"
    assert fields[b"id"] == b"app.web.0:%d" % offset
    (status,) = await drain_status(server)
    assert (status.delivered, status.dead) == (99, 1)


async def test_dead_letters_that_are_too_many_are_counted(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination],
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    async def nothing(lines: list[bytes]) -> None:
        raise PartialFailure("no", dict.fromkeys(range(len(lines)), "no " * 50), frozenset())

    monkeypatch.setattr("logyard.router.dead.KEEP", 40)
    destinations["a"] = Destination(behave=nothing)
    await add(server, "a")
    await writer.write("app.web", LINES)
    router.start()
    await settled(server, "a", 100)
    (status,) = await drain_status(server, ["a"])
    kept = await count_letters(server, "a")
    assert (status.dead, status.dead_lost) == (100, 100 - kept)
    assert 40 <= kept < 100
    assert [letter.text for letter in await newest_letters(server, "a")] == LINES[100 - kept :]
    assert any("oldest are lost" in message for message in caplog.messages)


async def test_what_is_tried_a_third_time_still_counts_as_sent_again(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    attempts: list[int] = []

    async def flaky(lines: list[bytes]) -> None:
        attempts.append(LINES.index(lines[0]))
        # Nine sends arrive and are never confirmed; then not even the first one does.
        if attempts.count(90) == 1 and attempts[-1] in {90, 0}:
            raise NotConnected("gone")
        if len(attempts) > 10:
            destinations["a"].confirming = None

    destinations["a"] = Destination(behave=flaky, limits=Limits(max_records=10), confirming=0)
    await add(server, "a")
    await writer.write("app.web", LINES)
    router.start()
    await until(lambda: len(attempts) >= 11, "the first attempt after the connection broke")
    attempts.append(90)
    await settled(server, "a", 100)
    (status,) = await drain_status(server)
    assert (status.delivered, status.resent) == (100, 100)


async def test_of_a_batch_that_is_refused_only_the_records_at_fault_are_dead(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    bad = {b"line 0", b"line 42", b"line 43", b"line 99"}

    async def strict(lines: list[bytes]) -> None:
        if bad & set(lines):
            raise Refused("400: no such field")

    destinations["a"] = Destination(behave=strict)
    await add(server, "a")
    await writer.write("app.web", LINES)
    router.start()
    await settled(server, "a", 100)
    assert destinations["a"].arrived == [line for line in LINES if line not in bad]
    dead = await server.call("p00", "XRANGE", keys.dead_key("p00", "a"), "-", "+")
    told = [dict(zip(entry[1][::2], entry[1][1::2], strict=True)) for entry in dead]
    assert [fields[b"text"] for fields in told] == sorted(bad, key=LINES.index)
    assert {fields[b"reason"] for fields in told} == {b"400: no such field"}


async def test_of_a_partial_failure_each_record_ends_where_it_belongs(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    took: list[bytes] = []

    async def picky(lines: list[bytes]) -> None:
        if len(lines) == 100:
            took.extend(line for at, line in enumerate(lines) if at not in {3, 5, 50, 99})
            raise PartialFailure("some", {3: "mapping", 99: "mapping"}, frozenset({5, 50}))

    destinations["a"] = Destination(behave=picky)
    await add(server, "a")
    await writer.write("app.web", LINES)
    router.start()
    await settled(server, "a", 100)
    assert destinations["a"].arrived == [LINES[5], LINES[50]]
    assert len(took) == 96
    dead = await server.call("p00", "XRANGE", keys.dead_key("p00", "a"), "-", "+")
    assert [entry[1][entry[1].index(b"text") + 1] for entry in dead] == [LINES[3], LINES[99]]


async def test_a_drain_that_failed_for_good_waits_for_resume(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    wrong = True

    def check() -> None:
        if wrong:
            raise Permanent("the token is wrong")

    destinations["a"] = Destination(at_open=check)
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES)
    assert (await state_is(server, "a", "failed")).last_error == "the token is wrong"
    wrong = False
    await set_paused(server, "a", False)
    await settled(server, "a", 100)
    assert destinations["a"].arrived == LINES


async def test_pause_stops_one_drain_and_resume_goes_on_where_it_was(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations |= {"a": Destination(), "b": Destination()}
    await add(server, "a")
    await add(server, "b")
    router.start()
    await writer.write("app.web", LINES[:50])
    await settled(server, "a", 50)
    await settled(server, "b", 50)
    await set_paused(server, "a", True)
    await until(lambda: not destinations["a"].is_open, "a to close")
    await writer.write("app.web", LINES[50:])
    await settled(server, "b", 100)
    assert (await drain_status(server, ["a"]))[0].state == "paused"
    assert (await drain_status(server, ["a"]))[0].lag_records == 50
    assert len(destinations["b"].contexts) == 1
    await set_paused(server, "a", False)
    await settled(server, "a", 100)
    assert destinations["a"].arrived == LINES


async def test_a_removed_drain_leaves_nothing_behind(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES)
    await settled(server, "a", 100)
    await remove_drain(server, "a")
    await until(lambda: not destinations["a"].is_open, "a to close")
    await router.end()
    assert await server.call("p00", "XINFO", "GROUPS", keys.stream_key("p00", "app.web")) == []
    left = await server.call("p00", "KEYS", "logyard:*:a")
    assert left == []


async def test_the_cursor_travels_with_the_acknowledgement(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES)
    await settled(server, "a", 100)
    await router.end()
    router.start()
    await until(lambda: len(destinations["a"].contexts) == 2, "the drain to be opened again")
    assert [context.cursor for context in destinations["a"].contexts] == [None, "100"]


async def test_unconfirmed_records_are_not_acknowledged_and_are_sent_again(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    fail = asyncio.Event()

    async def behave(lines: list[bytes]) -> None:
        if fail.is_set():
            fail.clear()
            raise NotConnected("gone")

    def at_open() -> None:
        destinations["a"].confirming = 0 if len(destinations["a"].contexts) == 1 else None

    destinations["a"] = Destination(behave=behave, at_open=at_open)
    await add(server, "a")
    router.start()
    await writer.write("app.web", LINES[:50])
    await until(lambda: len(destinations["a"].arrived) == 50, "the first half")
    assert (await drain_status(server))[0].delivered == 0
    fail.set()
    await writer.write("app.web", LINES[50:])
    await settled(server, "a", 100)
    assert destinations["a"].arrived[:50] == LINES[:50]
    assert destinations["a"].arrived[50:] == LINES
    assert (await drain_status(server))[0].resent >= 50


async def test_several_requests_in_flight_lose_and_repeat_nothing(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    flying = most = 0

    async def slowly(lines: list[bytes]) -> None:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0)
        if flying < 3 and len(destinations["a"].arrived) < 50:
            await asyncio.sleep(0.002)
        flying -= 1

    destinations["a"] = Destination(behave=slowly, limits=Limits(max_records=10, in_flight=3))
    await add(server, "a")
    await writer.write("app.web", LINES)
    router.start()
    await settled(server, "a", 100)
    assert sorted(destinations["a"].arrived) == sorted(LINES)
    assert most == 3


async def test_of_several_requests_in_flight_one_asks_again_when_the_destination_says_not_now(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    flying = refused = most_later = 0
    all_in_the_air = asyncio.Event()

    async def not_now(lines: list[bytes]) -> None:
        nonlocal flying, refused, most_later
        if refused >= 9:
            return
        flying += 1
        if flying == 3:
            all_in_the_air.set()
        if refused >= 3:
            most_later = max(most_later, flying)
        await all_in_the_air.wait()
        await asyncio.sleep(0.001)
        flying -= 1
        refused += 1
        raise RetryLater("not now", 0.0)

    destinations["a"] = Destination(behave=not_now, limits=Limits(max_records=10, in_flight=3))
    await writer.write("app.web", LINES)
    await add(server, "a")
    router.start()
    await settled(server, "a", 100)
    assert most_later == 1
    assert sorted(destinations["a"].arrived) == sorted(LINES)


async def test_records_removed_before_the_drain_had_them_are_counted_as_dropped(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await writer.write("app.web", LINES)
    await add(server, "a")
    stream = keys.stream_key("p00", "app.web")
    assert await server.call("p00", "XTRIM", stream, "MAXLEN", "=", 4) == 6
    router.start()
    await settled(server, "a", 40)
    (status,) = await drain_status(server)
    assert (status.dropped, status.lag_records) == (60, 0)


async def test_an_entry_that_is_no_batch_goes_to_the_dead_letters(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination]
) -> None:
    destinations["a"] = Destination()
    await add(server, "a")
    await writer.write("app.web", LINES[:10])
    await server.call("p00", "XADD", keys.stream_key("p00", "app.web"), "*", "v", "99", "block", "?")
    await writer.write("app.web", LINES[10:20])
    router.start()
    await settled(server, "a", 21)
    assert destinations["a"].arrived == LINES[:20]
    (status,) = await drain_status(server)
    assert (status.delivered, status.dead) == (20, 1)


@pytest.mark.parametrize("damage", [[b"count", b"7"], [b"codec", b"zstd"]])
async def test_a_batch_whose_block_is_damaged_goes_to_the_dead_letters(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination], damage: list[bytes]
) -> None:
    destinations["a"] = Destination()
    await add(server, "a")
    await writer.write("app.web", LINES[:10])
    stream = keys.stream_key("p00", "app.web")
    ((_, fields),) = await server.call("p00", "XRANGE", stream, "-", "+")
    wrong = {**dict_of(fields), **dict_of(damage)}
    await server.call("p00", "XADD", stream, "*", *(part for item in wrong.items() for part in item))
    await writer.write("app.web", LINES[10:20])
    router.start()
    await until(lambda: destinations["a"].arrived == LINES[:20], "the others to arrive")
    async with asyncio.timeout(20):
        while (await drain_status(server))[0].dead == 0:
            await asyncio.sleep(0.005)


async def test_two_routers_share_the_drains_and_one_takes_over_from_the_other(
    server: Server, writer: Writer, valkey: RedisServer, destinations: dict[str, Destination]
) -> None:
    names = ["a", "b", "c", "d"]
    for name in names:
        destinations[name] = Destination()
        await add(server, name)
    first, second = Router(valkey.url), Router(valkey.url)
    first.start()
    second.start()

    async def owners() -> set[bytes]:
        held = [await server.call("p00", "GET", keys.lease_key("p00", name)) for name in names]
        return {owner for owner in held if owner is not None} if all(held) else set()

    try:
        async with asyncio.timeout(20):
            while len(await owners()) != 2:
                await asyncio.sleep(0.01)
        await writer.write("app.web", LINES)
        for name in names:
            await settled(server, name, 100)
        await first.end()
        async with asyncio.timeout(20):
            while len(await owners()) != 1:
                await asyncio.sleep(0.01)
        await writer.write("app.web", LINES)
        for name in names:
            await settled(server, name, 200)
            assert destinations[name].arrived == LINES * 2
    finally:
        await first.end()
        await second.end()


async def test_a_name_that_no_drain_serves_is_told_in_the_status(
    server: Server, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logyard.router.service.configure", registry.configure)
    await add(server, "a")
    router.start()
    assert "there is no drain for test://" in (await state_is(server, "a", "failed")).last_error


async def test_a_secret_is_found_where_the_drain_runs_and_told_when_it_is_not(
    server: Server,
    writer: Writer,
    router: Router,
    destinations: dict[str, Destination],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    destinations["hidden"] = Destination()
    monkeypatch.delenv("LOGYARD_TEST_HOST", raising=False)
    await add_drain(server, DrainSpec(name="a", uri="test://${env:LOGYARD_TEST_HOST}", start="beginning"))
    router.start()
    assert "LOGYARD_TEST_HOST is not set" in (await state_is(server, "a", "failed")).last_error
    monkeypatch.setenv("LOGYARD_TEST_HOST", "hidden")
    await set_paused(server, "a", False)
    await writer.write("app.web", LINES)
    await settled(server, "a", 100)
    assert (await drain_status(server))[0].uri == "test://${env:LOGYARD_TEST_HOST}"


async def test_the_file_of_a_secret_may_come_later(
    server: Server, writer: Writer, router: Router, destinations: dict[str, Destination], tmp_path: Path
) -> None:
    destinations["hidden"] = Destination()
    await add_drain(server, DrainSpec(name="a", uri=f"test://${{file:{tmp_path}/host}}", start="beginning"))
    router.start()
    told = (await state_is(server, "a", "failed")).last_error
    assert f"{tmp_path}/host" in told and "looked up by the router on r1" in told
    (tmp_path / "host").write_text("hidden\n")
    await writer.write("app.web", LINES)
    await settled(server, "a", 100)


async def test_what_a_destination_says_is_told_without_its_secrets(
    server: Server,
    writer: Writer,
    router: Router,
    destinations: dict[str, Destination],
    caplog: pytest.LogCaptureFixture,
) -> None:
    failures: list[Exception] = [
        RuntimeError("a bug with hunter2"), NotConnected("hunter2 is unknown"), PartialFailure("", {0: "not hunter2"}),
        Permanent("hunter2 is wrong"),
    ]  # fmt: skip

    async def behave(lines: list[bytes]) -> None:
        if failures:
            raise failures.pop(0)

    destinations["a"] = Destination(behave=behave, limits=Limits(max_records=10))
    await add_drain(server, DrainSpec("a", "test://user:hunter2@a", start="beginning"))
    await writer.write("app.web", LINES)
    router.start()
    assert (await state_is(server, "a", "failed")).last_error == "**** is wrong"
    (letter,) = await newest_letters(server, "a")
    assert letter.reason == "not ****"
    assert "a bug with ****" in caplog.text and "hunter2" not in caplog.text


async def test_a_full_server_is_emptied_by_its_drains(
    make_redis: Callable[..., RedisServer], destinations: dict[str, Destination]
) -> None:
    full = make_redis()
    destinations["a"] = Destination()
    async with connect(full.url) as server:
        writer = Writer(server)
        await add(server, "a")
        await writer.write("app.web", LINES)
        full.call("CONFIG", "SET", "maxmemory", int(full.client.info("memory")["used_memory"]) - 1)
        with pytest.raises(ServerFull):
            await writer.write("app.web", [b"refused"])
        router = Router(full.url)
        router.start()
        await settled(server, "a", 100)
        assert destinations["a"].arrived == LINES
        async with asyncio.timeout(20):
            while await server.call("p00", "XLEN", keys.stream_key("p00", "app.web")):
                await asyncio.sleep(0.02)
        await router.end()


async def test_joining_in_the_middle_of_a_stream_counts_records_from_there(server: Server, writer: Writer) -> None:
    await writer.write("app.web", LINES[:30])
    (last,) = await server.call("p00", "XREVRANGE", keys.stream_key("p00", "app.web"), "+", "-", "COUNT", 1)
    spec = await add_drain(server, DrainSpec(name="a", uri="test://a", start="now"))
    assert (await drain_status(server))[0].lag_records == 0
    await writer.write("app.web", LINES[30:])
    (status,) = await drain_status(server)
    assert status.lag_records == 70
    assert await join(server, "p00", "a", "app.web", "now") is False
    since = replace(spec, name="b", start=last[0].decode().split("-")[0])
    await add_drain(server, since)
    assert (await drain_status(server, ["b"]))[0].lag_records >= 70
