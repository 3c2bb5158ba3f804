"""Whether what the demo's application wrote has arrived everywhere, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

__all__ = ["Archive", "Tally"]

_COMPARED = 256
"""Bytes by which an archive is known to be as it was; a record's id is among them."""


class Archive:
    """The file that the demo's file drain writes, read as it grows.

    Attributes:
        by_source: records of each source: ``web.0``, ``health_manager``.
        repeated: how many records came again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin()

    def _begin(self) -> None:
        self.by_source: Counter[str] = Counter()
        self.repeated = 0
        self._at = 0
        self._end = b""
        self._seen: set[str] = set()

    def read(self) -> None:
        """Take in what has been written since the last call; all of it when a drain that began anew has cut it back."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at - len(self._end))
                if file.read(len(self._end)) != self._end:
                    self._begin()
                    file.seek(0)
                data = file.read()
        except FileNotFoundError:
            return
        data = data[: data.rfind(b"\n") + 1]
        self._at += len(data)
        self._end = (self._end + data)[-_COMPARED:]
        for line in data.splitlines():
            record = orjson.loads(line)
            app = record.get("app")
            source = f"{app}.{record['instance']}" if app is not None else record["key"].removeprefix("sys.")
            self.by_source[source] += 1
            self.repeated += record["id"] in self._seen
            self._seen.add(record["id"])


@dataclass(frozen=True, slots=True)
class Tally:
    """Lines, counted at each place.

    Attributes:
        written: by the application, by source.
        streams: in the streams, by key.
        archived: delivered to the file, by source.
        received: delivered by syslog, by source.
        repeated: how many of the archived ones came more than once.
        errors: what the receiver could not understand.
    """

    written: Mapping[str, int]
    streams: Mapping[str, int]
    archived: Mapping[str, int]
    received: Mapping[str, int]
    repeated: int = 0
    errors: tuple[str, ...] = ()

    @property
    def expected(self) -> dict[str, int]:
        """What the streams should hold, by key."""
        keys: Counter[str] = Counter()
        for source, lines in self.written.items():
            app, dot, _ = source.rpartition(".")
            keys[f"app.{app}" if dot else f"sys.{source}"] += lines
        return dict(keys)

    @property
    def agrees(self) -> bool:
        """Whether every line is everywhere, once."""
        whole = dict(self.written)
        return (
            dict(self.streams) == self.expected
            and dict(self.archived) == whole
            and dict(self.received) == whole
            and not self.repeated
            and not self.errors
        )

    @property
    def _drained(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        return self.archived, self.received

    def text(self) -> str:
        """A table for a terminal, and the verdict below it."""
        rows = [["", "written", "in streams", "to file", "by syslog"]]
        sources = dict.fromkeys([*self.written, *self.archived, *self.received])
        rows += [
            [source, _number(self.written, source), "", *(_number(part, source) for part in self._drained)]
            for source in sources
        ]
        keys = dict.fromkeys([*self.expected, *self.streams])
        rows += [[f"all of {key}", _number(self.expected, key), _number(self.streams, key), "", ""] for key in keys]
        totals = [sum(part.values()) for part in (self.written, self.streams, *self._drained)]
        rows.append(["all", *(f"{total:,}" for total in totals)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = []
        for first, *others in rows:
            cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
            lines.append("  ".join([first.ljust(widths[0]), *cells]))
        if self.agrees:
            lines.append("They agree: every line arrived at every place, once.")
        else:
            lines += ["They do not agree.", *self._differences()]
        return "\n".join(line.rstrip() for line in lines)

    def _differences(self) -> Iterator[str]:
        places = (
            ("in the streams", self.expected, self.streams),
            ("in the file", self.written, self.archived),
            ("by syslog", self.written, self.received),
        )
        for place, whole, part in places:
            missing = sum(max(0, whole.get(name, 0) - part.get(name, 0)) for name in {*whole, *part})
            more = sum(max(0, part.get(name, 0) - whole.get(name, 0)) for name in {*whole, *part})
            if missing:
                yield f"{missing:,} lines have not arrived {place}."
            if more:
                yield f"{more:,} lines more than there are have arrived {place}."
        if sum(self.received.values()) > sum(self.written.values()):
            yield "Syslog over TCP knows no acknowledgement: what was under way when a process died is sent again."
        if self.repeated:
            yield f"{self.repeated:,} records are in the file more than once."
        for error in self.errors:
            yield f"The syslog receiver did not understand: {error}"


def _number(counts: Mapping[str, int], name: str) -> str:
    return f"{counts.get(name, 0):,}"
