"""The output formats of ``logyard tail``: from selected records to lines of bytes. No IO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from logyard.batch import Selection
from logyard.derive.severity import Level, levels
from logyard_cli.pretty import Layout, render
from logyard_cli.visible import decoded, visible, visible_json

__all__ = ["OUTPUTS", "Part", "Pretty", "Renderer", "make_renderer"]

OUTPUTS = ("pretty", "json", "raw", "text")


@dataclass(frozen=True, slots=True)
class Part:
    """Records of one batch and their times.

    Attributes:
        selection: the records.
        times: what they say about when they happened, ns since 1970 UTC, else when they were observed.
        order: times to merge them with other streams' by; the same ones, made plausible.
    """

    selection: Selection
    times: Sequence[int]
    order: Sequence[int]


class Renderer(Protocol):
    """An output format.

    Attributes:
        timed: whether it needs `Part.times`.
    """

    timed: bool

    def render(self, parts: Sequence[Part], now_ns: int) -> list[list[bytes]]:
        """For each part its records as they are written, each with its newline.

        Raises:
            WireError: a batch is damaged.
        """


class Pretty:
    """For eyes; see `logyard_cli.pretty`. Keeps the layout, whose columns grow with what is seen."""

    timed = True

    def __init__(self, layout: Layout, encoding: str = "utf-8") -> None:
        self.layout = layout
        self._encoding = encoding

    def render(self, parts: Sequence[Part], now_ns: int) -> list[list[bytes]]:
        severities: list[list[Level | None]] = [levels(part.selection.lines) for part in parts]
        layout = self.layout
        for part, found in zip(parts, severities, strict=True):
            layout = layout.fitted(part.selection.batch, part.times, found, now_ns)
        self.layout = layout
        encoding = self._encoding
        return [
            [
                (line + "\n").encode(encoding, "backslashreplace")
                for line in render(layout, part.selection, part.times, found, now_ns)
            ]
            for part, found in zip(parts, severities, strict=True)
        ]


class _Json:
    """The envelope, one JSON object a line; for a terminal unsafe characters are escaped in it."""

    timed = False

    def __init__(self, terminal: bool, encoding: str) -> None:
        from logyard.formats import make_format

        self._format = make_format("json")
        self._terminal = terminal
        self._encoding = encoding

    def render(self, parts: Sequence[Part], now_ns: int) -> list[list[bytes]]:
        del now_ns
        encode = self._format.encode
        if self._terminal:
            return [[_safe_json(line, self._encoding) for line in encode(part.selection)] for part in parts]
        return [[line + b"\n" for line in encode(part.selection)] for part in parts]


class _Text:
    """The text format, one line a record."""

    timed = False

    def __init__(self, terminal: bool, encoding: str) -> None:
        from logyard.formats import make_format

        self._format = make_format("text")
        self._terminal = terminal
        self._encoding = encoding

    def render(self, parts: Sequence[Part], now_ns: int) -> list[list[bytes]]:
        del now_ns
        encode = self._format.encode
        if self._terminal:
            return [[_safe(_one_line(line), self._encoding) for line in encode(part.selection)] for part in parts]
        return [[_one_line(line) + b"\n" for line in encode(part.selection)] for part in parts]


class _Raw:
    """The records' own bytes; only a terminal gets them made safe."""

    timed = False

    def __init__(self, terminal: bool, encoding: str) -> None:
        self._terminal = terminal
        self._encoding = encoding

    def render(self, parts: Sequence[Part], now_ns: int) -> list[list[bytes]]:
        del now_ns
        if self._terminal:
            return [[_safe(line, self._encoding) for line in part.selection.lines] for part in parts]
        return [[line + b"\n" for line in part.selection.lines] for part in parts]


def _safe(line: bytes, encoding: str) -> bytes:
    return visible(decoded(line.rstrip(b"\r\n")), newlines=True).encode(encoding, "backslashreplace") + b"\n"


def _one_line(line: bytes) -> bytes:
    return line.replace(b"\n", b"\\n") if b"\n" in line else line


def _safe_json(line: bytes, encoding: str) -> bytes:
    return visible_json(decoded(line)).encode(encoding, "backslashreplace") + b"\n"


def make_renderer(output: str, *, terminal: bool, layout: Layout, encoding: str = "utf-8") -> Renderer:
    """The renderer of an output format.

    Args:
        output: one of `OUTPUTS`.
        terminal: whether the lines go to a terminal.
        layout: for ``pretty``.
        encoding: of the terminal.
    """
    if output == "pretty":
        return Pretty(layout, encoding)
    kinds: dict[str, type[_Json] | type[_Text] | type[_Raw]] = {"json": _Json, "text": _Text, "raw": _Raw}
    return kinds[output](terminal, encoding)
