"""Standard output: a terminal is not made to obey what a log line says."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.drain import Context, DrainURI
from logyard.errors import Permanent, UsageError
from logyard_drains import stdout
from logyard_drains.stdout import visible
from tests.drains.records import numbered

CONTEXT = Context(name="d", node="router1")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"\x1b[2Jgone\n", b"\\x1b[2Jgone\n"),
        (b"\x1b]0;title\x07\n", b"\\x1b]0;title\\x07\n"),
        ("\x9b31m é 漢 🙂\n".encode(), "\\x9b31m é 漢 🙂\n".encode()),
        (b"\x9b31m\n", b"\\x9b31m\n"),
        (b"over\rwritten\x08\x7f\n", b"over\\x0dwritten\\x08\\x7f\n"),
        (b"a\tb\n", b"a\tb\n"),
    ],
)
def test_control_characters_are_shown_and_not_obeyed(text: bytes, shown: bytes) -> None:
    assert visible(text) == shown


@given(st.binary())
def test_whatever_is_logged_no_control_character_is_left(data: bytes) -> None:
    text = visible(data).decode()
    assert not any((ord(char) < 32 and char not in "\n\t") or 127 <= ord(char) < 160 for char in text)
    assert text.count("\n") == data.count(b"\n")


async def test_records_go_to_the_real_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    # capfd's own file: a regular one, which cannot be waited for.
    with capfd.disabled(), Path(os.devnull).open("w") as nothing:
        stdout_before, sys.stdout = sys.stdout, nothing
        try:
            async with stdout.open(stdout.configure(DrainURI.parse("stdout://")), CONTEXT) as drain:
                await drain.send([numbered(0, 1000)])
        finally:
            sys.stdout = stdout_before


def test_it_works_in_a_program_of_its_own_and_keeps_the_order_of_what_was_printed() -> None:
    program = """
import asyncio
from logyard.drain import Context, DrainURI
from logyard_drains import stdout
from tests.drains.records import batch_of

async def main():
    print("printed before", end="|")
    config = stdout.configure(DrainURI.parse("stdout://?format=template={node} {text}"))
    async with stdout.open(config, Context("d", "n")) as drain:
        await drain.send([batch_of([b"one \\x1b[31m", b"two"])])
        await drain.finish()

asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, cwd=root)
    assert done.stderr.decode() == ""
    assert done.stdout == b"printed before|node1 one \\x1b[31m\nnode1 two\n"


async def test_without_standard_output_a_person_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for absent in (None, io.StringIO()):
        monkeypatch.setattr(sys, "stdout", absent)
        with pytest.raises(Permanent, match="no standard output"):
            async with stdout.open(stdout.configure(DrainURI.parse("stdout://")), CONTEXT):
                pass


def test_a_wrong_address_is_refused() -> None:
    for uri in ("stdout://host", "stdout:///path"):
        with pytest.raises(UsageError, match="neither host nor path"):
            stdout.configure(DrainURI.parse(uri))
