"""The program in docs/write-a-drain.md keeps the contract that the page explains."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest

from logyard.drain import DrainURI
from logyard.errors import NotConnected, RetryLater, UsageError
from tests.drains.destinations import Destination
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

PAGE = Path(__file__).parents[2] / "docs/write-a-drain.md"


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """The page's first program, as a module."""
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    module = ModuleType("unix_drain_of_the_page")
    sys.modules[module.__name__] = module  # dataclasses look there
    exec(compile(code[1], str(PAGE), "exec"), module.__dict__)
    return module


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


@pytest.fixture
async def destination(tmp_path: Path, program: ModuleType) -> AsyncIterator[UnixDestination]:
    made = UnixDestination(tmp_path, program)
    await made.up()
    yield made
    await made.end()
    await asyncio.gather(*made._serving)


async def test_a_busy_destination_is_asked_again_over_the_same_connection(destination: UnixDestination) -> None:
    async with destination.open() as drain:
        destination.busy = True
        with pytest.raises(RetryLater, match="is busy"):
            await drain.send([numbered(0, 3)])
        destination.busy = False
        await drain.send([numbered(0, 3)])
    assert destination.numbers() == [0, 1, 2]


async def test_a_missing_socket_is_named(destination: UnixDestination) -> None:
    await destination.down()
    with pytest.raises(NotConnected, match=r"app\.sock: No such file or directory"):
        async with destination.open():
            pass


def test_wrong_addresses_are_refused(program: ModuleType) -> None:
    for uri, complaint in (("unix://host/x", "needs a path"), ("unix:///x?colour=1", "has no parameter 'colour'")):
        with pytest.raises(UsageError, match=complaint):
            program.configure(DrainURI.parse(uri))


def test_the_example_is_short() -> None:
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    assert len([line for line in code[1].splitlines() if line.strip()]) <= 60
