"""Formats made of a template: text with placeholders in braces.

``{time} {app}.{instance} {level} {json.user.name|id}``: a placeholder is replaced by what it names, or by the
first of several names (divided by ``|``) that is known, or by ``-``. ``{{`` and ``}}`` are braces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any

from logyard.batch import Batch, Selection
from logyard.derive import Level, derive
from logyard.derive.stamp import SECOND, second_text, stamps
from logyard.errors import UsageError
from logyard.formats.fields import as_text, json_objects, readable_lines, value_at
from logyard.formats.framing import newline_block

__all__ = [
    "BATCH_NAMES",
    "NAMED",
    "RECORD_NAMES",
    "BatchTemplate",
    "Placeholder",
    "TemplateFormat",
    "of_batch",
    "parse_template",
]

NAMED = {
    "text": "{time} {level} {stream} {text}",
    "systail": "{name}@{node}: {text}",
    "apptail": "{human_time} {source}.{instance}: {text}",
    "event": "{name}@{node}: {json.desc|text} -- via {json.process|source}",
}
"""Templates with names of their own; the last three are those of the system that logyard continues."""

_BATCH_VALUES: dict[str, Callable[[Batch], str | None]] = {
    "key": lambda batch: batch.key,
    "name": lambda batch: batch.key.partition(".")[2],
    "node": lambda batch: batch.node,
    "app": lambda batch: batch.app,
    "instance": lambda batch: batch.instance,
    "source": lambda batch: batch.source,
    "stream": lambda batch: batch.key if batch.app is None else ".".join(filter(None, (batch.app, batch.instance))),
}
BATCH_NAMES = tuple(_BATCH_VALUES)
"""Placeholders that are the same for all records of a batch."""
RECORD_NAMES = ("time", "human_time", "level", "text", "id")
"""Placeholders of a record, beside ``json.`` and a path."""
Stamp = Callable[[Sequence[int]], list[str]]
_UNKNOWN = b"-"
_LEVELS: dict[int | None, bytes | None] = {None: None} | {level: level.label.encode() for level in Level}
_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Names, of which the first that is known is taken."""

    names: tuple[str, ...]


def parse_template(template: str, names: Sequence[str], *, json: bool = False) -> list[bytes | Placeholder]:
    """A template's parts, in order: text, and placeholders.

    Args:
        template: the template.
        names: what may stand between braces.
        json: whether ``json.`` and a path may, too.

    Raises:
        UsageError: a brace has no partner, or a placeholder is unknown; the text says where (1-based).
    """
    parts: list[bytes | Placeholder] = []
    literal: list[str] = []
    end = 0
    for found in _BRACES.finditer(template):
        literal.append(template[end : found.start()])
        end = found.end()
        if found[1] is None and len(found[0]) == 2:
            literal.append(found[0][0])
            continue
        where = f"template {template!r}, character {found.start() + 1}"
        if found[1] is None:
            raise UsageError(f"{where}: {found[0]!r} has no partner; write {found[0] * 2} for the brace itself")
        for name in found[1].split("|"):
            if name not in names and not (json and name.startswith("json.") and name != "json."):
                choices = ", ".join((*names, *(("json.FIELD",) if json else ())))
                raise UsageError(f"{where}: {name!r} is not a placeholder; there are {choices}")
        if text := "".join(literal):
            parts.append(text.encode())
            literal.clear()
        parts.append(Placeholder(tuple(found[1].split("|"))))
    if text := "".join((*literal, template[end:])):
        parts.append(text.encode())
    return parts


def of_batch(names: Iterable[str], batch: Batch) -> str | None:
    """The first of the batch's values so named that is known."""
    for name in names:
        if value := _BATCH_VALUES[name](batch):
            return value
    return None


class BatchTemplate:
    """A template of what is the same for all records of a batch.

    Raises:
        UsageError: as `parse_template`.
    """

    def __init__(self, template: str) -> None:
        self._parts = parse_template(template, BATCH_NAMES)

    def text(self, batch: Batch) -> str:
        """The text for a batch."""
        return "".join(
            part.decode() if isinstance(part, bytes) else of_batch(part.names, batch) or "-" for part in self._parts
        )


class _Records:
    """Columns over the selected records, each made when it is first asked for."""

    def __init__(self, selection: Selection, stamp: Stamp) -> None:
        self._selection = selection
        self._batch = selection.batch
        self._stamp = stamp

    @cached_property
    def lines(self) -> list[bytes]:
        return readable_lines(self._selection)

    @cached_property
    def _derived(self) -> tuple[list[int | None], list[int]]:
        return derive(self.lines, self._batch.time_ns)

    @cached_property
    def _objects(self) -> list[dict[str, Any] | None]:
        return json_objects(self._selection, self.lines)

    def column(self, name: str) -> bytes | Sequence[bytes | None] | None:
        """The values of a placeholder: one for all records, one for each, or None when it is unknown for all."""
        if name in _BATCH_VALUES:
            value = of_batch((name,), self._batch)
            return None if value is None else value.encode()
        if name == "text":
            return self.lines
        if name == "level":
            return [_LEVELS[level] for level in self._derived[0]]
        if name == "time":
            return [stamp.encode() for stamp in self._stamp(self._derived[1])]
        if name == "human_time":
            return [second_text(ns // SECOND).encode() + b"+00:00" for ns in self._derived[1]]
        if name == "id":
            return [self._batch.identity(offset).encode() for offset in self._selection.offsets()]
        return self._fields(name.removeprefix("json."))

    def _fields(self, path: str) -> list[bytes | None]:
        values = (None if found is None else value_at(found, path) for found in self._objects)
        return [None if value is None else as_text(value).encode() for value in values]

    def first_known(self, names: Sequence[str]) -> bytes | Sequence[bytes]:
        """The first known value of several placeholders, for all records or for each."""
        column: Sequence[bytes | None] = [None] * self._selection.count
        for name in names:
            values = self.column(name)
            if isinstance(values, bytes):
                if not any(column):
                    return values
                values = [values] * len(column)
            if values is not None:
                column = [value if known is None else known for known, value in zip(column, values, strict=True)]
        return [_UNKNOWN if value is None else value for value in column]


class TemplateFormat:
    """``template=...``, and what `NAMED` lists.

    Args:
        template: the template.
        name: what it is called, if not by its template.
        stamp: writes times given in ns since 1970; RFC 3339 in UTC by default.

    Raises:
        UsageError: as `parse_template`.
    """

    def __init__(self, template: str, name: str | None = None, *, stamp: Stamp = stamps) -> None:
        self.name = f"template={template}" if name is None else name
        self._stamp = stamp
        self._parts = parse_template(template, (*RECORD_NAMES, *BATCH_NAMES), json=True)

    def encode(self, selection: Selection) -> list[bytes]:
        """As `logyard.formats.Format`."""
        records = _Records(selection, self._stamp)
        columns: list[Iterable[bytes]] = []
        for part in self._parts:
            values = part if isinstance(part, bytes) else records.first_known(part.names)
            columns.append(repeat(values, selection.count) if isinstance(values, bytes) else values)
        return list(map(b"".join, zip(*columns, strict=True))) if columns else [b""] * selection.count

    def block(self, selection: Selection) -> bytes:
        """As `logyard.formats.Format`."""
        return newline_block(self.encode(selection))

    def pieces(self, selection: Selection) -> list[bytes]:
        """As `logyard.formats.Format`."""
        return [self.block(selection)]
