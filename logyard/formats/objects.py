"""Which records are JSON objects that may be copied into a document as they are.

A document is made by writing bytes around a record. So that no record can forge what stands around it, it is only
copied when it is *one whole valid JSON object on one line*: `divide` decides that for each line alone, by a
decoder that reads the line to its end, and never by anything that a neighbouring line could complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeVar, cast

import msgspec
import orjson

from logyard.batch import Selection
from logyard.formats.fields import LEVELS, as_object, is_utf8, readable_lines
from logyard.formats.shapes import Shape, decode_each, find_shape

__all__ = ["Group", "divide", "gather", "json_strings", "normalised", "only_objects", "plain_objects"]

_BRACE = ord("{")
_SPACE = b" \t\r\n"
_OPENINGS = b"{" + _SPACE
_ROUNDS = 3
"""How many shapes are looked for in a batch."""
_T = TypeVar("_T")


class _Message(msgspec.Struct, gc=False):
    """What is looked for in an object of no known shape: what an application wrote for people."""

    msg: str | None = None
    message: str | None = None
    text: str | None = None


class _Any(msgspec.Struct, gc=False):
    """Any object."""


_with_message = msgspec.json.Decoder(_Message).decode
_any_object = msgspec.json.Decoder(_Any).decode


@dataclass(frozen=True, slots=True)
class Group:
    """Records that are written in the same way.

    Attributes:
        lines: their texts, valid UTF-8. Of a JSON object without white space before the first brace, and without
            line ends.
        positions: where they stand in the selection; None when these are all of its records.
        is_object: whether each is a JSON object, valid and whole.
        shape: what they are alike in; then no name occurs twice in any of them, not inside either, and numbers are
            64-bit integers or finite. None when that is not known.
        values: what ``shape`` decoded, parallel to the lines; empty without one.
    """

    lines: Sequence[bytes]
    positions: Sequence[int] | None
    is_object: bool = False
    shape: Shape | None = None
    values: Sequence[Any] = ()

    def messages(self) -> list[bytes]:
        """For each record of a group of objects its message as a JSON string, "" where it has none.

        The message is the first string of the members ``msg``, ``message`` and ``text``; the last one of each.
        """
        texts: list[str | None]
        if self.shape is not None:
            named = (
                self.shape.fields[name] for name in ("msg", "message", "text") if self.shape.kinds.get(name) == '"'
            )
            field = next(named, None)
            if field is None:
                return [b""] * len(self.lines)
            texts = [getattr(values, field) for values in self.values]
        else:
            texts = []
            for line, found in zip(self.lines, decode_each(_with_message, self.lines), strict=True):
                texts.append(_message_in(line) if found is None else _first(found.msg, found.message, found.text))
        return [b"" if text == b"null" else text for text in json_strings(texts)]


def json_strings(texts: Sequence[str | None]) -> list[bytes]:
    """Each text as JSON has it: in quotes, escaped, without line ends."""
    return msgspec.json.Encoder().encode_lines(texts).split(b"\n")[:-1]


def _first(*texts: str | None) -> str | None:
    return next((text for text in texts if text is not None), None)


def _message_in(line: bytes) -> str | None:
    """The message of an object in which one of its names has another kind of value."""
    found = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    for name in ("msg", "message", "text"):
        if name in found and bytes(found[name])[:1] == b'"':
            return cast("str", msgspec.json.decode(found[name]))
    return None


def divide(selection: Selection) -> list[Group]:
    """The selected records in groups of what is written alike: each record in one of them, in order within it."""
    return _divided(selection, _ROUNDS)


def plain_objects(selection: Selection) -> list[Group]:
    """As `divide`, in two groups at most: objects and texts. Costs half as much, and tells of no shape."""
    return _divided(selection, 0)


def only_objects(selection: Selection) -> list[bytes] | None:
    """The selected records when each is one whole JSON object on a line, as `plain_objects` finds them, but cheaper.

    White space around an object is kept. None wherever it takes a closer look.
    """
    block = selection.batch.block
    if selection.batch.separator != b"\n" or b"\r" in block or not (block.isascii() or is_utf8(block)):
        return None
    lines = selection.lines
    if not lines or max(map(len, lines)) > 2 * LEVELS:
        return None
    try:
        # Each line alone, up to its end: a decoder takes nothing behind an object but white space.
        for _ in map(_any_object, lines):
            pass
    except (msgspec.DecodeError, RecursionError):
        return None
    return lines


def _divided(selection: Selection, rounds: int) -> list[Group]:
    lines = readable_lines(selection)
    total = len(lines)
    groups: list[Group] = []
    objects, places = _candidates(selection, lines)

    def add(chosen: Sequence[bytes], where: Sequence[int], *rest: Any) -> None:
        if chosen:
            groups.append(Group(chosen, None if len(chosen) == total else where, *rest))

    for _ in range(rounds):
        shape = find_shape(objects) if objects else None
        if shape is None:
            break
        values = shape.match(objects)
        yes, no = _parted(values)
        add(_at(objects, yes), _at(places, yes), True, shape, _at(values, yes))
        objects, places = _at(objects, no), _at(places, no)
        if not yes:
            break
    found = decode_each(_any_object, objects)
    if objects and max(map(len, objects)) > 2 * LEVELS:
        found = list(map(_sane, objects, found))
    yes, no = _parted(found)
    add(_at(objects, yes), _at(places, yes), True)
    if sum(len(group.lines) for group in groups) < total:
        known = {place for group in groups for place in group.positions or ()}
        texts = [place for place in range(total) if place not in known] if known else range(total)
        add(_at(lines, texts), texts)
    return groups


def gather(total: int, groups: Sequence[Group], documents: Sequence[Sequence[_T]]) -> list[_T]:
    """What was made for each group, in the order of the selection.

    Args:
        total: selected records.
        groups: all of them, as `divide` made them.
        documents: for each group something for each of its records.
    """
    if len(groups) == 1:
        return list(documents[0])
    placed: list[Any] = [None] * total
    for group, made in zip(groups, documents, strict=True):
        for place, document in zip(group.positions or range(total), made, strict=True):
            placed[place] = document
    return placed


def normalised(line: bytes) -> bytes | None:
    """An object as it can be told to anybody: on one line, no name twice (the last value counts).

    None when it is none, or when not all of it would survive (`logyard.formats.fields.json_objects`).
    """
    found = as_object(line)
    return None if found is None else orjson.dumps(found)


def _candidates(selection: Selection, lines: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[int]]:
    """The records that open a brace, and where they stand; without white space before it and line ends."""
    many_lines = selection.batch.separator != b"\n" or b"\r" in selection.batch.block
    if not many_lines and all(lines) and set(map(itemgetter(0), lines)) == {_BRACE}:
        return lines, range(len(lines))
    objects: list[bytes] = []
    places: list[int] = []
    for place in [place for place, line in enumerate(lines) if line[:1] in _OPENINGS]:
        text = line = lines[place]
        if many_lines or line[:1] != b"{":
            text = line.strip(_SPACE)
            if text[:1] != b"{":
                continue
            if b"\n" in text or b"\r" in text:
                one_line = normalised(text)
                if one_line is None:
                    continue
                text = one_line
        objects.append(text)
        places.append(place)
    return objects, places


def _sane(line: bytes, found: object) -> object | None:
    """``found``, unless the line nests so deeply that not everybody could read it."""
    if found is None or len(line) <= 2 * LEVELS or line.count(b"{") + line.count(b"[") <= LEVELS:
        return found
    return None if normalised(line) is None else found


def _parted(values: Sequence[object]) -> tuple[Sequence[int], Sequence[int]]:
    """Where there is a value, and where there is none."""
    if None not in values:
        return range(len(values)), ()
    yes = [index for index, value in enumerate(values) if value is not None]
    return yes, [index for index, value in enumerate(values) if value is None]


def _at(column: Sequence[_T], indexes: Sequence[int]) -> Sequence[_T]:
    if len(indexes) == len(column):
        return column
    return [column[index] for index in indexes]
