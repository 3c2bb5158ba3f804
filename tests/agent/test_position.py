"""States of sources: what is stored, and when a file is the one that was read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.agent.position import HEAD, TAIL, Position, first_generation, source_id


@pytest.fixture
def file(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    path = tmp_path / "file"
    path.touch()
    fd = os.open(path, os.O_RDONLY)
    yield path, fd
    os.close(fd)


@given(
    st.builds(
        Position,
        generation=st.integers(0, 2**40),
        offset=st.integers(0, 2**60),
        head=st.integers(0, HEAD),
        fingerprint=st.text("0123456789abcdef", min_size=16, max_size=16),
        flags=st.sampled_from(["", "p", "s"]),
    )
)
def test_a_state_is_read_back_as_it_was_written(position: Position) -> None:
    assert Position.decode(position.encode()) == position


def test_nothing_stored_is_no_position() -> None:
    assert Position.decode(b"") is None


@pytest.mark.parametrize("state", [b"1 2 3", b"x 2 3 f -", b"1 2 3 f x", b"2 1 2 3 f - more", b"\xff"])
def test_a_state_of_another_version_is_refused(state: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # which kind does not matter
        Position.decode(state)


def test_a_file_that_grew_still_matches(file: tuple[Path, int]) -> None:
    path, fd = file
    path.write_bytes(b"one\n")
    position = Position.at(fd, 4)
    path.write_bytes(b"one\ntwo\n")
    assert position.matches(fd)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"one",
        b"ONE\ntwo\nthree\n",
        b"one\ntwo\nthreX\n",
        b"one\n",
    ],
    ids=["emptied", "shorter", "another head", "another tail", "cut back"],
)
def test_a_file_that_holds_something_else_does_not_match(file: tuple[Path, int], content: bytes) -> None:
    path, fd = file
    path.write_bytes(b"one\ntwo\nthree\n")
    position = Position.at(fd, 14)
    path.write_bytes(content)
    assert not position.matches(fd)


def test_files_with_the_same_long_beginning_are_told_apart(file: tuple[Path, int]) -> None:
    path, fd = file
    banner = b"# the same for every file of this application\n" * 50
    assert len(banner) > HEAD + TAIL
    path.write_bytes(banner + b"first run\n")
    position = Position.at(fd, len(banner) + 10)
    path.write_bytes(banner + b"other run, and more\n")
    assert not position.matches(fd)


def test_the_beginning_matches_every_file(file: tuple[Path, int]) -> None:
    path, fd = file
    position = Position.at(fd, 0)
    path.write_bytes(b"anything")
    assert position.matches(fd)


def test_sources_differ_by_node_device_and_inode() -> None:
    ids = {
        source_id(*what) for what in [("a", 1, 2), ("b", 1, 2), ("a", 2, 2), ("a", 1, 3), ("a", 12, 3), ("a", 1, 23)]
    }
    assert len(ids) == 6
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in ids)


def test_a_first_generation_depends_on_the_first_line_alone() -> None:
    assert first_generation(b"2024-01-31 start\nmore") == first_generation(b"2024-01-31 start\nother things")
    assert first_generation(b"2024-01-31 start\n") != first_generation(b"2024-02-01 start\n")
