"""Leases exclude each other; trimming respects the groups until the hard cap."""

from __future__ import annotations

import subprocess
import sys

import pytest

from logyard.batch import Batch
from logyard.bus.catalogue import list_streams
from logyard.bus.drains import DrainSpec, add_drain, drain_status
from logyard.bus.groups import Acknowledgement, Decoder, Group
from logyard.bus.leases import Lease, owner_is_gone, owner_name
from logyard.bus.publish import Outbox
from logyard.bus.trim import END, Retention, Trimmed, trim_stream
from logyard.errors import ServerError
from logyard.server import Server, keys

EVERYTHING = Retention(window=0, stream_bytes=0)
NOW = 1 << 60


async def test_a_lease_has_one_holder_and_can_be_given_up(server: Server) -> None:
    one, two = Lease(server, "p00", "d", "elsewhere/1/1/0"), Lease(server, "p00", "d", "elsewhere/2/2/0")
    assert await one.hold()
    assert await one.hold()
    assert not await two.hold()
    await two.release()
    assert await one.hold()
    await one.release()
    assert await two.hold()
    assert 0 < await server.call("p00", "PTTL", two.key) <= 6000


async def test_the_lease_of_a_process_of_this_machine_that_is_gone_is_taken_over_at_once(server: Server) -> None:
    name = subprocess.run(
        [sys.executable, "-c", "from logyard.bus.leases import owner_name; print(owner_name())"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    assert owner_is_gone(name)
    assert not owner_is_gone(owner_name())
    assert not owner_is_gone("another-machine.1/999999/1/0")
    dead = Lease(server, "p00", "d", name)
    assert await dead.hold()
    assert await Lease(server, "p00", "d", owner_name()).hold()
    assert not await dead.hold()


class Stream:
    """A stream of numbered records, and a drain that acknowledges some."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.published = 0

    async def publish(self, batches: int, size: int = 1000) -> None:
        outbox = Outbox(self.server, compress=False)
        for _ in range(batches):
            number = self.published
            batch = Batch(
                key="app.web", node="n", source="s", time_ns=1, count=2, origin="x.0", first=number, last=number + 1,
                block=b"x" * size + b"\ny",
            )  # fmt: skip
            await outbox.publish(batch, "src", b"%d" % number if number else b"", b"%d" % (number + 1))
            self.published += 1

    async def deliver(self, drain: str, batches: int, acknowledge: int) -> None:
        owner = owner_name()
        assert await Lease(self.server, "p00", drain, owner).hold()
        group = Group(self.server, "p00", drain, owner)
        async with self.server.dedicated("p00") as connection:
            answer = await group.read(connection, ["app.web"], count=batches, block_ms=None)
        found, _ = Decoder().batches("app.web", answer[0][1])
        done = Acknowledgement()
        for batch in found[:acknowledge]:
            done.add(batch)
        await group.acknowledge(done)

    async def left(self) -> int:
        return int(await self.server.call("p00", "XLEN", keys.stream_key("p00", "app.web")))

    async def trim(self, retention: Retention = EVERYTHING) -> Trimmed:
        return await trim_stream(self.server, "p00", "app.web", retention, NOW)


@pytest.fixture
def stream(server: Server) -> Stream:
    return Stream(server)


async def test_without_drains_the_window_decides(server: Server, stream: Stream) -> None:
    await stream.publish(10)
    assert await trim_stream(server, "p00", "app.web", Retention(), 1000) == Trimmed()
    assert await stream.trim() == Trimmed(10, 20, 0)
    assert await stream.left() == 0
    (info,) = await list_streams(server)
    assert (info.records, info.trimmed, info.held, info.lost) == (20, 20, 0, 0)
    await stream.publish(1)
    assert (await list_streams(server))[0].held == 2


async def test_what_a_drain_has_not_acknowledged_stays(server: Server, stream: Stream) -> None:
    await add_drain(server, DrainSpec(name="slow", uri="tcp://h", start="beginning"))
    await add_drain(server, DrainSpec(name="quick", uri="tcp://h", start="beginning"))
    await stream.publish(1)
    for drain in ("slow", "quick"):
        assert await server.call("p00", "XGROUP", "CREATE", keys.stream_key("p00", "app.web"), f"drain:{drain}", "0")
    await stream.publish(9)
    await stream.deliver("quick", batches=10, acknowledge=10)
    assert await stream.trim() == Trimmed()
    await stream.deliver("slow", batches=6, acknowledge=4)
    assert await stream.trim() == Trimmed(4, 8, 0)
    assert await stream.left() == 6
    await stream.deliver("slow", batches=10, acknowledge=10)
    assert (await stream.trim()).entries == 0  # two are still pending from before


async def test_bytes_are_trimmed_only_as_far_as_every_drain_is(server: Server, stream: Stream) -> None:
    await stream.publish(1, 5000)
    await add_drain(server, DrainSpec(name="d", uri="tcp://h", start="beginning"))
    await stream.publish(19, 5000)
    some = Retention(window=1 << 59, stream_bytes=60_000)
    assert (await trim_stream(server, "p00", "app.web", some, 0)).entries == 0
    await stream.deliver("d", batches=5, acknowledge=5)
    assert (await trim_stream(server, "p00", "app.web", some, 0)).entries == 5
    await stream.deliver("d", batches=15, acknowledge=15)
    trimmed = await trim_stream(server, "p00", "app.web", some, 0)
    assert 1 <= trimmed.entries <= 8
    assert trimmed.lost == 0


async def test_above_the_hard_cap_the_oldest_go_and_are_counted(server: Server, stream: Stream) -> None:
    await stream.publish(1, 5000)
    await add_drain(server, DrainSpec(name="d", uri="tcp://h", start="beginning"))
    await stream.publish(19, 5000)
    await stream.deliver("d", batches=3, acknowledge=3)
    trimmed = await trim_stream(server, "p00", "app.web", Retention(hard_cap=50_000), 0)
    left = await stream.left()
    assert 0 < left < 12
    assert trimmed == Trimmed(20 - left, 2 * (20 - left), 2 * (20 - left - 3))
    (info,) = await list_streams(server)
    assert info.lost == 2 * (20 - left - 3)
    assert (await drain_status(server))[0].lag_records == 34


async def test_only_the_holder_of_the_lease_acknowledges(server: Server, stream: Stream) -> None:
    await stream.publish(1)
    await add_drain(server, DrainSpec(name="d", uri="tcp://h", start="beginning"))
    group = Group(server, "p00", "d", "elsewhere/1/1/0")
    assert await Lease(server, "p00", "d", owner_name()).hold()
    done = Acknowledgement()
    done.count("delivered", 5)
    with pytest.raises(ServerError, match="LEASE lost"):
        await group.acknowledge(done)
    assert (await drain_status(server))[0].delivered == 0


def test_the_end_is_behind_every_entry() -> None:
    assert END > (1_800_000_000_000, 5)
