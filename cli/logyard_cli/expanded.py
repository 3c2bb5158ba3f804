"""Log records with one field a line, for those that are too wide to read otherwise. Pure.

── 16:56:34.590  web.0  ERROR ─────────────────────────
text    payment refused
status  502
stack   java.net.ConnectException: Connection refused
            at com.example.Pay.charge(Pay.java:42)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from logyard.batch import Selection
from logyard.derive.blocks import severities_of
from logyard.derive.severity import Level
from logyard.formats.fields import as_text
from logyard.formats.json import flat_objects
from logyard_cli.colour import DIM, GREY, RESET, paint, source_colour
from logyard_cli.pretty import LEVEL_TAGS, Layout, Moments, label
from logyard_cli.table import width_of
from logyard_cli.visible import visible

__all__ = ["expand"]

_GAP = "  "
_WIDEST = 24
"""Columns that a field's name may take before its value is moved out of line."""
_MESSAGES = frozenset({"msg", "message"})
_IN_RULE = frozenset({"time", "level"})
"""Fields that the rule above a record shows."""


def expand(layout: Layout, selection: Selection, times: Sequence[int], now_ns: int, width: int = 80) -> list[str]:
    """The selected records, each a rule and a line for each field, without the last newline, safe for a terminal.

    Args:
        times: of the selected records, in ns since 1970 UTC.
        now_ns: the present.
        width: columns of the terminal.

    Raises:
        WireError: the batch is damaged.
    """
    moments = Moments(layout, now_ns)
    source = visible(label(selection.batch))
    out = []
    for record, moment, level in zip(flat_objects(selection), times, severities_of(selection), strict=True):
        shown = layout.fields.of(record)
        if not layout.fields.only:
            shown = _once(shown)
        flat: dict[str, str] = {}
        _flatten(shown if layout.fields.only else {name: shown[name] for name in shown if name not in _IN_RULE}, flat)
        rule = _rule(layout, moments.text(moment).strip(), source, selection.batch.key, level, width)
        out.append("\n".join([rule, *_lines(layout, flat)]))
    return out


def _once(record: dict[str, Any]) -> dict[str, Any]:
    """The record without the member that its message came from: it is shown as the text."""
    text = record.get("text")
    return {name: value for name, value in record.items() if name not in _MESSAGES or value != text}


def _rule(layout: Layout, moment: str, source: str, key: str, level: Level | None, width: int) -> str:
    tag, colour = LEVEL_TAGS[level] if level is not None else ("", "")
    used = (
        len("── ") + width_of(_bare(moment)) + len(_GAP) + width_of(source) + 1 + (len(_GAP) + len(tag) if tag else 0)
    )
    end = "─" * max(2, min(width, 100) - used - 1)
    painted = layout.colour
    parts = [moment, paint(source, source_colour(key), on=painted)]
    if tag:
        parts.append(paint(tag, colour, on=painted and bool(colour)))
    return f"{paint('──', GREY, on=painted)} {_GAP.join(parts)} {paint(end, GREY, on=painted)}"


def _bare(text: str) -> str:
    return text.removeprefix(GREY).removesuffix(RESET)


def _flatten(members: dict[str, Any], flat: dict[str, str], before: str = "") -> None:
    for name, value in members.items():
        if type(value) is dict and value:
            _flatten(value, flat, f"{before}{name}.")
        else:
            flat[before + name] = as_text(value)


def _lines(layout: Layout, flat: dict[str, str]) -> list[str]:
    names = [visible(name) for name in flat]
    widest = max((width_of(name) for name in names if width_of(name) <= _WIDEST), default=0)
    below = "\n" + " " * (widest + len(_GAP))
    lines = []
    for name, value in zip(names, flat.values(), strict=True):
        texts = [_marked(layout, visible(line.rstrip("\r"))) for line in value.rstrip("\n").split("\n")]
        gap = " " * max(0, widest - width_of(name))
        lines.append(f"{paint(name, DIM, on=layout.colour)}{gap}{_GAP}{below.join(texts)}".rstrip())
    return lines


def _marked(layout: Layout, text: str) -> str:
    return layout.highlight.marked(text) if layout.colour and layout.highlight is not None else text
