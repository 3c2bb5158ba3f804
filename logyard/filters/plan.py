"""The back end for batches: a tree made into a function from records to those that pass.

Every step takes the records that are still in question and returns those that pass, so that a later, dearer step sees
fewer: text is searched over the whole block at once, severities are derived and JSON is parsed only of what survives.
Nothing is decided by a guess: where a search over the block could miss something or find too much, records are looked
at one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import re2

from logyard.filters.expressions import block_pattern, folded_pattern, options, plain_text
from logyard.filters.judging import Test, comparison, equality, exactness, search_value
from logyard.filters.look import Look, Positions, Search, hits
from logyard.filters.tree import (
    OF_BATCH,
    And,
    Compare,
    Contains,
    Everything,
    Exact,
    Exists,
    FieldPath,
    LevelIn,
    Like,
    Matches,
    Node,
    Not,
    Or,
    Term,
)

__all__ = ["Step", "make_step", "value_test"]

Step: TypeAlias = Callable[[Look, Positions], Positions]

_NEWLINE = b"\n"
_REPLACED = "\ufffd"
_SEARCHED = 3
"""Characters from which a literal is worth searching before parsing."""
_RELATED = frozenset("ksKS")
_NUMERIC = frozenset("0123456789.+-eEinf")
"""What numbers are written with, infinity included: they may stand otherwise in a line than as text."""
_ESCAPED = re.compile(r'["\\/\x00-\x1f]')
"""What JSON may write otherwise than as itself or by ``\\u``."""


def make_step(node: Node) -> Step:
    """The function for a tree in which no field of the batch is left (`logyard.filters.verdict`)."""
    match node:
        case And(parts):
            return partial(_all_of, [make_step(part) for part in sorted(parts, key=_cost)])
        case Or(parts):
            return partial(_any_of, [make_step(part) for part in sorted(parts, key=_cost)])
        case Not(part):
            return partial(_none_of, make_step(part))
        case _:
            return _term_step(node)


def _cost(node: Node) -> int:
    """Which of several parts is looked at first."""
    match node:
        case Everything():
            return 0
        case Contains(parts):
            return 1 if len(parts) == 1 else 2
        case Matches(FieldPath("text", True), _):
            return 3
        case LevelIn():
            return 4
        case Not(part):
            return _cost(part)
        case And(parts):
            return min(map(_cost, parts))
        case Or(parts):
            return max(map(_cost, parts))
        case _:
            return 5


def _all_of(steps: Sequence[Step], look: Look, positions: Positions) -> Positions:
    for step in steps:
        positions = step(look, positions)
        if not positions:
            break
    return positions


def _any_of(steps: Sequence[Step], look: Look, positions: Positions) -> Positions:
    found: list[int] = []
    rest = positions
    for step in steps:
        passed = step(look, rest)
        if len(passed) == len(rest):
            return positions
        if passed:
            found += passed
            rest = _without(rest, passed)
    return sorted(found)


def _none_of(step: Step, look: Look, positions: Positions) -> Positions:
    passed = step(look, positions)
    return _without(positions, passed) if passed else positions


def _without(positions: Positions, others: Positions) -> list[int]:
    left_out = set(others)
    return [at for at in positions if at not in left_out]


def _term_step(term: Term) -> Step:
    match term:
        case Everything() | Contains(("",)) | Exists(FieldPath("text", True)):
            return lambda _, positions: positions
        case Contains(parts):
            return _containing(parts)
        case Matches(FieldPath("text", True), pattern):
            return _matching(pattern)
        case LevelIn(levels, _):
            return lambda look, positions: look.at_levels(positions, levels)
        case Like() | Exact() | Matches() | Exists() | Compare():
            test = value_test(term)
            if term.field.envelope:
                assert term.field.name not in OF_BATCH
                return partial(_text_values, test)
            return _field_step(term, term.field, test)


def value_test(term: Like | Exact | Matches | Exists | Compare) -> Test:
    """Whether a field's value, which is not None, is what the term asks for."""
    match term:
        case Like():
            return equality(term)
        case Exact():
            return exactness(term)
        case Matches(_, pattern):
            return search_value(pattern)
        case Compare():
            return comparison(term)
        case Exists():
            return lambda _: True


def _text_values(test: Test, look: Look, positions: Positions) -> Positions:
    """Records whose whole text passes."""
    lines = look.lines
    return [at for at in positions if test(lines[at].decode())]


def _among(found: list[int], look: Look, positions: Positions) -> Positions:
    if len(positions) == look.count:
        return found
    asked = set(positions)
    return [at for at in found if at in asked]


def _containing(parts: tuple[str, ...]) -> Step:
    pattern = folded_pattern(parts)
    search: Search = re2.compile(pattern, options(any_case=True)).search
    if len(parts) > 1:
        block_search: Search = re2.compile(pattern, options(block=True, any_case=True)).search
        return partial(_found_in_text, search, block_search)
    return partial(_found_literal, search, parts[0], True)


def _matching(pattern: str) -> Step:
    search: Search = re2.compile(pattern, options()).search
    if plain_text(pattern) == (pattern, False):
        return partial(_found_literal, search, pattern, False)
    return partial(_found_in_text, search, _block_search(pattern))


def _block_search(pattern: str) -> Search | None:
    of_block = block_pattern(pattern)
    if of_block is None:
        return None
    try:
        search: Search = re2.compile(of_block, options(block=True)).search
    except re2.error:  # it has become too large
        return None
    return search


def _found_literal(search: Search, text: str, any_case: bool, look: Look, positions: Positions) -> Positions:
    """Records that hold a text; ``search`` finds it, too."""
    # Text is found in bytes that are no UTF-8 just as in what replaces these, unless it is the replacement itself.
    raw = _REPLACED not in text
    if look.is_few(positions):
        lines = look.batch.lines if raw else look.lines
        return [at for at in positions if search(lines[at], 0) is not None]
    literal = text.encode()
    if look.batch.separator in literal:
        return ()
    block = look.batch.block if raw else look.block
    # Of ASCII only k and s have relatives outside of it, so that mostly bytes can be compared.
    simple = not any_case or (literal.isascii() and (block.isascii() or not _RELATED & set(text)))
    found = hits(search, block, look.batch.separator, worth=simple)
    if found is not None:
        return _among(found, look, positions)
    if any_case:
        literal, lines = literal.lower(), look.lowered
    else:
        lines = look.batch.lines if raw else look.lines
    return [at for at in positions if literal in lines[at]]


def _found_in_text(search: Search, block_search: Search | None, look: Look, positions: Positions) -> Positions:
    if block_search is None or not look.of_lines or look.is_few(positions):
        lines = look.lines
        return [at for at in positions if search(lines[at], 0) is not None]
    found = hits(block_search, look.block, look.batch.separator)
    assert found is not None
    return _among(found, look, positions)


def _field_step(term: Term, path: FieldPath, test: Test) -> Step:
    if isinstance(term, Matches) and plain_text(term.pattern) is None:
        return partial(_matching_values, test, _block_search(term.pattern), path)
    literal = _needed(term)
    if literal is None:
        return partial(_values, path, test)
    search: Search = re2.compile(re2.escape(literal), options(any_case=True)).search

    def step(look: Look, positions: Positions) -> Positions:
        if not look.has_unicode_escapes and not look.is_few(positions):
            found = hits(search, look.block, look.batch.separator, worth=True)
            if found is not None:
                positions = _among(found, look, positions)
                if not positions:
                    return ()
        return _values(path, test, look, positions)

    return step


def _values(path: FieldPath, test: Test, look: Look, positions: Positions) -> Positions:
    return [
        at
        for at, value in zip(positions, look.values(positions, path), strict=True)
        if value is not None and test(value)
    ]


def _matching_values(
    test: Test, block_search: Search | None, path: FieldPath, look: Look, positions: Positions
) -> Positions:
    """Records in whose field an expression is found; texts are searched joined, like a block of lines."""
    values = look.values(positions, path)
    if block_search is not None:
        texts = [value if type(value) is str else "" for value in values]
        joined = "\n".join(texts)
        if joined.count("\n") == len(texts) - 1:
            found = hits(block_search, joined.encode(), _NEWLINE, worth=True)
            if found is not None:
                passed = set(found)
                return [
                    at
                    for place, (at, value) in enumerate(zip(positions, values, strict=True))
                    if (place in passed if type(value) is str else value is not None and test(value))
                ]
    return [at for at, value in zip(positions, values, strict=True) if value is not None and test(value)]


def _needed(term: Term) -> str | None:
    r"""Text that stands, in any case, in each line where a field is what ``term`` asks for and no ``\u`` is written."""
    match term:
        case Like(_, parts):
            texts = parts
        case Exact(_, value):
            texts = (value,)
        case _:
            return None
    runs = [run for text in texts for run in _ESCAPED.split(text)]
    longest = max(runs, key=len)
    return longest if len(longest) >= _SEARCHED and not set(longest) <= _NUMERIC else None
