"""The programs in docs/write-a-drain.md keep the contract that the page explains."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest

from logyard.drain import DrainURI
from logyard.errors import NotConnected, Permanent, RetryLater, UsageError
from tests.drains.destinations import CONTEXT, Destination, HttpDestination
from tests.drains.records import numbered
from tests.drains.test_contract import (  # noqa: F401 - they run here, with the destination of this page
    test_a_destination_that_is_down_is_told_and_taken_up_again,
    test_a_send_without_records_changes_nothing,
    test_after_finish_and_leaving_everything_is_there,
    test_limits_make_sense,
    test_only_selected_records_are_sent,
    test_trying_the_address_changes_nothing,
    test_what_is_told_to_have_arrived_is_there_in_order,
)
from tests.servers.http_sink import Reply, Request

PAGE = Path(__file__).parents[2] / "docs/write-a-drain.md"


CODE = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def module_of(number: int) -> ModuleType:
    """One of the page's programs, as a module."""
    module = ModuleType(f"drain_{number}_of_the_page")
    sys.modules[module.__name__] = module  # dataclasses look there
    exec(compile(CODE[number], str(PAGE), "exec"), module.__dict__)
    return module


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """The page's first program."""
    return module_of(0)


@pytest.fixture(scope="module")
def http_program() -> ModuleType:
    """The page's second program."""
    return module_of(1)


class UnixDestination(Destination):
    """A server that answers each send."""

    def __init__(self, folder: Path, module: ModuleType) -> None:
        super().__init__(folder)
        self._module = module
        self._received = bytearray()
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self.busy = False

    @property
    def drain(self) -> ModuleType:
        return self._module

    @property
    def address(self) -> str:
        return f"unix://{self.folder}/app.sock"

    async def up(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.folder / "app.sock")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        pending = b""
        while line := await reader.readline():
            if line != b"\n":
                pending += line
                continue
            if not self.busy:
                self._received += pending
            writer.write(b"later\n" if self.busy else b"ok\n")
            pending = b""
        writer.close()
        self._serving.discard(task)

    async def down(self) -> None:
        if self._server is not None:
            self._server.close()
            (self.folder / "app.sock").unlink(missing_ok=True)
            self._server = None

    def data(self) -> bytes:
        return bytes(self._received)


class SplunkDestination(HttpDestination):
    """A collector that takes events with the right token."""

    def __init__(self, folder: Path, module: ModuleType) -> None:
        super().__init__(folder)
        self._module = module
        self.sink.answer = self._answer

    def _answer(self, request: Request) -> Reply:
        if request.target != "/services/collector/event" or request.method != "POST":
            return Reply(404)
        if request.headers.get("authorization") != f"Splunk {self.secret}":
            return Reply(403, b'{"text":"Invalid token","code":4}')
        for line in request.body.splitlines():
            assert json.loads(line).keys() == {"event"}
        return Reply(200, b'{"text":"Success","code":0}')

    @property
    def drain(self) -> ModuleType:
        return self._module

    @property
    def address(self) -> str:
        return f"splunk+http://{self.secret}@127.0.0.1:{self.sink.port}"


@pytest.fixture
async def unix(tmp_path: Path, program: ModuleType) -> AsyncIterator[UnixDestination]:
    made = UnixDestination(tmp_path, program)
    await made.up()
    yield made
    await made.end()
    await asyncio.gather(*made._serving)


@pytest.fixture
async def splunk(tmp_path: Path, http_program: ModuleType) -> AsyncIterator[SplunkDestination]:
    made = SplunkDestination(tmp_path, http_program)
    await made.up()
    yield made
    await made.end()


@pytest.fixture(params=["unix", "splunk"])
def destination(request: pytest.FixtureRequest, unix: UnixDestination, splunk: SplunkDestination) -> Destination:
    return unix if request.param == "unix" else splunk


async def test_a_busy_destination_is_asked_again_over_the_same_connection(unix: UnixDestination) -> None:
    async with unix.open() as drain:
        unix.busy = True
        with pytest.raises(RetryLater, match="is busy"):
            await drain.send([numbered(0, 3)])
        unix.busy = False
        await drain.send([numbered(0, 3)])
    assert unix.numbers() == [0, 1, 2]


async def test_a_missing_socket_is_named(unix: UnixDestination) -> None:
    await unix.down()
    with pytest.raises(NotConnected, match=r"app\.sock: No such file or directory"):
        async with unix.open():
            pass


async def test_a_wrong_token_is_told_by_the_second_program(splunk: SplunkDestination) -> None:
    config = splunk.drain.configure(DrainURI.parse(splunk.address.replace(splunk.secret, "another-token")))
    assert "another-token" not in repr(config)
    async with splunk.drain.open(config, CONTEXT) as drain:
        with pytest.raises(Permanent, match=r"Invalid token.*the token is wrong or disabled") as caught:
            await drain.send([numbered(0, 1)])
    assert "another-token" not in str(caught.value)


def test_an_address_without_a_token_is_refused_by_the_second_program(http_program: ModuleType) -> None:
    with pytest.raises(UsageError, match="write splunk://TOKEN@host:8088"):
        http_program.configure(DrainURI.parse("splunk://h:8088"))


def test_wrong_addresses_are_refused(program: ModuleType) -> None:
    for uri, complaint in (("unix://host/x", "needs a path"), ("unix:///x?colour=1", "has no parameter 'colour'")):
        with pytest.raises(UsageError, match=complaint):
            program.configure(DrainURI.parse(uri))


def test_the_examples_are_short() -> None:
    assert len(CODE) == 2
    for code in CODE:
        assert len([line for line in code.splitlines() if line.strip()]) <= 60
