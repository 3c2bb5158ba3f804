"""The agent and a real server: restarts and crashes of either side, and a server without memory."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from logyard.agent.service import AgentOptions, FileRule, run_agent
from logyard.batch import Batch, decode
from logyard.bus.nodes import list_nodes
from logyard.server import connect
from tests.agent.conftest import write
from tests.servers.processes import Processes, eventually
from tests.servers.redis import RedisServer

AGENT = """
import asyncio, sys
from pathlib import Path
from logyard.agent.service import AgentOptions, FileRule, run_agent
from logyard.server import connect
url, pattern, data = sys.argv[1:]
options = AgentOptions("node1", (FileRule(pattern),), start="beginning", data_dir=Path(data))
asyncio.run(run_agent(lambda: connect(url), options, asyncio.Event()))
"""


def stored(server: RedisServer, key: str = "sys.web") -> list[Batch]:
    entries = server.call("XRANGE", f"logyard:{{p00}}:stream:{key}", "-", "+")
    batches = []
    for entry, fields in entries:
        flat = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
        batches.append(decode(key, entry, flat))
    return batches


def lines(server: RedisServer) -> list[bytes]:
    return [line for batch in stored(server) for line in batch.lines]


def text(number: int) -> str:
    return f"{number} a line that is long enough to be compressed {number * 7919}"


async def test_lines_arrive_in_a_real_server_once(valkey: RedisServer, logs: Path, tmp_path: Path) -> None:
    log = logs / "web.log"
    written = [text(number) for number in range(20_000)]
    for start in range(0, 20_000, 5000):
        stop = asyncio.Event()
        options = AgentOptions("node1", (FileRule(str(log)),), start="beginning", data_dir=tmp_path / "data")
        write(log, *written[start : start + 5000])
        agent = asyncio.create_task(run_agent(lambda: connect(valkey.url), options, stop))
        await eventually(lambda start=start: len(lines(valkey)) >= start + 5000, "the lines")  # type: ignore[misc]
        stop.set()
        await agent
    assert lines(valkey) == [line.encode() for line in written]
    assert [batch.total for batch in stored(valkey)][-1] == 20_000
    async with connect(valkey.url) as server:
        (report,) = await list_nodes(server, 0.0)
    assert (report.node, report.state) == ("node1", "stopped")
    assert report.counters["records"] == 5000


async def test_killed_agents_lose_and_repeat_nothing(
    valkey: RedisServer, logs: Path, tmp_path: Path, processes: Processes
) -> None:
    log = logs / "web.log"
    count = 0
    for _ in range(4):
        before = len(lines(valkey))
        write(log, *(text(number) for number in range(count, count + 30_000)))
        count += 30_000
        agent = processes.start("agent", [sys.executable, "-c", AGENT, valkey.url, str(log), str(tmp_path / "data")])
        await eventually(lambda before=before: len(lines(valkey)) > before, "some lines")  # type: ignore[misc]
        agent.send_signal(signal.SIGKILL)
        agent.end()
        log.rename(log.with_name(f"web.log-20240101-{count:06}"))
    write(log, text(count))
    processes.start("agent", [sys.executable, "-c", AGENT, valkey.url, str(log), str(tmp_path / "data")])
    await eventually(lambda: len(lines(valkey)) > count, "the last line")
    assert [int(line.split()[0]) for line in lines(valkey)] == list(range(count + 1))


async def test_a_killed_server_loses_and_repeats_nothing(own_valkey: RedisServer, logs: Path, tmp_path: Path) -> None:
    """Its append-only file is forced to the disk once a second; what it had not written yet is read again."""
    log = logs / "web.log"
    log.touch()
    stop = asyncio.Event()
    options = AgentOptions("node1", (FileRule(str(log)),), start="beginning", data_dir=tmp_path / "data")
    agent = asyncio.create_task(run_agent(lambda: connect(own_valkey.url), options, stop))
    count = 0
    for _ in range(3):
        for _ in range(50):
            write(log, *(text(number) for number in range(count, count + 200)))
            count += 200
            await asyncio.sleep(0.001)
        await asyncio.to_thread(own_valkey.kill)
        write(log, text(count))
        count += 1
        log.rename(log.with_name(f"web.log-20240101-{count:06}"))
        log.touch()
        await asyncio.to_thread(own_valkey.start)
        await eventually(lambda count=count: len(lines(own_valkey)) >= count, "the lines")  # type: ignore[misc]
    stop.set()
    await agent
    assert [int(line.split()[0]) for line in lines(own_valkey)] == list(range(count))


async def test_a_server_without_memory_is_waited_for(
    make_redis: Callable[..., RedisServer], logs: Path, tmp_path: Path
) -> None:
    server = make_redis(settings=("maxmemory 100mb",))
    log = logs / "web.log"
    write(log, text(0))
    stop = asyncio.Event()
    options = AgentOptions(
        "node1", (FileRule(str(log)),), start="beginning", data_dir=tmp_path / "data", report_every=0.05
    )
    agent = asyncio.create_task(run_agent(lambda: connect(server.url), options, stop))
    await eventually(lambda: len(lines(server)) == 1, "the first line")
    server.call("CONFIG", "SET", "maxmemory", "1mb")
    write(log, *(text(number) for number in range(1, 30_000)))

    async def state() -> str:
        async with connect(server.url) as connected:
            return next((report.state for report in await list_nodes(connected, 0.0)), "")

    async with asyncio.timeout(60):
        while await state() != "waiting":
            await asyncio.sleep(0.01)
    server.call("CONFIG", "SET", "maxmemory", "100mb")
    await eventually(lambda: len(lines(server)) == 30_000, "the lines")
    stop.set()
    await agent
    assert [int(line.split()[0]) for line in lines(server)] == list(range(30_000))
