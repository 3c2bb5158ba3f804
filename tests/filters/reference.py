"""What a filter means, written to be obvious: one record at a time, everything parsed, nothing remembered.

Shares nothing with the back end that it is compared with but the tree, the severities (`logyard.derive`) and RE2.
"""

from __future__ import annotations

import json
import re
from fractions import Fraction
from typing import Any

import re2

from logyard.batch import Batch
from logyard.derive import level_of
from logyard.filters.tree import (
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
)

__all__ = ["passes"]

NANOSECONDS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}  # fmt: skip
BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "pb": 10**15, "kib": 2**10, "mib": 2**20,
         "gib": 2**30, "tib": 2**40, "pib": 2**50}  # fmt: skip
NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
MISSING = object()


def passes(node: Node, batch: Batch, line: bytes) -> bool:
    """Whether a record of a batch is what a tree asks for."""
    match node:
        case And(parts):
            return all(passes(part, batch, line) for part in parts)
        case Or(parts):
            return any(passes(part, batch, line) for part in parts)
        case Not(part):
            return not passes(part, batch, line)
        case Everything():
            return True
        case Contains(parts):
            return contains(text_of(line), parts)
        case LevelIn(levels, _):
            return level_of(line) in levels
        case Like() | Exact() | Exists() | Matches() | Compare():
            value = value_of(node.field, batch, line)
            if value is MISSING or value is None:
                return False
            if isinstance(value, list) and not isinstance(node, Exists):
                return any(one_is(node, element) for element in value if not isinstance(element, list | None))
            return one_is(node, value)


def text_of(line: bytes) -> str:
    return line.decode("utf-8", "replace")


def contains(text: str, parts: tuple[str, ...]) -> bool:
    at = 0
    for part in parts:
        found = folded(text).find(folded(part), at)
        if found < 0:
            return False
        at = found + len(part)
    return True


def folded(text: str) -> str:
    """Simple case folding, a character at a time."""
    result = ""
    for char in text:
        if char in "\u1fd3\u1fe3\ufb05":
            result += {"\u1fd3": "\u0390", "\u1fe3": "\u03b0", "\ufb05": "\ufb06"}[char]
        elif len(char.casefold()) == 1:
            result += char.casefold()
        elif len(char.lower()) == 1:
            result += char.lower()
        else:
            result += char
    return result


def value_of(field: FieldPath, batch: Batch, line: bytes) -> Any:
    if field.envelope:
        return text_of(line) if field.name == "text" else getattr(batch, field.name)
    try:
        found = json.loads(text_of(line), parse_constant=not_json, parse_int=integer)
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return MISSING
    if not isinstance(found, dict):
        return MISSING
    if found.get(field.name) is not None:
        return found[field.name]
    for name in field.name.split("."):
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and re.fullmatch("[0-9]{1,9}", name) and int(name) < len(found):
            found = found[int(name)]
        else:
            return MISSING
    return found


def not_json(name: str) -> Any:
    raise ValueError(name)


def integer(digits: str) -> Any:
    return int(digits) if len(digits) <= 4300 else float(digits)


def one_is(term: Like | Exact | Exists | Matches | Compare, value: Any) -> bool:
    """Whether a single value is what a term asks for."""
    if isinstance(term, Exists):
        return True
    if isinstance(value, dict | None):
        return False
    text = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match term:
        case Matches(_, pattern):
            return re2.search(pattern, text) is not None
        case Like(_, [single]) if is_number and number(single) is not None:
            return bool(number(single) == value)
        case Like(_, parts):
            pattern = ".*".join(re.escape(folded(part)) for part in parts)
            return re.fullmatch(pattern, folded(text), re.DOTALL) is not None
        case Exact(_, wanted) if is_number and number(wanted) is not None:
            return bool(number(wanted) == value)
        case Exact(_, wanted):
            return text == wanted
        case Compare():
            return compares(term, value)


def number(text: str) -> int | float | None:
    if re.fullmatch(NUMBER, text) and "." not in text:
        return int(text)
    return float(text) if re.fullmatch(NUMBER + "([eE][-+]?[0-9]+)?", text) else None


def compares(term: Compare, value: Any) -> bool:
    if isinstance(value, bool):
        return False
    than = term.than
    if isinstance(value, str):
        plain = number(value)
        if plain is None:
            measured = with_unit(value, NANOSECONDS if than.kind == "time" else BYTES)
            return measured is not None and than.kind != "plain" and ordered(measured, term.operator, than.value)
        value = plain
    return ordered(value * factor(term), term.operator, than.value)


def factor(term: Compare) -> int:
    """What a number without a unit counts."""
    if term.than.kind == "plain":
        return 1
    name = term.field.name.split(".")[-1]
    for ending, unit in (("_ms", "ms"), ("_s", "s"), ("Ms", "ms"), ("_seconds", "s"), ("_kb", "kb"), ("_bytes", "b")):
        units = NANOSECONDS if term.than.kind == "time" else BYTES
        if name.endswith(ending) and unit in units:
            return units[unit]
    return term.than.scale if term.than.kind == "time" else 1


def with_unit(text: str, units: dict[str, int]) -> int | float | None:
    found = re.fullmatch(f"({NUMBER})([A-Za-zµμ]+)", text)
    if found is not None:
        value = number(found[1])
        unit = found[2] if units is NANOSECONDS else found[2].lower()
        return None if value is None or unit not in units else value * units[unit]
    if units is BYTES or not re.fullmatch(r"-?([0-9]+(\.[0-9]+)?(ns|us|µs|μs|ms|s|m|h|d))+", text):
        return None
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|μs|ms|s|m|h|d)", text)
    total = sum((number(digits) or 0) * units[unit] for digits, unit in parts)
    return -total if text.startswith("-") else total


def ordered(value: int | float, operator: str, than: int | float) -> bool:
    if abs(value) != float("inf") and abs(than) != float("inf"):
        value, than = Fraction(value), Fraction(than)  # type: ignore[assignment]
    return {"<": value < than, "<=": value <= than, ">": value > than, ">=": value >= than}[operator]
