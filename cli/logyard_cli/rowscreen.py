"""Rows of fields as records come: ``| fields time,path,status``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Protocol

from logyard.filters import Fields
from logyard.pipes import Extract, Plan, Role, Rows
from logyard.pipes.table import Cell, Column, Table
from logyard.pipes.values import text_of
from logyard_cli.colour import BOLD, paint
from logyard_cli.renderers import Part
from logyard_cli.table import width_of
from logyard_cli.tables import MISSING, encode_rows, stamp
from logyard_cli.visible import visible

__all__ = ["RowScreen"]

_WIDEST = 40
"""Columns that a field but the last may take before the others are pushed aside."""
_LEARN_FROM = 500


class _Place(Protocol):
    terminal: bool

    async def write(self, data: bytes) -> None: ...


class RowScreen:
    """Renders parts as rows and writes them; columns get their widths from the first records.

    Args:
        plan: one that streams rows.
        extract: looks up fields.
        output: ``pretty``, ``json``, ``csv`` or ``logfmt``.
        zone: of times; None for the machine's.

    Raises:
        UsageError: a pipe names a column that there is not.
    """

    timed = True

    def __init__(
        self, plan: Plan, extract: Extract, place: _Place, *, output: str, zone: tzinfo | None, colour: bool
    ) -> None:
        assert isinstance(plan.source, Fields)
        self._rows = Rows(plan.source.names)
        shown = plan.finish(Table(self._rows.columns, []))
        self.columns: tuple[Column, ...] = shown.columns
        names = [column.name for column in self._rows.columns]
        self._positions = [names.index(column.name) for column in self.columns]
        self._extract = extract
        self._place = place
        self._output = output
        self._zone = zone
        self._colour = colour
        self._widths: list[int] = []
        self._header = b""

    def render(self, parts: list[Part]) -> list[list[bytes]]:
        """The rows of each part, each with its line end."""
        found = [self._chosen(self._rows.of(part.selection, part.times, self._extract)) for part in parts]
        if self._output != "pretty":
            return [self._encoded(rows) for rows in found]
        texts = [[self._texts(row) for row in rows] for rows in found]
        if not self._widths and any(texts):
            self._learn([row for rows in texts for row in rows[:_LEARN_FROM]])
        return [[self._line(row) for row in rows] for rows in texts]

    async def begin(self) -> None:
        """Write the line of names, where there is one."""
        if self._output == "csv":
            lines = encode_rows(self.columns, [], "csv", self._zone, terminal=self._place.terminal)
            await self._place.write("".join(lines).encode())
        elif self._header:
            await self._place.write(self._header)

    async def write(self, lines: Sequence[bytes]) -> None:
        """Write rows that were rendered."""
        await self._place.write(b"".join(lines))

    def _chosen(self, rows: list[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
        if self._positions == list(range(len(self._rows.columns))):
            return rows
        return [tuple(row[at] for at in self._positions) for row in rows]

    def _encoded(self, rows: list[tuple[Cell, ...]]) -> list[bytes]:
        lines = encode_rows(self.columns, rows, self._output, self._zone, head=False, terminal=self._place.terminal)
        return [line.encode(errors="backslashreplace") for line in lines]

    def _texts(self, row: Sequence[Cell]) -> list[str]:
        return [
            MISSING if value is None or value == ""
            else stamp(value, self._zone) if column.role is Role.TIME and isinstance(value, int)
            else visible(text_of(value))
            for column, value in zip(self.columns, row, strict=True)
        ]  # fmt: skip

    def _learn(self, rows: list[list[str]]) -> None:
        names = [column.name for column in self.columns]
        self._widths = [
            max(width_of(name), min(_WIDEST, max(width_of(row[at]) for row in rows))) for at, name in enumerate(names)
        ]
        head = self._joined([paint(name, BOLD, on=self._colour) for name in names], list(map(width_of, names)))
        self._header = head

    def _line(self, row: list[str]) -> bytes:
        return self._joined(row, list(map(width_of, row)))

    def _joined(self, texts: Sequence[str], widths: Sequence[int]) -> bytes:
        last = len(texts) - 1
        padded = [text if at == last else text + " " * (self._widths[at] - widths[at]) for at, text in enumerate(texts)]
        return ("  ".join(padded) + "\n").encode(errors="backslashreplace")
