"""The shape of JSON lines: which names they have, in any order, and which kinds of values.

Most lines of a program are objects of one of a few shapes. A shape that was learned from one line is made into a
decoder which takes just such lines, many times as fast as they could be taken apart without knowing what comes.
It knows all names, so that it can also tell cheaply whether a line holds one twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Any

import msgspec
import orjson

__all__ = ["Shape", "decode_each", "find_shape"]

_LEARN_FROM = 16
"""Fewer lines than this are not worth a decoder of their own."""
_REMEMBERED = 16
_MEMBERS = 200
_DEPTH = 16

_Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
# What is written without quotes. Integers beyond 64 bits and numbers beyond doubles are refused.
_Bare = _Integer | float | bool | None

_shapes: list[Shape] = []
"""What was learned from the last batches, the latest first."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What all lines of a kind have in common.

    Attributes:
        kinds: the members by name, in the order of the line that it was learned from, and their kinds.
        fields: by name of a member, the attribute that holds its value in what `match` returns.
    """

    kinds: dict[str, Any]
    fields: dict[str, str]
    _decode: Callable[[bytes], Any]
    _quotes: int
    _lists: tuple[tuple[Callable[[Any], Sequence[object]], int], ...]
    """Lists whose elements hold quotes, and how many each."""

    def fits(self, line: bytes) -> bool:
        """Whether the line may be of this shape."""
        try:
            self._decode(line)
        except (msgspec.DecodeError, RecursionError):
            return False
        return True

    def match(self, lines: Sequence[bytes]) -> list[Any]:
        """For each line the values that it holds; None when it is of another shape or holds a name twice.

        A line that has values here is one whole JSON object in which no name occurs twice, not inside either, all
        integers fit 64 bits and all other numbers are finite. That it is UTF-8 is left to the caller.

        Args:
            lines: valid UTF-8.
        """
        found = decode_each(self._decode, lines)
        matched = list(lines) if None not in found else [
            line for line, values in zip(lines, found, strict=True) if values is not None
        ]  # fmt: skip
        # Each name was seen once at least, and nothing else. A name that occurs twice has quotes of its own, and
        # the value that belongs to it has no fewer than what it is expected to have: so the quotes are counted.
        joined = b"\n".join(matched)
        if b"\\" not in joined:
            expected = len(matched) * self._quotes
            for lists, each in self._lists:
                expected += each * sum(len(lists(values)) for values in found if values is not None)
            if joined.count(b'"') == expected:
                return found
        return [
            values if values is not None and _quotes(line) == self._expected(values) else None
            for line, values in zip(lines, found, strict=True)
        ]

    def _expected(self, values: object) -> int:
        return self._quotes + sum(each * len(lists(values)) for lists, each in self._lists)


def decode_each(decode: Callable[[bytes], Any], lines: Iterable[bytes]) -> list[Any]:
    """``decode`` of each line; None where it refuses."""
    found: list[Any] = []
    left = map(decode, lines)
    while True:
        try:
            found.extend(left)  # what came before a refusal stays
        except (msgspec.DecodeError, RecursionError):
            found.append(None)
        else:
            return found


def find_shape(lines: Sequence[bytes]) -> Shape | None:
    """A shape that many of the lines have; None when none is seen at once.

    Args:
        lines: at least one.
    """
    samples = (lines[0], lines[len(lines) // 2], lines[-1])
    different = set(samples)
    known = list(_shapes)
    for place, shape in enumerate(known):
        if any(map(shape.fits, different)):
            if place:
                _remember(shape, known)
            return shape
    if len(lines) < _LEARN_FROM:
        return None
    # What two of three agree on, so that nothing is learned from one line alone.
    seen: list[Any] = []
    for kind in map(_kind_of_line, samples):
        if kind is None:
            continue
        if kind in seen and (learned := _make(kind)) is not None:
            _remember(learned, known)
            return learned
        seen.append(kind)
    return None


def _remember(shape: Shape, known: Sequence[Shape]) -> None:
    # In one step, since formats may run in several threads.
    _shapes[:] = [shape, *(other for other in known if other is not shape)][:_REMEMBERED]


def _quotes(line: bytes) -> int:
    """Quotes around the strings of a valid line."""
    if b"\\" in line:
        line = line.replace(rb"\\", b"").replace(rb"\"", b"")
    return line.count(b'"')


# A kind: "" for a value without quotes, '"' for a string, a tuple of names and kinds for an object, a list of one
# kind for an array.
_Kind = Any


def _kind_of_line(line: bytes) -> _Kind | None:
    try:
        return _kind(orjson.loads(line), 0)
    except ValueError:  # no JSON, or nothing that can be learned
        return None


def _kind(value: object, depth: int) -> _Kind:
    if isinstance(value, str):
        return '"'
    if depth > _DEPTH:
        raise ValueError("too deep")
    if isinstance(value, dict):
        if len(value) > _MEMBERS:
            raise ValueError("too many members")
        return tuple((name, _kind(inner, depth + 1)) for name, inner in value.items())
    if isinstance(value, list):
        kinds = [_kind(inner, depth + 1) for inner in value[:_MEMBERS]]
        if any(kind != kinds[0] for kind in kinds):
            raise ValueError("an array of different kinds")
        return kinds[:1]
    return ""


def _make(kind: _Kind) -> Shape | None:
    if not isinstance(kind, tuple) or not kind:
        return None
    lists: list[tuple[Callable[[Any], Sequence[object]], int]] = []
    try:
        made, quotes = _type(kind, "", lists)
    except (ValueError, TypeError):  # a name that msgspec cannot take, or what `_type` refuses
        return None
    fields = {name: f"f{index}" for index, (name, _) in enumerate(kind)}
    return Shape(dict(kind), fields, msgspec.json.Decoder(made).decode, quotes, tuple(lists))


def _type(kind: _Kind, path: str, lists: list[tuple[Callable[[Any], Sequence[object]], int]] | None) -> tuple[Any, int]:
    """The type of values of a kind, and how many quotes one of them holds, not counting those in lists.

    Args:
        kind: what values are like.
        path: attributes that lead to the value.
        lists: those whose elements hold quotes are added; None inside of such.

    Raises:
        ValueError: the number of quotes cannot be told from what is decoded.
    """
    if kind == '"':
        return str, 2
    if kind == "":
        return _Bare, 0
    if isinstance(kind, list):
        if not kind:
            return list[_Bare], 0
        inner, each = _type(kind[0], "", None)
        if each:
            if lists is None:
                raise ValueError("a list inside of a list")
            lists.append((attrgetter(path), each))
        return list[inner], 0  # type: ignore[valid-type]
    fields: list[tuple[str, Any]] = []
    quotes = 0
    for index, (_, inner_kind) in enumerate(kind):
        inner, each = _type(inner_kind, f"{path}.f{index}" if path else f"f{index}", lists)
        fields.append((f"f{index}", inner))
        quotes += 2 + each
    names = {f"f{index}": name for index, (name, _) in enumerate(kind)}
    return msgspec.defstruct("Line", fields, rename=names, forbid_unknown_fields=True, gc=False), quotes
