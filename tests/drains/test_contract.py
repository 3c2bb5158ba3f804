"""What every drain must do, whatever it sends to (logyard/drain.py, docs/write-a-drain.md)."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from logyard.drain import Context, Drain, DrainURI
from logyard.errors import DrainError, NotConnected, UsageError
from tests.drains.destinations import CONTEXT, DESTINATIONS, Destination
from tests.drains.records import numbered
from tests.servers.processes import eventually

MANY = 64 * 1024  # bytes; more of them than buffers hold are sent to a destination that stalls


def those(**traits: bool) -> pytest.MarkDecorator:
    """Run the test for the destinations with these traits only."""
    names = [name for name, made in DESTINATIONS.items() if all(bool(getattr(made, t)) == v for t, v in traits.items())]
    return pytest.mark.parametrize("destination", names, indirect=True)


@pytest.fixture(params=DESTINATIONS)
async def destination(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Destination]:
    made = DESTINATIONS[request.param](tmp_path)
    await made.up()
    yield made
    await made.end()


async def settled(drain: Drain, sends: int) -> None:
    """Wait until the drain says that the first ``sends`` sends have arrived."""

    def told() -> bool:
        confirmed = drain.confirmed()
        return confirmed is None or confirmed >= sends

    await eventually(told, f"{sends} confirmed sends", timeout=20)


async def arrived(destination: Destination, numbers: list[int]) -> None:
    """What a drain told to have arrived must be there at once; without such a promise it may take a moment."""
    if not destination.promises:
        await eventually(lambda: destination.numbers() == numbers, "all records", timeout=20)
    assert destination.numbers() == numbers


async def test_what_is_told_to_have_arrived_is_there_in_order(destination: Destination) -> None:
    async with destination.open() as drain:
        for send in range(5):
            await drain.send([numbered(send * 20, 10), numbered(send * 20 + 10, 10)])
        await settled(drain, 5)
        await arrived(destination, list(range(100)))


async def test_only_selected_records_are_sent(destination: Destination) -> None:
    async with destination.open() as drain:
        await drain.send([numbered(0, 10).part(2, 5), dataclasses.replace(numbered(10, 10), positions=[0, 7, 9])])
        await settled(drain, 1)
        await arrived(destination, [2, 3, 4, 10, 17, 19])


async def test_a_send_without_records_changes_nothing(destination: Destination) -> None:
    async with destination.open() as drain:
        await drain.send([])
        await drain.send([numbered(0, 1)])
        await drain.send([])
        await settled(drain, 3)
        await arrived(destination, [0])


async def test_after_finish_and_leaving_everything_is_there(destination: Destination) -> None:
    async with destination.open() as drain:
        for number in range(20):
            await drain.send([numbered(number * 50, 50, 500)])
        await drain.finish()
        assert drain.confirmed() in {None, 20}
    await arrived(destination, list(range(1000)))


async def test_a_destination_that_is_down_is_told_and_taken_up_again(destination: Destination) -> None:
    await destination.down()
    with pytest.raises(destination.refusal):
        await send_one(destination)
    await destination.up()
    before = len(destination.numbers())
    async with destination.open() as drain:
        await drain.send([numbered(1, 1)])
        await settled(drain, 1)
    await eventually(lambda: destination.numbers()[before:] == [1], "the record sent after coming back")


async def send_one(destination: Destination) -> None:
    async with destination.open() as drain:
        await drain.send([numbered(0, 1)])


async def test_trying_the_address_changes_nothing(destination: Destination) -> None:
    async with destination.open(dataclasses.replace(CONTEXT, testing=True)) as drain:
        await drain.finish()
    assert destination.data() == b""


@those(connects=True)
async def test_a_destination_that_is_down_is_noticed_when_its_address_is_tried(destination: Destination) -> None:
    await destination.down()
    with pytest.raises(destination.refusal):
        async with destination.open(dataclasses.replace(CONTEXT, testing=True)):
            pass
    await destination.up()


@those(can_stall=True)
async def test_a_stalled_destination_holds_up_its_own_send_alone(destination: Destination) -> None:
    async with destination.open() as drain:
        await drain.send([numbered(0, 1)])
        await settled(drain, 1)
        await destination.stall()
        sending = asyncio.create_task(send_much(drain))
        # Each turn of the loop that this takes is one that other drains get as well.
        for _ in range(200):
            await asyncio.sleep(0.001)
            assert drain.confirmed() in {None, 1}
        assert not sending.done()
        await destination.go_on()
        sends = await asyncio.wait_for(sending, 60)
        await settled(drain, 1 + sends)
    await eventually(lambda: set(destination.numbers()) >= {sends * 10}, "the last record")


async def send_much(drain: Drain, count: int = 20) -> int:
    for number in range(1, count + 1):
        await drain.send([numbered(number * 10, 10, MANY)])
    return count


@those(can_stall=True)
async def test_a_cancelled_send_can_be_left_and_everything_sent_again(destination: Destination) -> None:
    async with destination.open() as drain:
        await destination.stall()
        sending = asyncio.create_task(send_much(drain))
        await asyncio.sleep(0.05)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    await destination.go_on()
    async with destination.open() as drain:
        await drain.send([numbered(900, 3)])
        await settled(drain, 1)
    await eventually(lambda: destination.numbers()[-3:] == [900, 901, 902], "the records of the second connection")


@those(can_close=True)
async def test_what_a_broken_connection_swallowed_is_not_confirmed(destination: Destination) -> None:
    async with destination.open() as drain:
        await drain.send([numbered(0, 10)])
        await settled(drain, 1)
        await destination.stall()
        sending = asyncio.create_task(send_much(drain))
        await asyncio.sleep(0.05)
        await destination.close()
        with pytest.raises(NotConnected):
            await asyncio.wait_for(sending, 30)
        assert confirmed_at_the_end(drain) in {None, 1}
        with pytest.raises(NotConnected):
            await drain.send([numbered(500, 1)])


def confirmed_at_the_end(drain: Drain) -> int | None:
    """The last count that the drain tells, before or instead of saying that the connection is over."""
    told = None
    try:
        for _ in range(3):
            told = drain.confirmed()
    except DrainError:
        return told
    return told


@those(can_close=True)
async def test_an_idle_connection_that_is_closed_is_noticed(destination: Destination) -> None:
    async with destination.open() as drain:
        await drain.send([numbered(0, 1)])
        await settled(drain, 1)
        await destination.close()
        with pytest.raises(NotConnected):
            await drain.send([numbered(1, 1)])


def test_unknown_parameters_are_refused_with_those_that_there_are(tmp_path: Path) -> None:
    for scheme, made in DESTINATIONS.items():
        destination = made(tmp_path)
        uri = DrainURI(
            scheme, host="example.org", port=1, path="/x" if scheme == "file" else "", params={"colour": "1"}
        )
        if scheme in {"file", "stdout"}:
            uri = dataclasses.replace(uri, host="", port=None)
        with pytest.raises(UsageError, match=r"has no parameter 'colour'; it has: .*format"):
            destination.drain.configure(uri)


def test_settings_are_frozen_slotted_and_never_show_a_secret(tmp_path: Path) -> None:
    for made in DESTINATIONS.values():
        destination = made(tmp_path)
        config = destination.drain.configure(DrainURI.parse(destination.address.replace(":0", ":1")))
        assert not hasattr(config, "__dict__")
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(config, dataclasses.fields(config)[0].name, None)
        if destination.secret:
            assert destination.secret not in repr(config)


@those(secret=True)
async def test_a_failure_never_tells_the_secret(destination: Destination) -> None:
    errors = []
    async with destination.open() as drain:
        await destination.down()
        with pytest.raises(DrainError) as caught:
            await drain.send([numbered(0, 1)])
        errors.append(caught.value)
    with pytest.raises(DrainError) as caught:
        async with destination.open():
            pass
    errors.append(caught.value)
    for error in errors:
        shown: BaseException | None = error
        while shown is not None:
            assert destination.secret not in f"{shown!r} {shown}"
            shown = shown.__cause__


async def test_limits_make_sense(destination: Destination) -> None:
    async with destination.open(Context(name="contract", node="n", partition=1, partitions=4)) as drain:
        limits = drain.limits
    assert limits.max_bytes >= 1024
    assert limits.max_records >= 1
    assert limits.timeout > 0
    assert limits.in_flight >= 1
    assert limits.linger >= 0
