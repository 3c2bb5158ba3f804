"""A filter as a tree of frozen dataclasses.

The tree says what is asked for and nothing about how it is found: the search in blocks (`logyard.filters.plan`) is one
back end, others walk the same nodes. Saved filters are already filled in, aliases of levels resolved, wildcards and
quotes taken apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from logyard.derive import Level
from logyard.filters.units import Quantity

__all__ = [
    "ENVELOPE",
    "OF_BATCH",
    "And",
    "Compare",
    "Contains",
    "Everything",
    "Exact",
    "Exists",
    "FieldPath",
    "LevelIn",
    "Like",
    "Matches",
    "Node",
    "Not",
    "Or",
    "Term",
    "all_of",
    "any_of",
    "height",
    "negation",
    "terms",
    "wording",
]

OF_BATCH = frozenset({"key", "app", "instance", "node", "source"})
"""Envelope fields that are the same for all records of a batch."""
ENVELOPE = OF_BATCH | {"level", "time", "text"}
"""Names that mean what logyard knows of a record, not a field of its JSON (that one is ``json.level``)."""

_NAME = re.compile(r"[A-Za-z_@](?:[\w.@-]*[\w@])?")
_MEANING = re.compile(r'[\\"\'()|*“”„‘’«»\s:=<>~!@&-]')
"""What a backslash keeps from meaning something in a word with wildcards."""
_SPECIAL = re.compile(r'[\\"\'()|*“”‘’«»\s]')


@dataclass(frozen=True, slots=True)
class FieldPath:
    """Where a value is.

    Attributes:
        name: one of `ENVELOPE`, or a path into the record's JSON without ``json.`` before it.
        envelope: which of the two.
    """

    name: str
    envelope: bool = False

    @classmethod
    def parse(cls, text: str) -> FieldPath:
        """What a user means by ``app``, ``user.id`` or ``json.app``."""
        if text in ENVELOPE:
            return cls(text, envelope=True)
        return cls(text.removeprefix("json.") or text)

    @property
    def parts(self) -> tuple[str, ...]:
        """The names from the outside in."""
        return tuple(self.name.split("."))

    def __str__(self) -> str:
        """As a user writes it in a filter."""
        text = self.name
        if not self.envelope and (text in ENVELOPE or text.startswith("json.")):
            text = f"json.{text}"
        return text if _NAME.fullmatch(text) else _quoted(text)


@dataclass(frozen=True, slots=True)
class Everything:
    """Every record: ``*``, or no filter at all."""


@dataclass(frozen=True, slots=True)
class Contains:
    """The record's text holds the parts one behind the other, in any case; anything may stand between them."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matches:
    """An RE2 expression is found in the field (``text`` is the record's text)."""

    field: FieldPath
    pattern: str


@dataclass(frozen=True, slots=True)
class Like:
    """The field's value is, in any case, the parts with anything between them; a single part is all of it."""

    field: FieldPath
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exact:
    """The field's value is just this."""

    field: FieldPath
    value: str


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value; null is none."""

    field: FieldPath


@dataclass(frozen=True, slots=True)
class Compare:
    """The field's number is less (``<``), at most (``<=``), more (``>``) or at least (``>=``) the given one."""

    field: FieldPath
    operator: str
    than: Quantity


@dataclass(frozen=True, slots=True)
class LevelIn:
    """The record's severity is one of ``levels``; ``text`` is how the filter says that."""

    levels: frozenset[Level]
    text: str


@dataclass(frozen=True, slots=True)
class Not:
    """Records that ``part`` does not match."""

    part: Node


@dataclass(frozen=True, slots=True)
class And:
    """Records that all parts match; there are at least two."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Records that at least one of the parts matches; there are at least two."""

    parts: tuple[Node, ...]


Term: TypeAlias = Everything | Contains | Matches | Like | Exact | Exists | Compare | LevelIn
Node: TypeAlias = Term | Not | And | Or


def negation(part: Node) -> Node:
    """What ``part`` does not match; of a negation its part."""
    return part.part if isinstance(part, Not) else Not(part)


def all_of(parts: Sequence[Node]) -> Node:
    """What matches all parts (at least one); an `And` inside adds no level."""
    flat = [one for part in parts for one in (part.parts if isinstance(part, And) else (part,))]
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def any_of(parts: Sequence[Node]) -> Node:
    """What matches at least one of the parts (at least one); an `Or` inside adds no level."""
    flat = [one for part in parts for one in (part.parts if isinstance(part, Or) else (part,))]
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def height(node: Node) -> int:
    """Levels of the tree."""
    if isinstance(node, Not):
        return 1 + height(node.part)
    return 1 + max(map(height, node.parts)) if isinstance(node, And | Or) else 1


def terms(node: Node, *, negated: bool = False) -> Iterator[tuple[Term, bool]]:
    """The terms from left to right, each with whether it stands below an odd number of negations."""
    if isinstance(node, Not):
        yield from terms(node.part, negated=not negated)
    elif isinstance(node, And | Or):
        for part in node.parts:
            yield from terms(part, negated=negated)
    else:
        yield node, negated


def wording(node: Node) -> str:
    """The filter that means this tree, as a user would write it; parsing it gives the same tree again."""
    match node:
        case And(parts):
            return " ".join(f"({wording(part)})" if isinstance(part, Or) else wording(part) for part in parts)
        case Or(parts):
            return " OR ".join(wording(part) for part in parts)
        case Not(part):
            return f"-({wording(part)})" if isinstance(part, And | Or) else f"-{wording(part)}"
        case _:
            return _term(node)


def _term(term: Term) -> str:
    match term:
        case Contains(parts):
            return _wild(parts, always_quote=len(parts) == 1)
        case Matches(field, pattern):
            before = "" if field == FieldPath("text", envelope=True) else str(field)
            return f'{before}~"{_regex_quoted(pattern)}"'
        case Like(field, parts):
            return f"{field}:{_wild(parts)}"
        case Exact(field, value):
            return f"{field}={_plain_or_quoted(value)}"
        case Exists(field):
            return f"{field}:*"
        case Compare(field, operator, than):
            return f"{field}{operator}{than.text}"
        case LevelIn(_, text):
            return text
        case Everything():
            return "*"


def _wild(parts: tuple[str, ...], *, always_quote: bool = False) -> str:
    if len(parts) == 1:
        return _quoted(parts[0]) if always_quote and not parts[0].isalnum() else _plain_or_quoted(parts[0])
    return "*".join(_MEANING.sub(lambda found: "\\" + found[0], part) for part in parts)


def _plain_or_quoted(text: str) -> str:
    if not text or _SPECIAL.search(text) or text[0] in "~<>=!:-@&(" or text in {"AND", "OR", "NOT"}:
        return _quoted(text)
    return _quoted(text) if text.lower() in {"and", "or", "not"} else text


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def _regex_quoted(pattern: str) -> str:
    # Only a quote is escaped in the text of an expression; a backslash belongs to the expression.
    return re.sub(r'(?<!\\)((?:\\\\)*)"', r'\1\\"', pattern)
