"""Reading a file in pieces: lines of every shape, and files that change behind the reader's back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logyard.agent.position import HEAD, Position
from logyard.agent.reading import LONG, Piece, Reader, Truncated
from logyard.batch import BLOCK_LIMIT, RECORD_LIMIT


class File:
    """A file that is written to, and a reader of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.touch()
        self.fd = os.open(path, os.O_RDONLY)
        self.reader = Reader(self.fd)

    def write(self, data: bytes) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(data)

    def refill(self, data: bytes) -> None:
        """Empty the file and write to it, as after copytruncate."""
        with self.path.open("r+b", buffering=0) as file:
            file.truncate(0)
            file.write(data)

    def read_all(self, *, flush: bool = False) -> list[Piece]:
        pieces = []
        while True:
            piece = self.reader.read(flush=flush)
            if piece is not None:
                pieces.append(piece)
            elif not self.reader.more:
                return pieces

    def again(self) -> None:
        """Go on with a new reader from the stored state, as after a restart."""
        position = Position.decode(self.reader.position.encode())
        assert position is not None
        assert position.matches(self.fd)
        self.reader = Reader(self.fd)
        self.reader.seek(position)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    made = File(tmp_path / "file")
    yield made
    os.close(made.fd)


def test_complete_lines_are_given_out_as_they_are(file: File) -> None:
    file.write(b"one\r\n\ntwo \xff\x00\n")
    assert file.read_all() == [Piece(b"one\r\n\ntwo \xff\x00", 0)]
    assert file.reader.held == 0


def test_a_short_file_is_read_at_once(file: File) -> None:
    file.write(b"a\n")
    assert file.read_all() == [Piece(b"a", 0)]


def test_an_empty_line_is_a_record(file: File) -> None:
    file.write(b"\n")
    assert file.read_all() == [Piece(b"", 0)]


def test_a_line_without_an_end_is_held(file: File) -> None:
    file.write(b"one\ntw")
    assert file.read_all() == [Piece(b"one", 0)]
    assert file.reader.held == 2
    file.write(b"o\n")
    assert file.read_all() == [Piece(b"two", 4)]


def test_a_flushed_line_is_partial_and_its_end_makes_no_record(file: File) -> None:
    file.write(b"tw")
    assert file.read_all(flush=True) == [Piece(b"tw", 0, partial=True)]
    file.write(b"\nthree\n")
    assert file.read_all() == [Piece(b"three", 3)]


def test_the_rest_of_a_flushed_line_is_a_record_that_begins_where_it_ended(file: File) -> None:
    file.write(b"tw")
    file.read_all(flush=True)
    file.write(b"o\n\n")
    assert file.read_all() == [Piece(b"o\n", 2)]


@pytest.mark.parametrize("rest", [b"\n", b"\nthree\n", b"o\nthree\n"])
def test_a_restart_inside_a_flushed_line_changes_nothing(file: File, rest: bytes) -> None:
    file.write(b"tw")
    file.read_all(flush=True)
    file.again()
    assert file.reader.position.flags == "p"
    file.write(rest)
    offset = 3 if rest.startswith(b"\n") else 2
    lines = rest.strip(b"\n")
    assert file.read_all() == ([Piece(lines, offset)] if lines else [])


def test_the_swallowed_end_of_a_flushed_line_is_swallowed_again_after_a_restart(file: File) -> None:
    file.write(b"tw")
    file.read_all(flush=True)
    stored = file.reader.position
    file.write(b"\n")
    assert file.read_all() == []
    file.reader = Reader(file.fd)
    file.reader.seek(stored)
    file.write(b"three\n")
    assert file.read_all() == [Piece(b"three", 3)]


@pytest.mark.parametrize("length", [LONG, BLOCK_LIMIT - 1, BLOCK_LIMIT, BLOCK_LIMIT + 1, RECORD_LIMIT])
def test_a_long_line_is_one_record(file: File, length: int) -> None:
    line = b"x" * length
    file.write(b"before\n" + line + b"\nafter\n")
    pieces = file.read_all()
    assert b"\n".join(piece.block for piece in pieces) == b"before\n" + line + b"\nafter"
    assert not any(piece.cut or piece.partial for piece in pieces)


@pytest.mark.parametrize("extra", [1, BLOCK_LIMIT, 5 * RECORD_LIMIT])
def test_a_line_beyond_the_limit_is_cut_and_the_next_one_whole(file: File, extra: int) -> None:
    line = b"x" * (RECORD_LIMIT + extra)
    file.write(b"before\n" + line + b"\nafter\n")
    assert file.read_all() == [
        Piece(b"before", 0),
        Piece(line[:RECORD_LIMIT], 7, cut=len(line)),
        Piece(b"after", 7 + len(line) + 1),
    ]
    assert file.reader.skipped.cut == extra


def test_a_line_beyond_the_limit_that_grows_slowly_is_cut_once(file: File) -> None:
    pieces = []
    for _ in range(30):
        file.write(b"x" * 50_000)
        pieces += file.read_all()
    assert pieces == []
    assert file.reader.held == 1_500_000
    file.write(b"\nafter\n")
    first, second = file.read_all()
    assert (len(first.block), first.cut) == (RECORD_LIMIT, 1_500_000)
    assert second == Piece(b"after", 1_500_001)


def test_the_rest_of_a_flushed_cut_line_is_skipped(file: File) -> None:
    file.write(b"x" * (RECORD_LIMIT + 10))
    (piece,) = file.read_all(flush=True)
    assert (len(piece.block), piece.cut, piece.partial) == (RECORD_LIMIT, RECORD_LIMIT + 10, True)
    file.again()
    assert file.reader.position.flags == "s"
    file.write(b"y" * 300_000)
    assert file.read_all(flush=True) == []
    file.write(b"yyy\nafter\n")
    assert [piece.block for piece in file.read_all()] == [b"after"]


def test_a_file_that_was_emptied_is_noticed(file: File) -> None:
    file.write(b"one\ntwo\n")
    file.read_all()
    file.refill(b"")
    with pytest.raises(Truncated):
        file.reader.read()


@pytest.mark.parametrize("new", [b"three\n", b"ONE\ntwo\n", b"other\n" * 1000, b"one\nTWO\nthree\n"])
def test_a_file_that_was_emptied_and_filled_again_is_noticed(file: File, new: bytes) -> None:
    file.write(b"one\ntwo\n")
    file.read_all()
    file.refill(new)
    with pytest.raises(Truncated):
        file.reader.read()


def test_repeated_lines_do_not_hide_a_new_beginning(file: File) -> None:
    lines = b"".join(b'{"level":"info","msg":"the same line again and again and again"}\n' for _ in range(40))
    file.write(b"first run\n" + lines)
    file.read_all()
    file.refill(b"other run\n" + lines * 2)
    with pytest.raises(Truncated):
        file.reader.read()


def test_repeated_beginnings_do_not_hide_new_lines(file: File) -> None:
    banner = b"# a banner that every run writes\n" * 60
    assert len(banner) > HEAD
    file.write(banner + b"first run\n")
    file.read_all()
    file.refill(banner + b"other run\n" * 2)
    with pytest.raises(Truncated):
        file.reader.read()


def test_a_long_line_in_an_emptied_file_is_noticed(file: File) -> None:
    file.write(b"one\n" + b"x" * (2 * LONG))
    file.read_all()
    file.refill(b"y" * (3 * LONG) + b"\n")
    with pytest.raises(Truncated):
        file.read_all()


def test_nul_bytes_at_the_beginning_are_skipped_and_counted(file: File) -> None:
    file.write(b"\0" * 700_000 + b"one\n")
    assert file.read_all() == [Piece(b"one", 700_000)]
    assert file.reader.skipped.nul == 700_000


def test_a_hole_at_the_beginning_is_not_read(file: File) -> None:
    size = 1 << 40
    with file.path.open("r+b") as output:
        output.truncate(size)
    assert file.read_all() == []
    file.write(b"one\n")
    assert file.read_all() == [Piece(b"one", size)]
    assert file.reader.skipped.nul == size


def test_nul_bytes_behind_the_beginning_are_text(file: File) -> None:
    file.write(b"one\n\0two\n")
    assert file.read_all() == [Piece(b"one\n\0two", 0)]


chunks = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"\n", b"\n\n", b"line\n", b"x" * 70_000, b"y" * 300_000, b"z" * 1_100_000, b"end\n"]),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(chunks, st.booleans(), st.booleans()), max_size=12))
def test_every_byte_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[bytes, bool, bool]]
) -> None:
    """Pieces and what lies between them add up to the file, however it is written, flushed and resumed."""
    file = File(tmp_path_factory.mktemp("file") / "file")
    written, pieces = b"#", []
    file.write(written)
    for data, flush, restart in [*writes, (b"\n", False, False)]:
        file.write(data)
        written += data
        if restart:
            file.again()
        pieces += file.read_all(flush=flush)
    os.close(file.fd)
    at = 0
    cut = False
    for piece in pieces:
        between = written[at : piece.first]
        assert between in {b"", b"\n"} or cut, between
        length = min(piece.cut, RECORD_LIMIT) or len(piece.block)
        assert piece.block == written[piece.first : piece.first + length]
        at = piece.first + (piece.cut or len(piece.block))
        if not piece.partial:
            assert written[at : at + 1] == b"\n"
            at += 1
        cut = bool(piece.cut)
    assert at >= len(written) - 1 or cut
