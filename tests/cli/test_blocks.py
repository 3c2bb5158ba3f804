"""Lines of a byte stream become blocks: no byte lost, whole lines, within the limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.batch import BLOCK_LIMIT, RECORD_LIMIT
from logyard_cli.blocks import Block, LineBlocks


def blocks_of(chunks: list[bytes], *, eager: bool) -> list[Block]:
    lines = LineBlocks()
    found = []
    for chunk in chunks:
        lines.feed(chunk)
        while eager and (block := lines.take()) is not None:
            found.append(block)
    lines.ended = True
    while (block := lines.take()) is not None:
        found.append(block)
    assert lines.held == 0
    return found


@given(st.lists(st.binary(max_size=40) | st.text("ab\n", max_size=9).map(str.encode)), st.booleans())
def test_the_blocks_hold_exactly_the_lines_that_were_fed(chunks: list[bytes], eager: bool) -> None:
    whole = b"".join(chunks)
    found = blocks_of(chunks, eager=eager)
    lines = [line for block in found for line in block.text.split(b"\n")]
    expected = whole.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert lines == expected
    assert [block.count for block in found] == [block.text.count(b"\n") + 1 for block in found]
    assert [block.first for block in found] == [0, *(block.last for block in found)][: len(found)]
    assert not found or found[-1].last == len(whole)
    assert [block.partial for block in found] == [False] * (len(found) - 1) + [not whole.endswith(b"\n")] * bool(found)


def test_a_large_input_comes_in_full_blocks_of_whole_lines() -> None:
    line = b"x" * 99 + b"\n"
    found = blocks_of([line * 10_000], eager=False)
    assert all(len(block.text) <= BLOCK_LIMIT for block in found)
    assert all(len(block.text) > BLOCK_LIMIT - 200 for block in found[:-1])
    assert sum(block.count for block in found) == 10_000


def test_a_line_larger_than_a_block_is_one_block() -> None:
    (before, large, after) = blocks_of([b"a\n" + b"x" * (BLOCK_LIMIT * 2) + b"\nb\n"], eager=False)
    assert (before.text, before.count, large.count, large.cut, after.text) == (b"a", 1, 1, 0, b"b")
    assert len(large.text) == BLOCK_LIMIT * 2


@pytest.mark.parametrize("chunk", [70_000, 3 * RECORD_LIMIT])
@pytest.mark.parametrize("end", [b"\nnext\n", b""])
def test_a_line_beyond_the_limit_is_cut_and_the_rest_counted(chunk: int, end: bytes) -> None:
    length = RECORD_LIMIT * 2 + 5
    data = b"first\n" + b"y" * length + end
    found = blocks_of([data[at : at + chunk] for at in range(0, len(data), chunk)], eager=True)
    cut = next(block for block in found if block.cut)
    assert cut == Block(b"y" * RECORD_LIMIT, 1, 6, 6 + length + bool(end), cut=length, partial=not end)
    rest = [block.text for block in found if not block.cut]
    assert rest == ([b"first", b"next"] if end else [b"first"])
