"""Writing waits for whoever reads, and notices when nobody does any more."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator

import pytest

from logyard_cli.output import Output
from tests.servers.processes import eventually


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    open_ends = set(ends)
    yield ends
    for end in open_ends:
        with contextlib.suppress(OSError):
            os.close(end)


async def test_a_full_pipe_stops_the_writer_and_nobody_else(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    data = os.urandom(300_000)
    with Output(writer) as output:
        writing = asyncio.create_task(output.write(data))
        for _ in range(10):
            await asyncio.sleep(0)  # the loop goes on
        assert not writing.done()
        got = b""
        while len(got) < len(data):
            got += await asyncio.to_thread(os.read, reader, 65536)
        await writing
    assert got == data


async def test_a_reader_that_goes_away_is_noticed_while_nothing_is_written(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    with Output(writer) as output:
        await output.write(b"x")
        assert not output.closed.is_set()
        os.close(reader)
        await asyncio.wait_for(output.closed.wait(), 30)
        with pytest.raises(BrokenPipeError):
            await output.write(b"y")


async def test_leaving_in_the_middle_of_a_line_ends_the_line(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    with Output(writer) as output:
        writing = asyncio.create_task(output.write(b"x" * 1_000_000))
        got = bytearray()
        await eventually(lambda: output._broken_line, "the first bytes")
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        os.set_blocking(reader, False)
        while True:
            try:
                got += os.read(reader, 65536)
            except BlockingIOError:
                break
    got += os.read(reader, 65536)
    assert bytes(got) == b"x" * (len(got) - 1) + b"\n"


async def test_a_file_is_written_at_once(tmp_path: object) -> None:
    path = f"{tmp_path}/out"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    with Output(fd) as output:
        await output.write(b"x" * 1_000_000)
    os.close(fd)
    assert os.path.getsize(path) == 1_000_000  # noqa: PTH202
