"""Log records for a person's eyes: aligned columns, colours by source and severity. Pure.

    16:56:34.590  web.0            ERROR  payment refused  status=502 path=/pay
    16:56:34.613  nginx@10.0.4.10         connect() failed (111: Connection refused)

What is drawn depends on a `Layout`, a frozen value; `Layout.fitted` gives the one that suits further records as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo

from logyard.batch import Batch, Selection
from logyard.derive.severity import LEVEL_NAMES, Level, level_value
from logyard.derive.time import TIME_NAMES
from logyard_cli.chosen import ALL_FIELDS, Fields
from logyard_cli.colour import BOLD, DIM, GREY, RED, RESET, YELLOW, source_colour
from logyard_cli.fields import parse_record, split_record
from logyard_cli.highlight import Highlighter
from logyard_cli.table import width_of
from logyard_cli.visible import decoded, visible
from logyard_cli.zones import Clock

__all__ = ["LEVEL_TAGS", "Layout", "Moments", "label", "render"]

_GAP = "  "
LEVEL_TAGS = {
    Level.EMERGENCY: ("EMERG", BOLD + RED),
    Level.ALERT: ("ALERT", BOLD + RED),
    Level.CRITICAL: ("CRIT", BOLD + RED),
    Level.ERROR: ("ERROR", RED),
    Level.WARN: ("WARN", YELLOW),
    Level.NOTICE: ("NOTE", ""),
    Level.INFO: ("INFO", ""),
    Level.DEBUG: ("DEBUG", DIM),
    Level.TRACE: ("TRACE", DIM),
}
"""How each severity is written, and its colour."""
_TAG_WIDTH = 5
_SECOND = 1_000_000_000
_DATED_FOR = 100
_LEADING_TIME = re.compile(
    r"""\s*[\[(]?
    (?: \d{4}[-/]\d\d[-/]\d\d[T\ _]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:\s?(?:Z|UTC|[+-]\d\d:?\d\d))?\b
      | \d\d/[A-Z][a-z]{2}/\d{4}[:\ ]\d\d:\d\d:\d\d(?:\s[+-]\d{4})?
      | (?:[A-Z][a-z]{2}\s)?[A-Z][a-z]{2}\s[\ \d]\d\s\d\d:\d\d:\d\d(?:\.\d+)?(?:\s\d{4})?
      | \d{10}(?:\.\d{1,9}|\d{3})?(?=[\s\])])
    )
    [\])]?:?(?:\s+(?:[-|]\s+)?|$)""",
    re.VERBOSE,
)
_LEADING_LEVEL = re.compile(r"[\[<(]?([A-Za-z]{3,11})(?:[\]>)]:?|:|(?=\s))\s*(?:[-|]{1,2}\s+)?")


@dataclass(frozen=True, slots=True)
class Layout:
    """How records are drawn.

    Attributes:
        colour: whether with colours.
        local: time of day alone (a terminal); else RFC 3339.
        zone: of the times; None: the machine's where ``local``, else UTC.
        fields: which fields are shown; the columns are called ``time``, ``source``, ``level`` and ``text``, and only
            hiding them removes them.
        highlight: marks what was looked for, None for nothing.
        node: whether nodes are named; None: from the second one on.
        widest: columns that the source's name may take before it sticks out.
        label_width: columns that it takes now.
        dated: the time column has room for a date; records of today in a row until that room is given up.
        levelled: there is a column of levels.
        nodes: the nodes seen, as far as that decides anything.
    """

    colour: bool = False
    local: bool = False
    zone: tzinfo | None = None
    fields: Fields = ALL_FIELDS
    highlight: Highlighter | None = None
    node: bool | None = None
    widest: int = 28
    label_width: int = 0
    dated: int = 0
    levelled: bool = False
    nodes: frozenset[str] = frozenset()

    @property
    def node_shown(self) -> bool:
        return len(self.nodes) > 1 if self.node is None else self.node

    def fitted(self, batch: Batch, times: Sequence[int], levels: Sequence[Level | None], now_ns: int) -> Layout:
        """The layout that suits these records as well. Columns grow; only room for a date is given up again."""
        changes: dict[str, object] = {}
        if self.node is None and len(self.nodes) < 2 and batch.node not in self.nodes:
            changes["nodes"] = self.nodes | {batch.node}
        shown = self if not changes else replace(self, nodes=self.nodes | {batch.node})
        source = width_of(label(batch)) + (width_of(batch.node) + 1 if shown.node_shown else 0)
        if self.label_width < source:
            width = min(source, self.widest)
            if width > self.label_width:
                changes["label_width"] = width
        if not self.levelled and any(level is not None for level in levels):
            changes["levelled"] = True
        if self.local and not self._all_today(times, now_ns):
            changes["dated"] = _DATED_FOR
        elif self.dated:
            changes["dated"] = max(0, self.dated - len(times))
        return replace(self, **changes) if changes else self  # type: ignore[arg-type]

    def clock(self) -> Clock:
        """The clock that times are read from."""
        return Clock(self.zone or (None if self.local else UTC))

    def _all_today(self, times: Sequence[int], now_ns: int) -> bool:
        clock = self.clock()
        today = clock.parts(now_ns // _SECOND)[0]
        # Times nearly rise: looking at the first and the last is enough to choose a width.
        return all(clock.parts(moment // _SECOND)[0] == today for moment in (times[0], times[-1])) if times else True


def label(batch: Batch) -> str:
    """What a source is called: ``web.0`` for an instance of an application, else its key without ``app.``, ``sys.``."""
    kind, _, name = batch.key.partition(".")
    shown = batch.key if kind == "event" or not name else name
    return f"{shown}.{batch.instance}" if batch.instance is not None else shown


def render(
    layout: Layout,
    selection: Selection,
    times: Sequence[int],
    levels: Sequence[Level | None],
    now_ns: int,
    matched: Sequence[bool] | None = None,
) -> list[str]:
    """The selected records as they are printed, each without its last newline, safe for a terminal.

    Args:
        times, levels: of the selected records, parallel to them; ``times`` in ns since 1970 UTC.
        now_ns: the present; records of other days show their date.
        matched: which of them were looked for; the others, their context, are dim. None for all.

    Raises:
        WireError: the batch is damaged.
    """
    batch = selection.batch
    heads = _heads(layout, batch)
    text = _Text(layout)
    observed = batch.time_ns
    moments = None if layout.fields.hides("time") else Moments(layout, now_ns)
    out: list[str] = []
    shown = observed
    for position, (line, moment, level) in enumerate(zip(selection.lines, times, levels, strict=True)):
        if own_time := moment != observed:
            shown = moment  # what follows without a time of its own, a stack trace, belongs to it
        dim = matched is not None and not matched[position]
        body = text.of(line, own_time, level, dim=dim)
        out.append((moments.text(shown) if moments is not None else "") + heads[level] + body)
    return out


class _Text:
    """What stands behind the columns."""

    def __init__(self, layout: Layout) -> None:
        self._colour = layout.colour
        self._fields = layout.fields
        self._highlight = layout.highlight if layout.colour else None
        self._indent = "\n" + " " * (_time_width(layout) + _source_width(layout) + len(_GAP) + _level_room(layout))

    def of(self, line: bytes, own_time: bool, level: Level | None, *, dim: bool) -> str:
        """The text of one record, its further lines indented below the first."""
        fields = self._fields
        record = parse_record(line)
        if record is None:
            body, extra, blocks = _without_lead(decoded(line).rstrip("\r\n"), own_time, level), "", _NO_BLOCKS
        else:
            hidden = (TIME_NAMES if own_time else _NONE) | (LEVEL_NAMES if level is not None else _NONE)
            body, pairs, blocks = split_record(record, hidden, fields)
            extra = visible(" ".join(pairs))
        if fields.hides("text"):
            body = ""
        if "\n" in body:
            body, *following = body.rstrip("\n").split("\n")
            blocks = ["\n".join(following), *blocks]
        faint = dim or (level is not None and level >= Level.DEBUG)
        body = self._painted(visible(body), DIM if faint else "")
        if extra:
            extra = self._painted(extra, DIM)
            body = f"{body}{_GAP}{extra}" if body else extra
        if blocks:
            body += "".join(self._indent + part for block in blocks for part in self._block(block))
        return body

    def _block(self, block: str) -> list[str]:
        return [self._painted(visible(line.rstrip("\r")), DIM) for line in block.strip("\n").split("\n")]

    def _painted(self, text: str, colour: str) -> str:
        if not self._colour or not text:
            return text
        if self._highlight is not None:
            text = self._highlight.marked(text, colour)
        return f"{colour}{text}{RESET}" if colour else text


_NONE: frozenset[str] = frozenset()
_NO_BLOCKS: list[str] = []


def _without_lead(text: str, own_time: bool, level: Level | None) -> str:
    """``text`` without the time and the level at its start that the columns show already."""
    start = 0
    if own_time and (lead := _LEADING_TIME.match(text)):
        start = lead.end()
    if level is not None and (lead := _LEADING_LEVEL.match(text, start)) and level_value(lead[1]) is level:
        start = lead.end()
    return text[start:] if start < len(text) else text


def _heads(layout: Layout, batch: Batch) -> dict[Level | None, str]:
    """Source and level columns, for each level that a record may have."""
    name, node = visible(label(batch)), ""
    if layout.node_shown:
        node = "@" + visible(batch.node)
    gap = " " * max(0, layout.label_width - width_of(name) - width_of(node))
    if layout.colour:
        name = f"{source_colour(batch.key)}{name}{RESET}"
        node = f"{GREY}{node}{RESET}" if node else ""
    source = f"{_GAP}{name}{node}{gap}{_GAP}"
    if layout.fields.hides("source"):
        source = _GAP
    if layout.fields.hides("time"):
        source = source.removeprefix(_GAP)
    heads: dict[Level | None, str] = {None: source + " " * _level_room(layout)}
    if layout.fields.hides("level"):
        return heads | dict.fromkeys(LEVEL_TAGS, source)
    for level, (tag, colour) in LEVEL_TAGS.items():
        padded = tag.ljust(_TAG_WIDTH)
        shown = f"{colour}{padded}{RESET}" if layout.colour and colour else padded
        heads[level] = f"{source}{shown}{_GAP}"
    return heads


def _level_room(layout: Layout) -> int:
    return _TAG_WIDTH + len(_GAP) if layout.levelled and not layout.fields.hides("level") else 0


def _source_width(layout: Layout) -> int:
    """Of the source column with the gap before it."""
    lead = 0 if layout.fields.hides("time") else len(_GAP)
    return lead if layout.fields.hides("source") else lead + layout.label_width


def _time_width(layout: Layout) -> int:
    if layout.fields.hides("time"):
        return 0
    if not layout.local:
        offset = "Z" if layout.zone in {None, UTC} else "+01:00"
        return len("2013-01-10T16:56:34.590" + offset)
    return len("2013-01-10 16:56:34.590" if layout.dated else "16:56:34.590")


class Moments:
    """Texts of times as a layout has them; the part above a second is made once a second."""

    def __init__(self, layout: Layout, now_ns: int) -> None:
        self._local = layout.local
        self._clock = layout.clock()
        self._width = _time_width(layout)
        self._today = layout.clock().parts(now_ns // _SECOND)[0]
        self._start, self._end = (GREY, RESET) if layout.colour else ("", "")
        self._second = -1
        self._head = ""
        self._tail = ""

    def text(self, moment: int) -> str:
        """The text of a time, ns since 1970 UTC."""
        second, rest = divmod(moment, _SECOND)
        if second != self._second:
            self._second = second
            day, hour, offset = self._clock.parts(second)
            if self._local:
                head = hour if day == self._today else f"{day} {hour}"
                self._head = self._start + head.rjust(self._width - 4) + "."
                self._tail = self._end
            else:
                self._head = f"{self._start}{day}T{hour}."
                self._tail = offset + self._end
        return f"{self._head}{rest // 1_000_000:03d}{self._tail}"
