"""Whether a single value is what a term of a filter asks for.

A value is one of JSON's: text, a number, true or false, an array or an object. An array is what one of its elements is;
an object is nothing but there.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import re2

from logyard.filters.expressions import options, plain_text
from logyard.filters.fold import fold
from logyard.filters.tree import Compare, Exact, Like
from logyard.filters.units import Quantity, field_factor, plain_number, written_quantity

__all__ = ["Test", "comparison", "equality", "exactness", "like_text", "scalar_text", "search_value"]

Test: TypeAlias = Callable[[Any], bool]

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def scalar_text(value: Any) -> str | None:
    """A plain value as text: numbers as Python and JSON write them, ``true``, ``false``; None for any other."""
    if type(value) is str:
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if type(value) is int or type(value) is float:
        try:
            return repr(value)
        except ValueError:  # more digits than Python writes
            return None
    return None


def equality(term: Like) -> Test:
    """``field:value``: text in any case with wildcards; a number is also equal as a number."""
    matches = like_text(term.parts)
    number = plain_number(term.parts[0]) if len(term.parts) == 1 else None

    def test(value: Any) -> bool:
        kind = type(value)
        if kind is str:
            return matches(value)
        if kind is list:
            return any(type(one) is not list and test(one) for one in value)
        if number is not None and (kind is int or kind is float):
            return bool(value == number)
        text = scalar_text(value)
        return text is not None and matches(text)

    return test


def exactness(term: Exact) -> Test:
    """``field=Value``: just this text, or this number."""
    wanted = term.value
    number = plain_number(wanted)

    def test(value: Any) -> bool:
        kind = type(value)
        if kind is str:
            return bool(value == wanted)
        if kind is list:
            return any(type(one) is not list and test(one) for one in value)
        if number is not None and (kind is int or kind is float):
            return bool(value == number)
        return scalar_text(value) == wanted

    return test


def like_text(parts: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a text is, in any case, the parts with anything between them."""
    folded = tuple(map(fold, parts))
    first, last = folded[0], folded[-1]
    length = sum(map(len, folded))
    if len(folded) == 1:
        # Folding keeps the number of characters, which differs mostly.
        return lambda text: len(text) == length and fold(text) == first
    inner = folded[1:-1]

    def test(text: str) -> bool:
        if len(text) < length:
            return False
        text = fold(text)
        if not (text.startswith(first) and text.endswith(last)):
            return False
        at, stop = len(first), len(text) - len(last)
        for part in inner:
            at = text.find(part, at, stop)
            if at < 0:
                return False
            at += len(part)
        return True

    return test


def comparison(term: Compare) -> Test:
    """``field>number``: numbers, and text that holds one; with units see docs/filters.md."""
    compare = _OPERATORS[term.operator]
    than = term.than
    wanted = than.value
    factor = 1 if than.kind == "plain" else _factor(term.field.parts[-1], than)

    def test(value: Any) -> bool:
        kind = type(value)
        if kind is int or kind is float:
            return compare(value if factor == 1 else value * factor, wanted)
        if kind is str:
            found = written_quantity(value)
            if found is None:
                return False
            number, measured, _ = found
            if measured == "plain":
                return compare(number if factor == 1 else number * factor, wanted)
            return measured == than.kind and compare(number, wanted)
        if kind is list:
            return any(type(one) is not list and test(one) for one in value)
        return False

    return test


def _factor(name: str, than: Quantity) -> int:
    """What a record's number without a unit counts: what the field's name says, else for times the filter's unit."""
    named = field_factor(name, than.kind)
    if named is not None:
        return named
    return than.scale if than.kind == "time" else 1


def search_value(pattern: str) -> Test:
    """``field~"..."``: found in the text of a value."""
    search = _search_text(pattern)

    def test(value: Any) -> bool:
        if type(value) is str:
            return search(value)
        if type(value) is list:
            return any(type(one) is not list and test(one) for one in value)
        text = scalar_text(value)
        return text is not None and search(text)

    return test


def _search_text(pattern: str) -> Callable[[str], bool]:
    plain = plain_text(pattern)
    if plain is not None:  # most expressions that people write are; RE2 takes ten times as long to begin
        wanted, at_start = plain
        return (lambda text: text.startswith(wanted)) if at_start else (lambda text: wanted in text)
    search = re2.compile(pattern, options()).search
    return lambda text: search(text.encode()) is not None
