"""Finding the files that the rules mean.

The directories that patterns lead to form a tree. Each is listed once, whatever number of patterns and files it
serves, and can be listed again by itself when the kernel says that something in it changed.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from logyard.agent.rules import DEEP, Pattern
from logyard.agent.stamp import stamp_ns

__all__ = ["COMPRESSED", "Directory", "Found", "Tree"]

log = logging.getLogger(__name__)

COMPRESSED = (".gz", ".zst", ".xz", ".bz2")
"""Endings of rotated files that were compressed: their lines were read before that."""

_Step = tuple[Pattern, int]
"""A pattern and which of its parts names an entry of the directory."""


class Found(NamedTuple):
    """A file in a directory's listing.

    Attributes:
        inode: of the directory entry (of what it points to, for a symbolic link). It changes when the name means
            another file; it may differ from the file's own where a file is a mount point.
        pattern: the first one that means it.
    """

    inode: int
    pattern: Pattern


class _Entry(NamedTuple):
    name: str
    inode: int
    is_link: bool
    kind: int  # S_IFDIR, S_IFREG, 0 for anything else; of its target for a link


class Directory:
    """A directory that patterns lead to.

    Attributes:
        path: absolute, "/" for the root.
        files: name of each file in it that a pattern means.
        children: name of each directory in it that patterns lead to.
        followed: whether patterns mean files in it (not only directories on the way).
        waits: whether something may appear in it that leads to files, so that it must be watched.
        listed_ns: when it was listed last, ns since 1970; ``before_ns``: the time before that. Of a directory that was
            not there when its parent was listed, that counts. None when agent and directory are new to each other.
    """

    __slots__ = (
        "_claims", "_names", "_steps", "before_ns", "children", "files", "followed", "listed_ns", "path", "waits",
    )  # fmt: skip

    def __init__(self, path: str, steps: Iterable[_Step], missing_ns: int | None = None) -> None:
        self.path = path
        self.listed_ns = missing_ns
        self.before_ns: int | None = None
        self.files: dict[str, Found] = {}
        self.children: dict[str, Directory] = {}
        self._steps = list(_without_deep(steps))
        self._claims: dict[str, Pattern | None] = {}
        parts = [pattern.parts[at] for pattern, at in self._steps]
        self._names = {part for part in parts if isinstance(part, str) and part != DEEP}
        self.followed = any(at == len(pattern.parts) - 1 for pattern, at in self._steps)
        self.waits = self.followed or any(part == DEEP or not isinstance(part, str) for part in parts)

    def join(self, name: str) -> str:
        """The path of something in it."""
        return f"{self.path.rstrip('/')}/{name}"

    def relist(self, tell: Callable[[object, str], None]) -> list[Directory]:
        """List it anew.

        Args:
            tell: called with a subject and a message about what is there but cannot be followed.

        Returns:
            the children that were not there before.
        """
        files: dict[str, Found] = {}
        claims: dict[str, Pattern | None] = {}
        children: dict[str, Directory] = {}
        known = self._claims
        for entry in self._entries(tell):
            name = entry.name
            if entry.kind == stat.S_IFDIR:
                child = self.children.get(name)
                steps = None if child else self._steps_into(name, is_link=entry.is_link)
                if child is not None or steps:
                    children[name] = child or Directory(self.join(name), steps or (), self.before_ns)
            if self.followed:
                pattern = claims[name] = known[name] if name in known else self._claim(name)
                if pattern is not None and self._is_wanted(entry, pattern, tell):
                    files[name] = Found(entry.inode, pattern)
        new = [child for name, child in children.items() if name not in self.children]
        self.files, self._claims, self.children = files, claims, children
        if not self.followed and len(self._names) == len(self._steps):
            self.waits = not all(name in children for name in self._names)
        return new

    # inside

    def _entries(self, tell: Callable[[object, str], None]) -> Iterable[_Entry]:
        if not self.waits or (not self.followed and len(self._names) == len(self._steps)):
            return self._named()
        try:
            with os.scandir(self.path) as entries:
                return [seen for entry in entries if (seen := _look_at(entry)) is not None]
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            # A directory that may not be listed may still be entered by those who know the names.
            tell(self.path, f"{self.path} cannot be listed ({error.strerror}): only files with fixed names are found")
            return self._named()

    def _named(self) -> Iterator[_Entry]:
        for name in sorted(self._names):
            try:
                target, entry = os.stat(self.join(name)), os.lstat(self.join(name))  # noqa: PTH116
            except OSError:
                continue
            kind = stat.S_IFMT(target.st_mode)
            kind = kind if kind in {stat.S_IFDIR, stat.S_IFREG} else 0
            yield _Entry(name, target.st_ino, stat.S_ISLNK(entry.st_mode), kind)

    def _steps_into(self, name: str, *, is_link: bool) -> list[_Step]:
        steps = []
        for pattern, at in self._steps:
            part = pattern.parts[at]
            if part == DEEP:
                if not is_link and not name.startswith("."):  # links may lead in circles
                    steps.append((pattern, at))
            elif at < len(pattern.parts) - 1 and _means(part, name):
                steps.append((pattern, at + 1))
        return steps

    def _claim(self, name: str) -> Pattern | None:
        for pattern, at in self._steps:
            if at == len(pattern.parts) - 1 and _means(pattern.parts[at], name):
                return pattern
        return None

    def _is_wanted(self, entry: _Entry, pattern: Pattern, tell: Callable[[object, str], None]) -> bool:
        if entry.kind == stat.S_IFREG and not entry.name.endswith(COMPRESSED):
            return True
        what = "a directory" if entry.kind == stat.S_IFDIR else "compressed" if entry.kind else "not a regular file"
        tell((pattern.path, what), f"{self.join(entry.name)} is {what}: {pattern.rule.pattern} follows text files only")
        return False


class Tree:
    """All directories that the patterns lead to.

    Args:
        patterns: earlier ones go first where several mean the same file.
        watch: called with each directory before it is listed, so that nothing is missed between the two.
    """

    def __init__(self, patterns: Sequence[Pattern], watch: Callable[[Directory], None]) -> None:
        self._root = Directory("/", [(pattern, 0) for pattern in patterns])
        self._watch = watch
        self._told: set[object] = set()
        self._directories: dict[str, Directory] = {}

    def scan(self) -> list[Directory]:
        """List everything; every directory that patterns lead to."""
        listed: list[Directory] = []
        todo = [self._root]
        while todo:
            directory = todo.pop()
            listed.append(directory)
            self._list(directory)
            todo += directory.children.values()
        self._directories = {directory.path: directory for directory in listed}
        return listed

    def look(self, path: str) -> list[Directory]:
        """List one directory and what is new below it; nothing when no pattern leads there (any more)."""
        listed: list[Directory] = []
        todo = [self._directories[path]] if path in self._directories else []
        while todo:
            directory = todo.pop()
            listed.append(directory)
            self._directories[directory.path] = directory
            todo += self._list(directory)
        return listed

    def _list(self, directory: Directory) -> list[Directory]:
        waited = directory.waits
        directory.before_ns, directory.listed_ns = directory.listed_ns, stamp_ns()
        self._watch(directory)
        new = directory.relist(self._tell)
        if directory.waits != waited:
            self._watch(directory)
            new += directory.relist(self._tell)
        return new

    def _tell(self, subject: object, message: str) -> None:
        if subject not in self._told:
            self._told.add(subject)
            log.warning("%s", message)


def _means(part: str | re.Pattern[str], name: str) -> bool:
    return name == part if isinstance(part, str) else part.fullmatch(name) is not None


def _without_deep(steps: Iterable[_Step]) -> Iterator[_Step]:
    """``**`` may stand for no directory at all."""
    for pattern, at in steps:
        yield pattern, at
        behind = at
        while pattern.parts[behind] == DEEP:
            behind += 1
            yield pattern, behind


def _look_at(entry: os.DirEntry[str]) -> _Entry | None:
    """What an entry is; None for a link that leads nowhere. Asks the kernel only about links."""
    is_link = entry.is_symlink()
    try:
        kind = stat.S_IFDIR if entry.is_dir() else stat.S_IFREG if entry.is_file() else 0
        return _Entry(entry.name, entry.stat().st_ino if is_link else entry.inode(), is_link, kind)
    except OSError:
        return None
