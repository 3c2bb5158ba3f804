"""The demo's course: everything is started, watched, ended, and counted."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import orjson

from logyard.bus.catalogue import list_streams
from logyard.bus.nodes import list_nodes
from logyard.demo.application import COUNTS, HEALTH, NAME, Plan
from logyard.demo.receiver import Receiver, receive_syslog
from logyard.demo.summary import Archive, Tally
from logyard.deployment import Deployment, deploy
from logyard.errors import ConnectionLost, LogyardError
from logyard.secret import Secret
from logyard.server import connect
from logyard.settings import AgentSettings, DrainSettings, EmbeddedSettings, FileSettings, Settings, load_settings
from logyard.supervisor import Child, Process
from logyard.supervisor.process import describe_end
from logyard_cli.exits import say
from logyard_cli.output import Output
from logyard_cli.stopping import Stopping
from logyard_cli.tail import TailOptions, run_tail

__all__ = ["demonstrate"]

BEGIN_WITHIN = 10.0
SETTLE_WITHIN = 20.0
SHOW_WITHIN = 10.0
MEMORY = 256 << 20


class _Counted(Output):
    """Standard output, and how many lines have gone there."""

    lines = 0

    async def write(self, data: bytes) -> None:
        await super().write(data)
        self.lines += data.count(b"\n")


async def demonstrate(plan: Plan, home: Path, lock: int, stopping: Stopping) -> Tally | None:
    """Run the demo until its duration is over or somebody ends it.

    Args:
        plan: of the application, whose folder is ``home/logs``.
        home: for everything else; its ``data`` is prepared and claimed.
        lock: the claim's descriptor.
        stopping: asks for the end. A second request ends it at once.

    Returns:
        What was counted, None when it was ended at once.

    Raises:
        LogyardError: a part of it could not be started, or broke.
    """
    async with receive_syslog() as receiver:
        settings = _settings(plan, home, receiver.port)
        async with deploy(settings, lock, output=home / "logyard.log") as deployment:
            return await _Course(plan, home, receiver, deployment, stopping).run()


def _settings(plan: Plan, home: Path, port: int) -> Settings:
    folder = Path(plan.folder)
    files = (
        FileSettings(folder / f"{NAME}.{{instance}}.log", app=NAME, source="stdout"),
        FileSettings(folder / f"{HEALTH}.log", key=f"sys.{HEALTH}"),
    )
    return Settings(
        data_dir=home / "data",
        node=load_settings(environ={"HOME": str(home)}).node,
        agent=AgentSettings(start="beginning", files=files),
        drains={
            "archive": DrainSettings(Secret(f"file://{home}/archive.log"), format="json"),
            "siem": DrainSettings(Secret(f"syslog://127.0.0.1:{port}")),
        },
        server=EmbeddedSettings(maxmemory=MEMORY),
    )


class _Course:
    def __init__(self, plan: Plan, home: Path, receiver: Receiver, deployment: Deployment, stopping: Stopping) -> None:
        self._plan = plan
        self._home = home
        self._receiver = receiver
        self._deployment = deployment
        self._stopping = stopping
        self._at_once = asyncio.Event()
        self._archive = Archive(home / "archive.log")
        output = _Counted.standard()
        assert isinstance(output, _Counted)
        self._output = output

    async def run(self) -> Tally | None:
        self._stopping.on_second(self._end_at_once)
        self._introduce()
        await self._until_the_agent_looks()
        application = self._start_application()
        tail_stop = asyncio.Event()
        tail = asyncio.create_task(self._tail(tail_stop))
        try:
            await self._watch(application, tail)
            written = await self._end(application)
            tally = await self._settled(written)
            if tally is not None:
                total = sum(tally.streams.values())
                await self._until(lambda: self._output.lines >= total or tail.done(), SHOW_WITHIN)
            return tally
        finally:
            if not application.ended:
                application.kill_and_wait()
            tail_stop.set()
            await tail

    def _introduce(self) -> None:
        end = f"It ends after {self._plan.duration:g} s" if self._plan.duration is not None else "Ctrl-C ends it"
        say(
            f"demo: {self._plan.instances} instances of {NAME} log to {self._plan.folder}; drains take all to "
            f"{self._home / 'archive.log'} and to a syslog receiver on port {self._receiver.port}. {end}."
        )

    async def _until_the_agent_looks(self) -> None:
        """What has been rotated before an agent looks for the first time is not read."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + BEGIN_WITHIN
        async with connect(self._deployment.url) as server:
            while loop.time() < deadline and not self._stopping.requested:
                if await list_nodes(server, time.time()):
                    return
                await asyncio.sleep(0.02)

    def _start_application(self) -> Process:
        argv = (sys.executable, "-P", "-m", "logyard.demo.application")
        told = orjson.dumps(asdict(self._plan))
        return Process(Child("the application", argv, stdin=told, output=self._home / "application.log"))

    async def _tail(self, stop: asyncio.Event) -> None:
        url = self._deployment.url
        await run_tail(lambda: connect(url), TailOptions(last=None), stop, output=self._output)

    async def _watch(self, application: Process, tail: asyncio.Task[None]) -> None:
        """Until the application is over, somebody asks for the end, or something breaks."""
        ended = asyncio.create_task(application.wait())
        tasks = {
            ended, tail, asyncio.create_task(self._stopping.wait()),
            asyncio.create_task(self._deployment.supervisor.over()),
        }  # fmt: skip
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks - {tail}:
                task.cancel()
            results = await asyncio.gather(*(tasks - {tail}), return_exceptions=True)
        for result in [*results, tail.exception() if tail in done else None]:
            if isinstance(result, LogyardError):
                raise result
        if ended in done and ended.result() != 0:
            raise LogyardError(
                f"the application {describe_end(ended.result())}; see {self._home / 'application.log'} (with --keep)"
            )

    async def _end(self, application: Process) -> dict[str, int]:
        """The application ends; what it wrote."""
        application.terminate()
        code = await application.wait()
        try:
            counts = await asyncio.to_thread((Path(self._plan.folder) / COUNTS).read_bytes)
        except FileNotFoundError:
            if code == -signal.SIGTERM:  # the end was asked for before it had begun
                return {}
            raise LogyardError(f"the application {describe_end(code)} and has not told what it wrote") from None
        return dict(orjson.loads(counts))

    async def _settled(self, written: dict[str, int]) -> Tally | None:
        """The counts once they agree, or as they are when they have had their time; None when it was to end at once."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLE_WITHIN
        while not self._at_once.is_set():
            over = loop.time() >= deadline
            try:
                tally = await self._count(written)
                if tally.agrees or over:
                    return tally
            except ConnectionLost:  # the server may just be starting again
                if over:
                    raise
            await asyncio.sleep(0.05)
        return None

    async def _count(self, written: dict[str, int]) -> Tally:
        async with connect(self._deployment.url) as server:
            streams = {stream.key: stream.records for stream in await list_streams(server)}
        self._archive.read()
        archive, receiver = self._archive, self._receiver
        return Tally(
            written,
            streams,
            dict(archive.by_source),
            dict(receiver.by_source),
            archive.repeated,
            tuple(receiver.errors),
        )

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        # what it waits for has no event
        while not condition() and loop.time() < deadline and not self._at_once.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def _end_at_once(self) -> None:
        self._at_once.set()
        self._deployment.supervisor.hurry()
