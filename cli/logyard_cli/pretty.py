"""Log records for a person's eyes: aligned columns, colours by source and severity. Pure.

    16:56:34.590  web.0            ERROR  payment refused  status=502 path=/pay
    16:56:34.613  nginx@10.0.4.10         connect() failed (111: Connection refused)

What is drawn depends on a `Layout`, a frozen value; `Layout.fitted` gives the one that suits further records as well.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from logyard.batch import Batch, Selection
from logyard.derive.severity import LEVEL_NAMES, Level, level_value
from logyard.derive.time import TIME_NAMES
from logyard_cli.colour import BOLD, DIM, GREY, RED, RESET, YELLOW, source_colour
from logyard_cli.fields import parse_record, split_record
from logyard_cli.table import width_of
from logyard_cli.visible import decoded, visible

__all__ = ["Layout", "label", "render"]

_GAP = "  "
_TAGS = {
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
_TAG_WIDTH = 5
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
        local: time of day here (a terminal); else RFC 3339 in UTC.
        node: whether nodes are named; None: from the second one on.
        widest: columns that the source's name may take before it sticks out.
        label_width: columns that it takes now.
        dated: the time column has room for a date; records of today in a row until that room is given up.
        levelled: there is a column of levels.
        nodes: the nodes seen, as far as that decides anything.
    """

    colour: bool = False
    local: bool = False
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
        if self.local and not _all_today(times, now_ns):
            changes["dated"] = _DATED_FOR
        elif self.dated:
            changes["dated"] = max(0, self.dated - len(times))
        return replace(self, **changes) if changes else self  # type: ignore[arg-type]


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
) -> list[str]:
    """The selected records as they are printed, each without its last newline, safe for a terminal.

    Args:
        times, levels: of the selected records, parallel to them; ``times`` in ns since 1970 UTC.
        now_ns: the present; records of other days show their date.

    Raises:
        WireError: the batch is damaged.
    """
    batch = selection.batch
    painted = layout.colour
    heads = _heads(layout, batch)
    indent = " " * (_time_width(layout) + len(_GAP) + layout.label_width + len(_GAP) + _level_room(layout))
    observed = batch.time_ns
    clock = _Clock(layout, now_ns)
    out: list[str] = []
    shown = observed
    for line, moment, level in zip(selection.lines, times, levels, strict=True):
        if own_time := moment != observed:
            shown = moment  # what follows without a time of its own, a stack trace, belongs to it
        record = parse_record(line)
        if record is None:
            text = decoded(line).rstrip("\r\n")
            body, extra, blocks = _without_lead(text, own_time, level), "", _NO_BLOCKS
        else:
            hidden = (TIME_NAMES if own_time else _NONE) | (LEVEL_NAMES if level is not None else _NONE)
            body, fields, blocks = split_record(record, hidden)
            extra = visible(" ".join(fields))
        if "\n" in body:
            body, *following = body.rstrip("\n").split("\n")
            blocks = ["\n".join(following), *blocks]
        body = visible(body)
        if painted:
            if level is not None and level >= Level.DEBUG and body:
                body = f"{DIM}{body}{RESET}"
            if extra:
                extra = f"{DIM}{extra}{RESET}"
        if extra:
            body = f"{body}{_GAP}{extra}" if body else extra
        if blocks:
            body += "".join(f"\n{indent}{part}" for block in blocks for part in _block_lines(block, painted))
        out.append(clock.text(shown) + heads[level] + body)
    return out


_NONE: frozenset[str] = frozenset()
_NO_BLOCKS: list[str] = []


def _block_lines(block: str, painted: bool) -> list[str]:
    lines = [visible(line.rstrip("\r")) for line in block.strip("\n").split("\n")]
    return [f"{DIM}{line}{RESET}" for line in lines] if painted else lines


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
    heads: dict[Level | None, str] = {None: source + " " * _level_room(layout)}
    for level, (tag, colour) in _TAGS.items():
        padded = tag.ljust(_TAG_WIDTH)
        shown = f"{colour}{padded}{RESET}" if layout.colour and colour else padded
        heads[level] = f"{source}{shown}{_GAP}"
    return heads


def _level_room(layout: Layout) -> int:
    return _TAG_WIDTH + len(_GAP) if layout.levelled else 0


def _time_width(layout: Layout) -> int:
    if not layout.local:
        return len("2013-01-10T16:56:34.590Z")
    return len("2013-01-10 16:56:34.590" if layout.dated else "16:56:34.590")


def _all_today(times: Sequence[int], now_ns: int) -> bool:
    today = time.localtime(now_ns // 1_000_000_000)[:3]
    # Times nearly rise: looking at the first and the last is enough to choose a width.
    return (
        all(time.localtime(moment // 1_000_000_000)[:3] == today for moment in (times[0], times[-1])) if times else True
    )


class _Clock:
    """Texts of times; the part above a second is made once a second."""

    def __init__(self, layout: Layout, now_ns: int) -> None:
        self._local = layout.local
        self._width = _time_width(layout)
        self._today = time.localtime(now_ns // 1_000_000_000)[:3]
        self._start, self._end = (GREY, RESET) if layout.colour else ("", "")
        self._second = -1
        self._head = ""
        self._tail = ""

    def text(self, moment: int) -> str:
        second, rest = divmod(moment, 1_000_000_000)
        if second != self._second:
            self._second = second
            if self._local:
                parts = time.localtime(second)
                head = time.strftime("%H:%M:%S" if parts[:3] == self._today else "%Y-%m-%d %H:%M:%S", parts)
                self._head = self._start + head.rjust(self._width - 4) + "."
                self._tail = self._end
            else:
                self._head = self._start + time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)) + "."
                self._tail = "Z" + self._end
        return f"{self._head}{rest // 1_000_000:03d}{self._tail}"
