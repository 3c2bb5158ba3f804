"""The output formats of ``logyard tail`` and ``logyard query``: from selected records to lines of bytes. No IO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from logyard.batch import Selection
from logyard.derive.blocks import severities_of
from logyard.derive.severity import Level
from logyard_cli.pretty import Layout, render
from logyard_cli.visible import decoded, visible, visible_json

__all__ = ["OUTPUTS", "Part", "Pretty", "Renderer", "make_renderer"]

OUTPUTS = ("pretty", "json", "raw", "text", "logfmt", "csv")
"""What ``-o`` takes; `make_renderer` also takes ``expanded`` and ``template``, which have options of their own."""


@dataclass(frozen=True, slots=True)
class Part:
    """Records of one batch and their times.

    Attributes:
        selection: the records.
        times: what they say about when they happened, ns since 1970 UTC, else when they were observed.
        order: times to merge them with other streams' by; the same ones, made plausible.
        matched: which of them were looked for, where the others are their context; None when all were.
        numbers: of each in its source, where there is context; see `logyard_cli.context`.
    """

    selection: Selection
    times: Sequence[int]
    order: Sequence[int]
    matched: Sequence[bool] | None = None
    numbers: Sequence[int] | None = None


class Renderer(Protocol):
    """An output format.

    Attributes:
        timed: whether it needs `Part.times`.
        header: written before the first record, b"" for nothing.
    """

    timed: bool
    header: bytes

    def render(self, parts: Sequence[Part], now_ns: int) -> list[list[bytes]]:
        """For each part its records as they are written, each with its newline.

        Raises:
            WireError: a batch is damaged.
        """


class Pretty:
    """For eyes; see `logyard_cli.pretty`. Keeps the layout, whose columns grow with what is seen."""

    timed = True
    header = b""

    def __init__(self, layout: Layout, encoding: str = "utf-8") -> None:
        self.layout = layout
        self._encoding = encoding

    def render(self, parts: Sequence[Part], now_ns: int) -> list[list[bytes]]:
        severities: list[list[Level | None]] = [severities_of(part.selection) for part in parts]
        layout = self.layout
        for part, found in zip(parts, severities, strict=True):
            layout = layout.fitted(part.selection.batch, part.times, found, now_ns)
        self.layout = layout
        encoding = self._encoding
        return [
            [
                (line + "\n").encode(encoding, "backslashreplace")
                for line in render(layout, part.selection, part.times, found, now_ns, part.matched)
            ]
            for part, found in zip(parts, severities, strict=True)
        ]


class _Expanded:
    """One field a line; see `logyard_cli.expanded`."""

    timed = True
    header = b""

    def __init__(self, layout: Layout, encoding: str, width: int) -> None:
        self._layout = layout
        self._encoding = encoding
        self._width = width

    def render(self, parts: Sequence[Part], now_ns: int) -> list[list[bytes]]:
        from logyard_cli.expanded import expand

        return [
            [
                (text + "\n").encode(self._encoding, "backslashreplace")
                for text in expand(self._layout, part.selection, part.times, now_ns, self._width)
            ]
            for part in parts
        ]


class _Lines:
    """A format of one line a record, as a program gets it; on a terminal made safe, and what was looked for marked."""

    def __init__(
        self, encode: Callable[[Part], Sequence[bytes]], layout: Layout, *, terminal: bool, encoding: str, timed: bool
    ) -> None:
        self.timed = timed
        self.header = b""
        self._encode = encode
        self._terminal = terminal
        self._encoding = encoding
        self._highlight = layout.highlight if layout.colour else None

    def render(self, parts: Sequence[Part], now_ns: int) -> list[list[bytes]]:
        del now_ns
        if not self._terminal:
            return [[line + b"\n" for line in self._encode(part)] for part in parts]
        return [[self._safe(line) for line in self._encode(part)] for part in parts]

    def _safe(self, line: bytes) -> bytes:
        text = visible(decoded(line.rstrip(b"\r\n")), newlines=True)
        if self._highlight is not None:
            text = self._highlight.marked(text)
        return text.encode(self._encoding, "backslashreplace") + b"\n"


class _Objects:
    """JSON objects, logfmt or CSV: the fields of each record, written by ``write``."""

    def __init__(
        self,
        write: Callable[[dict[str, Any]], bytes],
        layout: Layout,
        *,
        terminal: bool,
        encoding: str,
        header: bytes = b"",
        make_safe: Callable[[str], str] = visible,
    ) -> None:
        self.timed = layout.zone is not None
        self.header = header
        self._write = write
        self._layout = layout
        self._terminal = terminal
        self._encoding = encoding
        self._make_safe = make_safe

    def render(self, parts: Sequence[Part], now_ns: int) -> list[list[bytes]]:
        del now_ns
        return [[self._line(record) for record in self._records(part)] for part in parts]

    def _records(self, part: Part) -> list[dict[str, Any]]:
        from logyard.formats.json import flat_objects
        from logyard_cli.zones import stamps_in

        records = flat_objects(part.selection)
        layout = self._layout
        if layout.zone is not None:
            for record, stamp in zip(records, stamps_in(layout.zone, part.times), strict=True):
                record["time"] = stamp
        if layout.fields.everything:
            return records
        return [layout.fields.of(record) for record in records]

    def _line(self, record: dict[str, Any]) -> bytes:
        line = self._write(record)
        if self._terminal:
            line = self._make_safe(decoded(line)).encode(self._encoding, "backslashreplace")
        return line + b"\n"


def make_renderer(
    output: str, *, terminal: bool, layout: Layout, encoding: str = "utf-8", template: str = "", width: int = 80
) -> Renderer:
    """The renderer of an output format.

    Args:
        output: one of `OUTPUTS`, ``expanded`` or ``template``.
        terminal: whether the lines go to a terminal.
        layout: for ``pretty`` and ``expanded``; of it the others take the fields, the zone and, with colours, what
            is marked.
        encoding: of the terminal.
        template: for ``template``.
        width: columns of the terminal.

    Raises:
        UsageError: the template is wrong.
    """
    if output == "pretty":
        return Pretty(layout, encoding)
    if output == "expanded":
        return _Expanded(layout, encoding, width)
    if output == "raw":
        encode: Callable[[Part], Sequence[bytes]] = _raw
        return _Lines(encode, layout, terminal=terminal, encoding=encoding, timed=False)
    if output in {"text", "template"}:
        encode = _templated(template if output == "template" else None, layout)
        return _Lines(encode, layout, terminal=terminal, encoding=encoding, timed=False)
    return _objects(output, terminal=terminal, layout=layout, encoding=encoding)


def _objects(output: str, *, terminal: bool, layout: Layout, encoding: str) -> Renderer:
    if output == "csv":
        from logyard_cli.tabular import columns_of, csv_line, csv_row

        columns = columns_of(layout.fields)
        header = csv_line(columns) + b"\n"
        return _Objects(
            lambda record: csv_row(record, columns), layout, terminal=terminal, encoding=encoding, header=header,
        )  # fmt: skip
    if output == "logfmt":
        from logyard.formats.logfmt import pairs

        return _Objects(lambda record: pairs(record).encode(), layout, terminal=terminal, encoding=encoding)
    if layout.fields.everything and layout.zone is None:
        return _Json(terminal, encoding)
    import orjson

    return _Objects(orjson.dumps, layout, terminal=terminal, encoding=encoding, make_safe=visible_json)


class _Json:
    """The envelope and all fields, one JSON object a line, written a batch at a time."""

    timed = False
    header = b""

    def __init__(self, terminal: bool, encoding: str) -> None:
        from logyard.formats import make_format

        self._format = make_format("json")
        self._terminal = terminal
        self._encoding = encoding

    def render(self, parts: Sequence[Part], now_ns: int) -> list[list[bytes]]:
        del now_ns
        encode = self._format.encode
        if self._terminal:
            return [[self._safe(line) for line in encode(part.selection)] for part in parts]
        return [[line + b"\n" for line in encode(part.selection)] for part in parts]

    def _safe(self, line: bytes) -> bytes:
        return visible_json(decoded(line)).encode(self._encoding, "backslashreplace") + b"\n"


def _raw(part: Part) -> list[bytes]:
    return part.selection.lines


def _templated(template: str | None, layout: Layout) -> Callable[[Part], Sequence[bytes]]:
    from logyard.formats.template import NAMED, TemplateFormat
    from logyard_cli.zones import stamps_in

    zone = layout.zone
    text = NAMED["text"] if template is None else template
    form = TemplateFormat(text) if zone is None else TemplateFormat(text, stamp=lambda times: stamps_in(zone, times))
    return lambda part: [_one_line(line) for line in form.encode(part.selection)]


def _one_line(line: bytes) -> bytes:
    return line.replace(b"\n", b"\\n") if b"\n" in line else line
