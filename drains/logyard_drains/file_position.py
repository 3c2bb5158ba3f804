"""A place in the sequence of files that a file drain writes, and the names of these files; pure.

A drain writes *generations*, numbered upwards: the live file ``out.log`` is the newest, the rotated ones keep
their number in their name, ``out.log.000007`` or compressed ``out.log.000007.zst``, and never change it. So a
position names one byte of one file for good, whatever was rotated or compressed since.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from logyard.errors import Permanent

__all__ = ["COMPRESSED", "TAIL", "VERSION", "Position", "partition_path", "rotated_generations", "rotated_name"]

TAIL = 256
"""Bytes before a position whose checksum is kept with it."""
VERSION = 1
COMPRESSED = (".gz", ".zst")
"""Endings of a rotated file that is compressed."""


@dataclass(frozen=True, slots=True)
class Position:
    """Everything before this place is delivered.

    Attributes:
        path: the live file's path; a position in another path means nothing here.
        generation: number of the file.
        length: bytes of that file.
        tail: CRC-32 of the last (up to) `TAIL` bytes before ``length``: it tells this file from another one
            that has taken its name, and survives copying and compression, unlike an inode.
        since: when the generation was begun, seconds since 1970.
    """

    path: str
    generation: int
    length: int = 0
    tail: int = 0
    since: float = 0.0

    def moved(self, length: int, last: bytes) -> Position:
        """The position at ``length`` in the same generation; ``last`` are the bytes before it."""
        return replace(self, length=length, tail=zlib.crc32(last[-TAIL:]))

    def encode(self) -> str:
        """As text, for a `Receipt`'s cursor."""
        return json.dumps({"v": VERSION, **asdict(self)}, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str | None, path: str) -> Position | None:
        """The position in a cursor, or None when it is no cursor of a file drain that writes to ``path``.

        Raises:
            Permanent: a later version wrote it, so that nobody can tell where to go on.
        """
        try:
            fields = json.loads(text or "")
            if not isinstance(fields, dict) or fields.get("path") != path:
                return None
            version = fields.pop("v")
            if version != VERSION:
                raise Permanent(f"{path}: the cursor has version {version!r}, known is {VERSION}: update logyard")
            return cls(**fields)
        except (ValueError, KeyError, TypeError):
            return None


def rotated_name(name: str, generation: int) -> str:
    """The name of a rotated file before it is compressed; names sort in the order of writing."""
    return f"{name}.{generation:06d}"


def rotated_generations(name: str, paths: Iterable[Path]) -> dict[int, list[Path]]:
    """The rotated files of the live file ``name`` among ``paths``: by generation, the uncompressed form first."""
    pattern = re.compile(re.escape(name) + r"\.(\d{6,})(\.gz|\.zst)?")
    found: dict[int, list[Path]] = {}
    for path in paths:
        if match := pattern.fullmatch(path.name):
            found.setdefault(int(match[1]), []).append(path)
    for forms in found.values():
        forms.sort(key=lambda path: len(path.name))
    return found


def partition_path(path: Path, partition: int, partitions: int) -> Path:
    """The file of one partition: ``out.log`` itself when there is one, else ``out.p03.log``."""
    if partitions <= 1:
        return path
    digits = max(2, len(str(partitions - 1)))
    return path.with_name(f"{path.stem}.p{partition:0{digits}d}{path.suffix}")
