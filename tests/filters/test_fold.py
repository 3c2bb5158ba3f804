"""Case as it is ignored by values, and by searches in blocks."""

from __future__ import annotations

import re2
from hypothesis import given
from hypothesis import strategies as st

from logyard.filters.expressions import options
from logyard.filters.fold import fold

# Scripts with case that have not changed for many versions of Unicode: Python and RE2 may have different ones.
RANGES = ((0x20, 0x250), (0x370, 0x530), (0x1E00, 0x2000), (0x2126, 0x2190), (0xFB00, 0xFB07), (0xFF21, 0xFF5B))
LETTERS = [chr(code) for start, stop in RANGES for code in range(start, stop)]


def test_a_block_is_searched_by_the_same_rule_as_values_are_compared() -> None:
    everything = "".join(LETTERS).encode()
    same: dict[str, set[str]] = {}
    for letter in LETTERS:
        same.setdefault(fold(letter), set()).add(letter)
    for letter in LETTERS:
        search = re2.compile(re2.escape(letter), options(any_case=True))
        assert {found.group().decode() for found in search.finditer(everything)} == same[fold(letter)], letter


@given(st.text())
def test_folding_keeps_the_number_of_characters_and_does_nothing_twice(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert fold(fold(text)) == fold(text)
