"""What it costs to write a record in each format, with the part of logyard that is in C and without."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

from bench.lines import blocks, make_batch, make_lines, make_texts
from bench.report import Figure, say, table
from logyard import native
from logyard.batch import BLOCK_LIMIT, Selection
from logyard.formats.ecs import EcsFormat
from logyard.formats.json import JsonFormat
from logyard.formats.loggly import LogglyFormat
from logyard.formats.nested import NestedFormat
from logyard.formats.splice import Mark
from logyard.formats.syslog import SyslogFormat
from logyard.router.allocation import keep_freed_blocks

__all__ = ["measure"]

_DISTINCT = 20_000
_ACTION = b'{"create":{"_index":"logs-web-default","_id":"0123456789abcdef.1:'
_EVERY = 50
"""Of so many lines one is text, where some are."""


def measure(rounds: int) -> tuple[dict[str, Any], list[Figure]]:
    """ns a line, on one core, over blocks of 256 KiB that are decompressed already."""
    keep_freed_blocks()  # as the router does
    json = list(make_lines(_DISTINCT))
    text = list(make_texts(_DISTINCT))
    kinds = {
        "JSON": json,
        "one in fifty is text": [text[n] if n % _EVERY == 0 else line for n, line in enumerate(json)],
        "text": text,
    }
    say(f"formats: {_DISTINCT:,} lines in blocks of {BLOCK_LIMIT // 1024} KiB, {rounds} rounds, one core")
    if native.module is None:
        say(f"logyard's part in C is {native.missing}")
    found: dict[str, Any] = {}
    rows = []
    for lines, chosen in kinds.items():
        for name, write in _writers().items():
            spent = [(_spent(write, chosen, True), _spent(write, chosen, False)) for _ in range(rounds)]
            with_it, without = (median(column) for column in zip(*spent, strict=True))
            found[f"{name}, {lines}"] = {"ns": spent}
            rows.append((name, lines, f"{with_it:.0f}", f"{without:.0f}", f"{without / with_it:.1f}"))
    table(("format", "lines", "ns a line", "without C", "times"), rows)
    return found, []


def _writers() -> dict[str, Callable[[Selection], object]]:
    ecs, nested, json, loggly, syslog = EcsFormat(), NestedFormat(), JsonFormat(), LogglyFormat(), SyslogFormat()
    before = (_ACTION, Mark.OFFSET, b'"}}\n')
    return {
        "ecs, with actions": lambda selection: ecs.documents(selection).framed(before, b"\n"),
        "nested": nested.pieces,
        "json": json.pieces,
        "loggly": loggly.pieces,
        "syslog, severity and time of each": lambda selection: syslog.frames(selection, "octet"),
    }


def _spent(write: Callable[[Selection], object], lines: Sequence[bytes], in_c: bool) -> float:
    """ns for a line."""
    selections = [Selection(make_batch(block, count)) for block, count in blocks(lines)]
    with _writing(in_c):
        began = time.process_time()
        for selection in selections:
            write(selection)
        return (time.process_time() - began) / len(lines) * 1e9


@contextmanager
def _writing(in_c: bool) -> Iterator[None]:
    kept = native.module
    if not in_c:
        native.module = None
    try:
        yield
    finally:
        native.module = kept
