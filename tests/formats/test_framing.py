"""Frames on a stream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logyard.formats.framing import cut_text, escape_newlines, newline_block, octet_frames, prefixed

records = st.lists(st.binary(max_size=12), max_size=5)


def read_octets(stream: bytes) -> list[bytes]:
    messages: list[bytes] = []
    while stream:
        count, _, stream = stream.partition(b" ")
        assert count.isdigit()
        messages.append(stream[: int(count)])
        assert len(messages[-1]) == int(count)
        stream = stream[int(count) :]
    return messages


@given(records, st.binary(max_size=5))
def test_octet_frames_of_one_head_read_back(texts: list[bytes], head: bytes) -> None:
    assert read_octets(octet_frames(head, texts)) == [head + text for text in texts]


@given(st.lists(st.tuples(st.binary(max_size=5), st.binary(max_size=12))))
def test_octet_frames_of_a_head_each_read_back(pairs: list[tuple[bytes, bytes]]) -> None:
    heads, texts = [head for head, _ in pairs], [text for _, text in pairs]
    assert read_octets(octet_frames(heads, texts)) == [head + text for head, text in pairs]


def test_lengths_beyond_those_remembered_are_right_too() -> None:
    texts = [b"x" * length for length in (4095, 4096, 4097, 100_000, 4096)]
    for _ in range(2):
        assert [len(message) for message in read_octets(octet_frames(b"ab", texts))] == [
            4097,
            4098,
            4099,
            100_002,
            4098,
        ]


@given(records)
def test_a_newline_block_has_one_line_for_each_record(texts: list[bytes]) -> None:
    block = newline_block(texts)
    assert block.split(b"\n")[:-1] == escape_newlines(texts)


@given(
    st.lists(st.binary(max_size=8).filter(lambda text: b"\n" not in text), max_size=4), st.sampled_from([b"", b"<14>"])
)
def test_prefixed_are_prefix_record_and_newline(texts: list[bytes], prefix: bytes) -> None:
    assert prefixed(prefix, texts) == b"".join(prefix + text + b"\n" for text in texts)


@given(st.text(max_size=12), st.integers(-3, 40))
def test_a_cut_ends_at_the_end_of_a_character_and_loses_at_most_one(text: str, size: int) -> None:
    cut = cut_text(text.encode(), size)
    assert len(cut) <= max(size, 0)
    assert text.startswith(cut.decode())
    assert len(cut) > size - 4 or cut == text.encode()


@given(st.binary(max_size=12), st.integers(0, 12))
def test_bytes_that_are_no_utf8_are_cut_too(text: bytes, size: int) -> None:
    cut = cut_text(text, size)
    assert text.startswith(cut)
    assert len(cut) <= size
    assert len(cut) >= min(size, len(text)) - 3
