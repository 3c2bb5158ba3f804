"""A record that is a JSON object: its fields, its message, and values of it by path."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from logyard.batch import Batch, Selection
from logyard.derive.members import STRING
from logyard.derive.severity import level_value
from logyard.derive.time import time_value

__all__ = [
    "ENVELOPE",
    "LEVELS",
    "as_object",
    "as_text",
    "free_name",
    "instance_number",
    "is_utf8",
    "json_objects",
    "labels_of",
    "message_of",
    "readable_lines",
    "reserve",
    "value_at",
]

ENVELOPE = frozenset(
    {"time", "key", "node", "app", "instance", "source", "level", "text", "id", "truncated", "partial"}
)
"""Names that logyard itself gives a value to; a field of a record so named is renamed (`reserve`)."""

_MAX_INSTANCE_DIGITS = 15
_STRING = re.compile(STRING, re.DOTALL)
_INTEGER = re.compile(rb"(?<![\w.+-])-?[0-9]{19,}+(?![.eE])")
LEVELS = 200
"""Objects and arrays within each other that are surely written again; orjson reads 1024 and writes 254."""
_DIGITS = bytes(48 if 48 <= byte <= 57 else 0 for byte in range(256))
_LONG = b"0" * 19
"""Integers beyond 64 bits, which would become floats, have at least so many digits."""


def labels_of(batch: Batch) -> dict[str, Any]:
    """Where a batch's records are from, in the envelope's order; what is unknown is left out."""
    labels: dict[str, Any] = {"key": batch.key, "node": batch.node}
    if batch.app is not None:
        labels["app"] = batch.app
    if batch.instance is not None:
        labels["instance"] = instance_number(batch.instance)
    labels["source"] = batch.source
    return labels


def readable_lines(selection: Selection) -> list[bytes]:
    """The selected records as valid UTF-8: what is none is replaced by U+FFFD."""
    lines = selection.lines
    block = selection.batch.block
    if block.isascii() or (selection.batch.separator.isascii() and is_utf8(block)):
        return lines
    return [line if is_utf8(line) else line.decode(errors="replace").encode() for line in lines]


def is_utf8(text: bytes) -> bool:
    """Whether the text is valid UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def json_objects(selection: Selection, lines: Sequence[bytes]) -> list[dict[str, Any] | None]:
    """For each record the object that it is; None when it is none, or when not all of it would survive.

    What does not survive are integers beyond 64 bits, NaN, halves of surrogate pairs, and nesting that cannot be
    written again (beyond 254 levels). Where a name occurs twice the last value counts.

    Args:
        selection: the records.
        lines: their texts as `readable_lines` makes them.
    """
    if _LONG in selection.batch.block.translate(_DIGITS):
        return list(map(as_object, lines))
    return list(map(_object, lines))


def as_object(line: bytes) -> dict[str, Any] | None:
    """The object that a record in UTF-8 is, as `json_objects` finds it."""
    return None if _LONG in line.translate(_DIGITS) and _loses(line) else _object(line)


def _object(line: bytes) -> dict[str, Any] | None:
    if line[:1] != b"{" and line.lstrip(b" \t\r\n")[:1] != b"{":
        return None
    try:
        found: dict[str, Any] = orjson.loads(line)
        if len(line) > 2 * LEVELS and line.count(b"{") + line.count(b"[") > LEVELS:
            orjson.dumps([found])
    except (orjson.JSONDecodeError, TypeError):
        return None
    return found


def _loses(line: bytes) -> bool:
    """Whether a number on the line is an integer that becomes a float for its length."""
    return any(
        len(number[0]) > 20 or not -(2**63) <= int(number[0]) < 2**64
        for number in _INTEGER.finditer(_STRING.sub(b'""', line))
    )


def message_of(found: Mapping[str, Any]) -> str | None:
    """What an application wrote for people into an object: the first string of ``msg``, ``message``, ``text``."""
    for name in ("msg", "message", "text"):
        if isinstance(text := found.get(name), str):
            return text
    return None


def reserve(found: dict[str, Any], record: Mapping[str, Any], level: int | None, ns: int, observed_ns: int) -> None:
    """Free the names of the envelope: fields of a record that have them get a ``_`` behind their names.

    A field that says just what the envelope says is removed instead: the same value, or the severity or the time
    that was derived from it.

    Args:
        found: the record's fields; changed.
        record: the envelope, as far as it is known.
        level: the record's severity.
        ns: the record's time.
        observed_ns: when it was observed.
    """
    for name in sorted(found.keys() & ENVELOPE):
        value = found.pop(name)
        if name in record and type(value) is type(record[name]) and value == record[name]:
            continue
        if name == "level" and level is not None and level_value(value) == level:
            continue
        if name == "time" and time_value(value, observed_ns) == ns:
            continue
        found[free_name(name, found)] = value


def free_name(name: str, taken: Collection[str]) -> str:
    """``name``, with as many ``_`` behind it as it takes to be neither in ``taken`` nor in the envelope."""
    while name in taken or name in ENVELOPE:
        name += "_"
    return name


def value_at(found: Mapping[str, Any], path: str) -> object:
    """The value at ``path``: a field of just that name, else names from the outside in, joined by dots.

    None where there is none.
    """
    if path in found:
        return found[path]
    value: object = found
    for name in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def as_text(value: object) -> str:
    """A JSON value as text: a string is itself, anything else its JSON."""
    if isinstance(value, str):
        return value
    if type(value) is int or type(value) is float:
        return repr(value)
    return orjson.dumps(value).decode()


def instance_number(instance: str) -> int | str:
    """An instance as JSON has it: a number when it is written as one (not ``03``), else text."""
    if instance.isascii() and instance.isdecimal() and len(instance) <= _MAX_INSTANCE_DIGITS:
        return instance if len(instance) > 1 and instance[0] == "0" else int(instance)
    return instance
