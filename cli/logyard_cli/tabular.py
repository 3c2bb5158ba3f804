"""Records as rows of comma-separated values (RFC 4180). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from logyard.formats.fields import as_text
from logyard_cli.chosen import Fields, field_value

__all__ = ["columns_of", "csv_line", "csv_row"]

_COLUMNS = ("time", "key", "app", "instance", "node", "source", "level", "text")
_QUOTED = (",", '"', "\n", "\r")


def columns_of(fields: Fields) -> tuple[str, ...]:
    """The columns of a choice of fields: those asked for, else the envelope's without the record's id."""
    return tuple(name for name in fields.only or _COLUMNS if name not in fields.hidden)


def csv_line(cells: Iterable[str]) -> bytes:
    """One row without its line end; cells that hold a comma, a quote or a line end are in quotes."""
    return ",".join([_cell(cell) for cell in cells]).encode(errors="replace")


def csv_row(record: dict[str, Any], columns: Sequence[str]) -> bytes:
    """A flat record's values in the columns; what it does not have is empty, objects and arrays are JSON."""
    return csv_line(["" if (value := field_value(record, name)) is None else as_text(value) for name in columns])


def _cell(text: str) -> str:
    if any(char in text for char in _QUOTED):
        return '"' + text.replace('"', '""') + '"'
    return text
