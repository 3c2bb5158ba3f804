"""What a field, an operator and a value mean together."""

from __future__ import annotations

import re
from collections.abc import Callable

import re2

from logyard.derive import Level
from logyard.derive.severity import level_value
from logyard.filters.error import nearest
from logyard.filters.expressions import options
from logyard.filters.judging import like_text
from logyard.filters.tree import Compare, Exact, Exists, FieldPath, LevelIn, Like, Matches, Node
from logyard.filters.units import quantity

__all__ = ["COMPARISONS", "LEVEL", "WrongValue", "expression_of", "node_of"]

COMPARISONS = frozenset({">", ">=", "<", "<="})
LEVEL = FieldPath("level", envelope=True)
_LEVELS = "trace debug info notice warn error critical alert emergency"
_ALIASES = ("warning", "err", "crit", "fatal", "panic", "emerg")
_DATE = re.compile(r"\d{4}-\d\d")


class WrongValue(Exception):
    """A value cannot be what stands behind the operator.

    Args:
        problem: what is wrong and what was expected.
        hint: what to write instead; "" when the reader of the filter knows better.
        start, stop: the characters of the value that are wrong; None: all of it.
    """

    def __init__(self, problem: str, hint: str = "", start: int | None = None, stop: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint
        self.start = start
        self.stop = stop


def node_of(path: FieldPath, operator: str, parts: tuple[str, ...], text: str) -> Node:
    """The node for ``path operator value``.

    Args:
        path: the field.
        operator: ``:``, ``=`` or a comparison.
        parts: the value's texts between its wildcards.
        text: the value without wildcards, quotes and escapes.

    Raises:
        WrongValue: it is no severity, or no number.
    """
    if path == LEVEL:
        return _level(operator, parts, text)
    if operator in COMPARISONS:
        try:
            return Compare(path, operator, quantity(text))
        except ValueError as error:
            hint = "times are options of the command: --since, --until" if _DATE.match(text) else ""
            raise WrongValue(f"expected a number behind {operator}: {error}", hint) from None
    if operator == "=":
        return Exact(path, text)
    return Exists(path) if parts == ("", "") else Like(path, parts)


def expression_of(path: FieldPath, pattern: str, written: str) -> Matches | LevelIn:
    """The node for ``path~"pattern"``; ``written`` is the expression with its quotes.

    Raises:
        WrongValue: RE2 cannot read it; its positions are those in ``pattern``.
    """
    try:
        search = re2.compile(pattern, options()).search
    except re2.error as error:
        raise _wrong_expression(pattern, error) from None
    if path == LEVEL:
        return LevelIn(frozenset(level for level in Level if search(level.label) is not None), f"level~{written}")
    return Matches(path, pattern)


def _wrong_expression(pattern: str, error: Exception) -> WrongValue:
    told = error.args[0] if error.args else ""
    reason = told.decode(errors="replace") if isinstance(told, bytes) else str(told)
    argument = reason.rpartition(": ")[2]
    at = pattern.find(argument) if ": " in reason else -1
    hint = "an expression is RE2's, and may not be too large"
    if "\\" in argument or "(?" in argument:
        hint = "expressions are RE2's: no look-around, no back-references"
    elif "repetition" in reason or "missing" in reason or "unexpected" in reason:
        hint = "write a backslash before a character that is meant as itself: \\* \\( \\["
    where = (None, None) if at < 0 else (at, at + len(argument))
    return WrongValue(f"RE2 cannot read this expression: {reason}", hint, *where)


def _level(operator: str, parts: tuple[str, ...], text: str) -> LevelIn:
    if operator == ":" and len(parts) > 1:
        matches = like_text(parts)
        found = frozenset(Level) if parts == ("", "") else frozenset(level for level in Level if matches(level.label))
        if not found:
            raise _unknown_level(text)
        return LevelIn(found, f"level:{text}")
    level = level_value(text)
    if level is None:
        raise _unknown_level(text)
    if operator not in COMPARISONS:
        return LevelIn(frozenset((level,)), f"level:{level.label}")
    # A level's number is smaller the more severe it is.
    passes: dict[str, Callable[[Level], bool]] = {
        ">=": lambda one: one <= level, ">": lambda one: one < level,
        "<=": lambda one: one >= level, "<": lambda one: one > level,
    }  # fmt: skip
    levels = frozenset(filter(passes[operator], Level))
    if not levels:
        where = "above" if operator == ">" else "below"
        raise WrongValue(f"no level is {where} {level.label}", f"write level:{operator}={level.label}")
    return LevelIn(levels, f"level:{operator}{level.label}")


def _unknown_level(text: str) -> WrongValue:
    near = nearest(text, [*_LEVELS.split(), *_ALIASES])
    meant = "" if near is None else f"did you mean {near}? "
    return WrongValue(
        f"{text} is no level: expected one of {_LEVELS}", f"{meant}(json.level is a field of the record's own)"
    )
