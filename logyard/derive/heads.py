"""Reading the beginnings of many lines at once.

The lines of one source mostly begin alike: JSON objects with the same names in the same order, text with a
timestamp and a level. So a few lines are looked at closely, one regular expression is made of what they have in
common that captures what is wanted, and this one runs over all lines. A line that begins otherwise is left
undecided. Nothing is ever guessed: what is found here is what looking at the line alone finds.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, repeat
from typing import Protocol, cast

from logyard.derive.members import PLAIN, STRING, written

__all__ = ["TEXT_WINDOW", "Capture", "Role", "common_head", "match_all", "read_heads"]

_LEARN_FROM = 16
"""Fewer lines than this are not worth a regular expression."""
_GROUPS = cast("Callable[[re.Match[bytes] | None], tuple[bytes, ...]]", re.Match.groups)
_ROUNDS = 3
"""How many kinds of beginnings are learned from one batch."""
_MEMBERS = 24
"""Leading members among which the wanted ones are looked for."""
_DELIMITED = re.compile(rb"[,}]")
TEXT_WINDOW = 192
"""Bytes of a line of text in which what does not open it is looked for."""
_TEXT = re.compile(rb"(?![\s{<]|[IWEF][0-9]{4} )")
"""Lines that are surely no JSON, and have neither syslog's nor klog's header."""


@dataclass(frozen=True, slots=True)
class Capture:
    """How values written alike are captured and understood.

    Attributes:
        pattern: a regular expression for the value; equal patterns mean equal captures.
        blank: what its groups are for a line that does not match; `decode` makes None of it.
        decode: from a column for each group to a column of values, None where one is not understood.
    """

    pattern: bytes
    blank: tuple[bytes, ...]
    decode: Callable[[Sequence[tuple[bytes, ...]]], list[int | None]]
    second: Callable[[bytes], int | None] | None = None
    """For a time captured as its whole second and the digits of its fraction: ns of the former since 1970."""


class Role(Protocol):
    """Something that is looked for, by the names it may have."""

    @property
    def names(self) -> frozenset[bytes]:
        """Names of members, in quotes."""

    def learn(self, value: bytes) -> Capture | None:
        """How values like this one are captured; None when they are better looked at one by one."""

    @property
    def rank(self) -> int:
        """Its place among others in a line of text."""

    def learn_text(self, line: bytes, at: int) -> tuple[Capture, int] | None:
        """How it is captured in lines of text like this one, from position ``at`` on, and where it ends.

        None when such lines are better looked at one by one. The pattern must find nothing that is not the
        first of its kind in the line.
        """


@dataclass(frozen=True, slots=True)
class Head:
    """How lines begin in which every role is found; what it finds in any line that matches is right."""

    pattern: bytes
    captures: tuple[tuple[int, Capture], ...]
    """In the order of the pattern's groups: the position of a role, and its capture."""
    window: int = sys.maxsize
    """Bytes of a line that the pattern sees."""


@lru_cache(maxsize=256)
def _compile(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL)


def _learn(line: bytes, roles: Sequence[Role]) -> Head | None:
    """A pattern for lines that begin like ``line``; None if not every role is found there."""
    return _learn_object(line, roles) if line[:1] == b"{" else _learn_text(line, roles)


def _learn_text(line: bytes, roles: Sequence[Role]) -> Head | None:
    if _TEXT.match(line) is None:
        return None
    captures: list[tuple[int, Capture]] = []
    at = 0
    for position, role in sorted(enumerate(roles), key=lambda item: item[1].rank):
        learned = role.learn_text(line[:TEXT_WINDOW], at)
        if learned is None:
            return None
        capture, at = learned
        captures.append((position, capture))
    pattern = b"".join((_TEXT.pattern, *(capture.pattern for _, capture in captures)))
    return Head(pattern, tuple(captures), TEXT_WINDOW)


def _learn_object(line: bytes, roles: Sequence[Role]) -> Head | None:
    pattern: list[bytes] = []
    captures: dict[int, Capture] = {}
    end = 0
    for before, name, value in islice(written(line), _MEMBERS):
        pattern.append(re.escape(before))
        end += len(before) + len(value)
        for position, role in enumerate(roles):
            if position not in captures and name in role.names:
                capture = role.learn(value)
                if capture is None:
                    return None
                captures[position] = capture
                pattern.append(capture.pattern)
                break
        else:
            pattern.append(STRING if value[:1] == b'"' else PLAIN)
        if len(captures) == len(roles):
            # Hardly anybody writes spaces there, and looking for them takes as long as reading a value.
            spaced = _DELIMITED.match(line, end) is None
            pattern.append(rb"(?=[ \t\r\n]*[,}])" if spaced else rb"(?=[,}])")
            return Head(b"".join(pattern), tuple(captures.items()))
    return None


def common_head(lines: Sequence[bytes], roles: Sequence[Role]) -> Head | None:
    """What at least two of three lines agree on, so that no pattern is made for one line alone."""
    seen: set[bytes] = set()
    for line in (lines[0], lines[len(lines) // 2], lines[-1]):
        head = _learn(line, roles)
        if head is not None:
            if head.pattern in seen:
                return head
            seen.add(head.pattern)
    return None


def _match(head: Head, lines: Sequence[bytes]) -> list[tuple[int, list[int | None]]]:
    blank = tuple(group for _, capture in head.captures for group in capture.blank)
    found = map(_compile(head.pattern).match, lines, repeat(0), repeat(head.window))
    groups = list(zip(*[blank if match is None else match.groups() for match in found], strict=True))
    columns: list[tuple[int, list[int | None]]] = []
    start = 0
    for role, capture in head.captures:
        stop = start + len(capture.blank)
        columns.append((role, capture.decode(groups[start:stop])))
        start = stop
    return columns


def match_all(head: Head, lines: Sequence[bytes]) -> list[list[bytes]] | None:
    """The captured groups as columns parallel to ``lines``; None when a line begins otherwise."""
    found = map(_compile(head.pattern).match, lines, repeat(0), repeat(head.window))
    try:
        groups = list(map(_GROUPS, found))
    except TypeError:  # one is None: cheaper to run into than to look for
        return None
    return [[group[column] for group in groups] for column in range(len(groups[0]))]


def read_heads(lines: Sequence[bytes], roles: Sequence[Role]) -> list[list[int | None]]:
    """For each role a column parallel to ``lines``; None where it is not decided here."""
    columns: list[list[int | None]] = [[None] * len(lines) for _ in roles]
    undecided: Sequence[int] = range(len(lines))
    for _ in range(_ROUNDS):
        if len(undecided) < _LEARN_FROM:
            break
        rest = lines if len(undecided) == len(lines) else [lines[index] for index in undecided]
        head = common_head(rest, roles)
        if head is None:
            break
        for role, values in _match(head, rest):
            if rest is lines:
                columns[role] = values
            else:
                column = columns[role]
                for index, value in zip(undecided, values, strict=True):
                    column[index] = value
        if not any(None in column for column in columns):
            break
        undecided = [index for index in undecided if any(column[index] is None for column in columns)]
    return columns
