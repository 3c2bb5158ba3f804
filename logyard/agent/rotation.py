"""What became of files that were rotated: which others belong to a path, and in which order they are read.

Names only propose; what decides is the inode (a renamed file) or the fingerprint (a copy). A file that nobody has
read is taken for a rotated one only if its name looks like it and it is at least as new as one that was read.
"""

from __future__ import annotations

import os
import re
import stat
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import NamedTuple

from logyard.agent.discovery import COMPRESSED
from logyard.agent.position import Position

__all__ = [
    "GRAIN_NS",
    "Age",
    "Candidate",
    "Listing",
    "Sibling",
    "by_age",
    "is_newer",
    "is_rotated",
    "open_sibling",
    "original_name",
    "plan",
]

GRAIN_NS = 10_000_000
"""By how much the stamps of a file system may be behind `stamp_ns`, should it have a clock of its own."""

# ".1", ".0042"; a date or a time of at least six digits behind almost anything; a word.
_SUFFIX = r"(?:\.\d{1,4}|[-._@](?=(?:\D?\d){6})\d[\dTZ_.:+-]*|[-._](?:old|bak|prev|orig))"
_ROTATED = re.compile(_SUFFIX)
_WITH_SUFFIX = re.compile(rf"(.+?){_SUFFIX}", re.DOTALL)
_NUMBER = re.compile(r"\.(\d{1,4})(?=\.|$)")
_DIGITS = re.compile(r"\d")


class Age(NamedTuple):
    """How old a file is among those that had a path.

    Attributes:
        mtime_ns: when it was last written to.
        name: its name, which says more where rotations number files or put dates on them: an old file may still
            get late lines. "" for a mere point of time.
    """

    mtime_ns: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Sibling:
    """A regular file beside a followed one that may have been that one, or a copy of it.

    Attributes:
        name: its name.
        device, inode, size, mtime_ns: as stat tells.
        rotated: its name looks as if a rotation had made it.
    """

    name: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    rotated: bool

    @property
    def age(self) -> Age:
        return Age(self.mtime_ns, self.name)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sibling, and what is known about it.

    Attributes:
        sibling: the file.
        known: up to where it has been read, None if never.
        stored: Redis says so, not only the agent's memory.
        copied: where to go on in it because it is a copy of a file that was emptied while read up to there.
        double: it is a copy of a file that is known itself, or of one that is copied from already.
        twin: of a file that is followed.
    """

    sibling: Sibling
    known: Position | None = None
    stored: bool = False
    copied: Position | None = None
    double: bool = False
    twin: bool = False


def is_newer(one: Age, other: Age) -> bool:
    """Whether ``one`` is at least as new as ``other``."""
    if one.name and other.name:
        numbers = _NUMBER.findall(one.name), _NUMBER.findall(other.name)
        if all(numbers):
            return int(numbers[0][-1]) <= int(numbers[1][-1])
        dates = _DIGITS.sub("0", one.name), _DIGITS.sub("0", other.name)
        if dates[0] == dates[1] and one.name != other.name and original_name(one.name):
            return one.name > other.name
    return one.mtime_ns >= other.mtime_ns


@cmp_to_key
def by_age(one: Age, other: Age) -> int:
    """Sorts the oldest first."""
    return is_newer(one, other) - is_newer(other, one)


def open_sibling(path: str) -> int:
    """A handle of a file beside a followed one; nothing is waited for, and no link is followed.

    Raises:
        OSError: it cannot be opened.
    """
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)


def original_name(name: str) -> str | None:
    """``app.log`` for ``app.log.1`` and ``app.log-20240131``, None for a name that no rotation made."""
    match = _WITH_SUFFIX.fullmatch(name)
    return None if match is None else match[1]


def is_rotated(name: str, original: str) -> bool:
    """Whether a rotation of ``original`` may have made ``name``: ``app.log.1``, ``app-20240131.log``, ``app.1.log``."""
    if name.startswith(original) and _ROTATED.fullmatch(name, len(original)):
        return True
    stem, ending = os.path.splitext(original)  # noqa: PTH122
    if not ending or not name.startswith(stem) or not name.endswith(ending):
        return False
    return _ROTATED.fullmatch(name, len(stem), len(name) - len(ending)) is not None


class Listing:
    """The names in a directory, looked up once for all followed files in it; empty where it cannot be listed.

    Attributes:
        torn: a name was not there any more when its file was looked at: a rotation was going on.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.torn = False
        try:
            self._names = sorted(name for name in os.listdir(directory or "/") if not name.endswith(COMPRESSED))  # noqa: PTH208
        except OSError:
            self._names = []

    def names(self, original: str) -> list[tuple[str, bool]]:
        """Names that a file which was ``original`` may have now, and whether they look as if a rotation made them."""
        stem = os.path.splitext(original)[0]  # noqa: PTH122
        found = []
        for at in range(bisect_left(self._names, stem), len(self._names)):
            name = self._names[at]
            if not name.startswith(stem):
                break
            rotated = is_rotated(name, original)
            if name != original and (rotated or (name.startswith(original) and name[len(original)] in "-._@~")):
                found.append((name, rotated))
        return found

    def siblings(self, original: str) -> list[Sibling]:
        """The files beside ``original`` that may have been it, oldest first."""
        found = []
        for name, rotated in self.names(original):
            try:
                info = os.lstat(f"{self.directory}/{name}")
            except FileNotFoundError:
                self.torn = True
                continue
            except OSError:
                continue
            if stat.S_ISREG(info.st_mode):
                found.append(Sibling(name, info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, rotated=rotated))
        return sorted(found, key=lambda sibling: by_age(sibling.age))

    def is_whole(self, original: str) -> bool:
        """Whether no file beside ``original`` can have escaped it by a rotation between the names and the files."""
        return not self.torn and self.names(original) == Listing(self.directory).names(original)


def plan(
    candidates: Sequence[Candidate],
    read: Sequence[Age],
    *,
    rotated: bool,
    recent_ns: int,
    missing_ns: int | None = None,
) -> list[tuple[Candidate, Position | None]]:
    """Decide which siblings hold lines to read, or may get some.

    Args:
        candidates: the siblings.
        read: of the files of this path that are followed already, or of what else was read for it before.
        rotated: the file that now has the path is not the one that was read last, so that there may be files
            which were both made and rotated in between.
        recent_ns: since when (mtime) a file counts as one that may still get late lines.
        missing_ns: where nothing was read for this path: when it was seen that there is no such file, None if never.

    Returns:
        those to follow, oldest first, and where to go on in each; None is the beginning.
    """
    chosen: list[tuple[Candidate, Position | None]] = []
    known = list(read)
    for one in candidates:
        at = one.known or one.copied
        if at is None:
            continue
        if at.offset:
            known.append(one.sibling.age)
        # A copy is followed in any case, so that it is known.
        if at.offset < one.sibling.size or one.known is None or one.sibling.mtime_ns >= recent_ns:
            chosen.append((one, at))
    if rotated:
        if not known and missing_ns is not None:
            known.append(Age(missing_ns - GRAIN_NS))
        for one in candidates:
            unread = one.known is None and one.copied is None and not one.double
            fits = unread and one.sibling.rotated and one.sibling.size > 0
            if fits and known and all(is_newer(one.sibling.age, other) for other in known):
                chosen.append((one, None))
    return sorted(chosen, key=lambda choice: by_age(choice[0].sibling.age))
