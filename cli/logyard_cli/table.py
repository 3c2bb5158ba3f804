"""Aligned tables. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from logyard_cli.colour import BOLD, paint
from logyard_cli.visible import visible

__all__ = ["Cell", "shortened", "table", "width_of"]

_GAP = "  "
_NO_COLUMN = frozenset({"Mn", "Me", "Cf"})
"""Categories of what is drawn over or between other characters: accents, variation selectors, joiners."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and its colour."""

    text: str
    colour: str = ""


def width_of(text: str) -> int:
    """Columns that ``text`` takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(char) in _NO_COLUMN else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def shortened(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns, on one line, an ellipsis where something is missing."""
    safe = visible(text)
    if width_of(safe) <= width:
        return safe
    while safe and width_of(safe) > width - 1:
        safe = safe[: max(0, len(safe) - max(1, (width_of(safe) - width) // 2))]
    return safe + "…"


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str | Cell]], *, right: Sequence[str] = (), colour: bool = False
) -> str:
    """Rows under their heads, columns aligned; one newline-ended line each. Foreign text in cells is made safe.

    Args:
        right: heads of the columns aligned to the right.
        colour: whether cells' colours and bold heads are used.
    """
    cells = [
        [Cell(visible(cell)) if isinstance(cell, str) else Cell(visible(cell.text), cell.colour) for cell in row]
        for row in rows
    ]
    widths = [
        max([width_of(head), *(width_of(row[column].text) for row in cells)]) for column, head in enumerate(heads)
    ]
    lines = []
    for row in [[Cell(head, BOLD) for head in heads], *cells]:
        texts = []
        for column, cell in enumerate(row):
            gap = " " * (widths[column] - width_of(cell.text))
            shown = paint(cell.text, cell.colour, on=colour and bool(cell.colour))
            last = column == len(row) - 1
            texts.append(gap + shown if heads[column] in right else shown + ("" if last else gap))
        lines.append(_GAP.join(texts).rstrip() + "\n")
    return "".join(lines)
