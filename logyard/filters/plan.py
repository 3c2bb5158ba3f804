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

from logyard.filters.expressions import block_pattern, folded_pattern, options
from logyard.filters.look import Look, Positions, Search
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
from logyard.filters.values import Test, comparison, equality, exactness, search_value

__all__ = ["Step", "make_step", "value_test"]

Step: TypeAlias = Callable[[Look, Positions], Positions]

_REPLACED = "\ufffd"
_FEW = 8
"""Records are looked at one by one rather than in the block when not more than one of so many is in question."""
_SEARCHED = 3
"""Characters from which a literal is worth searching before parsing."""
_LITERAL = re.compile(r"[\w /:,;=@%&#!<>'\"-]+", re.ASCII)
"""Expressions that are nothing but text."""
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
            return lambda look, positions: [
                at for at, level in zip(positions, look.levels(positions), strict=True) if level in levels
            ]
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
            return search_value(pattern, options())
        case Compare():
            return comparison(term)
        case Exists():
            return lambda _: True


def _text_values(test: Test, look: Look, positions: Positions) -> Positions:
    """Records whose whole text passes."""
    lines = look.lines
    return [at for at in positions if test(lines[at].decode())]


def _is_few(look: Look, positions: Positions) -> bool:
    return len(positions) * _FEW < look.count


def _among(hits: list[int], look: Look, positions: Positions) -> Positions:
    if len(positions) == look.count:
        return hits
    asked = set(positions)
    return [at for at in hits if at in asked]


def _containing(parts: tuple[str, ...]) -> Step:
    pattern = folded_pattern(parts)
    search: Search = re2.compile(pattern, options(any_case=True)).search
    if len(parts) > 1:
        block_search: Search = re2.compile(pattern, options(block=True, any_case=True)).search
        return partial(_found_in_text, search, block_search)
    return partial(_found_literal, search, parts[0], True)


def _matching(pattern: str) -> Step:
    search: Search = re2.compile(pattern, options()).search
    if _LITERAL.fullmatch(pattern):
        return partial(_found_literal, search, pattern, False)
    of_block = block_pattern(pattern)
    block_search = None
    if of_block is not None:
        try:
            block_search = re2.compile(of_block, options(block=True)).search
        except re2.error:  # it has become too large
            block_search = None
    return partial(_found_in_text, search, block_search)


def _found_literal(search: Search, text: str, any_case: bool, look: Look, positions: Positions) -> Positions:
    """Records that hold a text; ``search`` finds it, too."""
    # Text is found in bytes that are no UTF-8 just as in what replaces these, unless it is the replacement itself.
    raw = _REPLACED not in text
    if _is_few(look, positions):
        lines = look.batch.lines if raw else look.lines
        return [at for at in positions if search(lines[at], 0) is not None]
    literal = text.encode()
    if look.batch.separator in literal:
        return ()
    block = look.batch.block if raw else look.block
    # Of ASCII only k and s have relatives outside of it, so that mostly bytes can be compared.
    simple = not any_case or (literal.isascii() and (block.isascii() or not _RELATED & set(text)))
    found = look.hits(search, block, worth=simple)
    if found is not None:
        return _among(found, look, positions)
    if any_case:
        literal, lines = literal.lower(), look.lowered
    else:
        lines = look.batch.lines if raw else look.lines
    return [at for at in positions if literal in lines[at]]


def _found_in_text(search: Search, block_search: Search | None, look: Look, positions: Positions) -> Positions:
    if block_search is None or not look.of_lines or _is_few(look, positions):
        lines = look.lines
        return [at for at in positions if search(lines[at], 0) is not None]
    found = look.hits(block_search, look.block)
    assert found is not None
    return _among(found, look, positions)


def _field_step(term: Term, path: FieldPath, test: Test) -> Step:
    literal = _needed(term)
    if literal is None:
        return partial(_values, path, test)
    search: Search = re2.compile(re2.escape(literal), options(any_case=True)).search

    def step(look: Look, positions: Positions) -> Positions:
        if not look.has_unicode_escapes and not _is_few(look, positions):
            hits = look.hits(search, look.block, worth=True)
            if hits is not None:
                positions = _among(hits, look, positions)
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
