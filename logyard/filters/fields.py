"""Values of many records at once: what the envelope says, and fields of records that are JSON objects.

A line is parsed once for all fields that are asked for, and only these become Python values: half of what parsing all
of it costs. What counts as JSON, and what a path means, is decided here for filters and pipes alike (docs/filters.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NoReturn

import msgspec

from logyard.batch import Batch, Selection
from logyard.derive import times
from logyard.derive.blocks import severities_of
from logyard.filters.tree import FieldPath

__all__ = ["Members", "columns", "members_of", "of_batch", "readable", "values"]

_DIGITS = 4300
"""Digits of an integer that Python reads exactly; a longer one becomes a float."""


def values(selection: Selection, path: FieldPath) -> list[Any]:
    """The value of a field of each selected record; see `columns`."""
    return columns(selection, (path,))[0]


def columns(selection: Selection, paths: Sequence[FieldPath]) -> list[list[Any]]:
    """The values of several fields, one column for each path, parallel to the selected records.

    Values are those of JSON: str, int, float, bool, list, dict; None where there is none (or null). Of the envelope
    ``level`` is the name in lower case, ``time`` ns since 1970 UTC, ``text`` the record as it was read (what is no
    UTF-8 is replaced), all others text (``instance`` too).

    Raises:
        WireError: the batch is damaged.
    """
    batch = selection.batch
    found: dict[FieldPath, list[Any]] = {}
    inside = tuple(dict.fromkeys(path for path in paths if not path.envelope))
    if inside:
        members = members_of(inside)
        rows = members.rows(readable(selection))
        found = {path: members.column(rows, path) for path in inside}
    for path in paths:
        if path not in found:
            found[path] = _of_envelope(selection, batch, path.name)
    return [found[path] for path in paths]


def _of_envelope(selection: Selection, batch: Batch, name: str) -> list[Any]:
    if name == "level":
        return [None if level is None else level.label for level in severities_of(selection)]
    if name == "time":
        return list(times(selection.lines, batch.time_ns))
    if name == "text":
        return [line.decode(errors="replace") for line in selection.lines]
    return [of_batch(batch, name)] * selection.count


def of_batch(batch: Batch, name: str) -> str | None:
    """What the envelope says about all records of a batch: key, app, instance, node or source."""
    value: str | None = getattr(batch, name)
    return value


def readable(selection: Selection) -> list[bytes]:
    """The selected records as valid UTF-8: what is none is replaced by U+FFFD."""
    lines = selection.lines
    block = selection.batch.block
    if block.isascii():
        return lines
    try:
        block.decode()
    except UnicodeDecodeError:
        return [line.decode(errors="replace").encode() for line in lines]
    return lines


class Members:
    """Reads some fields of JSON lines.

    Args:
        paths: the fields, none of the envelope.
    """

    def __init__(self, paths: Iterable[FieldPath]) -> None:
        names: dict[str, str] = {}
        for path in paths:
            for name in (path.name, path.parts[0]):
                names.setdefault(name, f"f{len(names)}")
        self._attributes = names
        row = msgspec.defstruct(
            "Row", [(attribute, Any, None) for attribute in names.values()],
            rename={attribute: name for name, attribute in names.items()}, gc=False,
        )  # fmt: skip
        self._row: Callable[..., Any] = row
        self._nothing = row()
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(row).decode

    def rows(self, lines: Sequence[bytes]) -> list[Any]:
        """What is asked for of each line; to be handed to `column`."""
        try:
            return list(map(self._decode, lines))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # Some line is no JSON object: mostly these are known by their first byte.
            nothing, one = self._nothing, self._one
            return [one(line) if line[:1] == b"{" or line.lstrip(b" \t\r\n")[:1] == b"{" else nothing for line in lines]

    def _one(self, line: bytes) -> Any:
        try:
            return self._decode(line)
        except msgspec.ValidationError:  # a number beyond what msgspec reads; it may be right all the same
            found = _lenient(line)
            if found is None:
                return self._nothing
            return self._row(**{attribute: found.get(name) for name, attribute in self._attributes.items()})
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._nothing

    def column(self, rows: Sequence[Any], path: FieldPath) -> list[Any]:
        """The field at ``path`` of each row: of just that name, else names from the outside in."""
        attribute = self._attributes[path.name]
        whole = [getattr(row, attribute) for row in rows]
        if "." not in path.name:
            return whole
        outer, *inner = path.parts
        attribute = self._attributes[outer]
        return [
            _inside(getattr(row, attribute), inner) if value is None else value
            for row, value in zip(rows, whole, strict=True)
        ]


@lru_cache(maxsize=64)
def members_of(paths: tuple[FieldPath, ...]) -> Members:
    """A reader for these fields; making one costs more than reading a few lines."""
    return Members(paths)


def _inside(value: Any, names: Sequence[str]) -> Any:
    for name in names:
        if type(value) is dict:
            value = value.get(name)
        elif type(value) is list and name.isascii() and name.isdecimal() and len(name) < 10 and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _lenient(line: bytes) -> dict[str, Any] | None:
    """A JSON object with numbers of any size; None when the line is none."""
    try:
        found = json.loads(line.decode(), parse_int=_integer, parse_constant=_refuse)
        # Halves of surrogate pairs are no text; everything else refuses them, too.
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= _DIGITS else float(text)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
