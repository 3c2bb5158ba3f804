"""The severity of a record, found in what the application wrote.

In this order, and the first that is understood counts (docs/formats.md has examples):

1. A JSON object: its first member named ``level``, ``lvl``, ``severity``, ``loglevel`` or ``log.level`` (or
   ``level`` inside an object ``log``) that holds a known name or number. The rest of an object is not looked
   at: what a message says is not its severity.
2. A syslog priority at the beginning: ``<134>``.
3. klog's header at the beginning: ``E1122 09:30:00.123456``.
4. Text: the mark that stands first within the first 192 bytes, of
   - a name in capitals as a word of its own (``ERROR``, ``INFO --``, ``app.ERROR:``),
   - a name in brackets (``[error]``, ``[core:error]``),
   - a name that is the line's first word, not counting a timestamp, before a colon (``error: ...``),
   - a pair ``level=warn`` (or another of the names above).

   Names are written in capitals, lower case, or with a capital first letter.

Lower-case names elsewhere, and capitals that are part of a word (``ERROR_CODE``, ``/ERROR/``) mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import cast

from logyard.derive.heads import TEXT_WINDOW, Capture, read_heads
from logyard.derive.members import members, quoted

__all__ = [
    "LEVEL_NAMES",
    "WORD_LEVELS",
    "Level",
    "level_in_members",
    "level_in_text",
    "level_of",
    "level_value",
    "levels",
]


class Level(IntEnum):
    """Severities with syslog's numbers (RFC 5424 section 6.2.1); trace is finer than syslog's finest."""

    EMERGENCY = 0
    ALERT = 1
    CRITICAL = 2
    ERROR = 3
    WARN = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7
    TRACE = 8

    @property
    def label(self) -> str:
        """The name in lower case, as it is shown and written everywhere."""
        return self.name.lower()

    @property
    def syslog(self) -> int:
        """The number in a syslog priority: trace is sent as debug."""
        return min(self.value, 7)


LEVEL_NAMES = frozenset({"level", "lvl", "severity", "loglevel", "log.level"})
"""Members and logfmt names that hold a severity."""

_LOOKED_FOR = quoted(LEVEL_NAMES | {"log"})
_SEEN = TEXT_WINDOW + 64
"""Bytes of a line in which a mark ends that begins within `TEXT_WINDOW`."""

# "panic" and "fatal" are critical, not syslog's emergency, which many servers write to every terminal.
_WORDS = {
    Level.EMERGENCY: "emergency emerg",
    Level.ALERT: "alert",
    Level.CRITICAL: "critical crit fatal ftl panic dpanic",
    Level.ERROR: "error err severe",
    Level.WARN: "warning warn wrn",
    Level.NOTICE: "notice",
    Level.INFO: "info information informational inf",
    Level.DEBUG: "debug dbg",
    Level.TRACE: "trace trc verbose",
}
_LETTERS = {
    "c": Level.CRITICAL, "f": Level.CRITICAL, "e": Level.ERROR, "w": Level.WARN, "n": Level.NOTICE,
    "i": Level.INFO, "d": Level.DEBUG, "t": Level.TRACE, "v": Level.TRACE,
}  # fmt: skip
_TENS = (Level.TRACE, Level.DEBUG, Level.INFO, Level.WARN, Level.ERROR, Level.CRITICAL)

WORD_LEVELS = {word: level for level, words in _WORDS.items() for word in words.split()}
"""The names of severities, in small letters."""
_NUMBER_LEVELS = {number: Level(number) for number in range(8)} | {
    number: _TENS[number // 10 - 1] for number in range(10, 70)
}
_TEXT_LEVELS = WORD_LEVELS | _LETTERS | {str(number): level for number, level in _NUMBER_LEVELS.items()}
_WRITTEN_LEVELS = {
    form.encode(): level for text, level in _TEXT_LEVELS.items() for form in (text, text.upper(), text.capitalize())
}
"""The same by how they are written, for lines that are not taken apart."""
_PRIORITY = re.compile(rb"<(0|[1-9][0-9]?|1[0-8][0-9]|19[01])>")
_KLOG = re.compile(rb"([IWEF])(?:0[1-9]|1[0-2])[0-3][0-9] [0-2][0-9]:[0-5][0-9]:")
_KLOG_LEVELS = {b"I": Level.INFO, b"W": Level.WARN, b"E": Level.ERROR, b"F": Level.CRITICAL}
# Begins with a set of letters, for which the regex engine scans fast; what may stand before a word comes then:
# the line's beginning, white space or punctuation, an escape sequence for colour, and for names like app.ERROR
# a dot, if a colon follows.
_CAPITALS = re.compile(
    rb"([ACDEFINPSTVW](?:"
    rb"(?:(?<![^\s\[(|:,><*].)|(?<=[0-9]m.))[A-Z]{2,12}(?=[\s\])|:,<>\x1b]|\Z)"
    rb"|(?<=\..)[A-Z]{2,12}(?=:)))"
)
_BRACKETED = re.compile(rb"\[\s?(?:[\w.]{1,32}:)?([A-Za-z]{3,13})\s?\]")
# What is not a letter, and the T and Z of a timestamp, may stand before the line's first word.
_OPENING = re.compile(rb"[^A-Za-z]*+(?:T(?=[0-9])[^A-Za-z]*+)?(?:Z(?![A-Za-z])[^A-Za-z]*+)?([A-Za-z]{3,13}):")
_PAIR_VALUE = rb'="?([A-Za-z]{1,13}|[0-9]{1,2})(?![\w.-])'
# These begin with a literal, for which the engine scans fastest; what may stand before the name comes then.
_PAIRS = tuple(
    (name + b"=", re.compile(name + before + _PAIR_VALUE))
    for name, before in (
        (b"level", rb"(?:(?<![\w.-]level)|(?<![\w.-]loglevel)(?<=loglevel)|(?<![\w.-]log.level)(?<=log\.level))"),
        (b"lvl", rb"(?<![\w.-]lvl)"),
        (b"severity", rb"(?<![\w.-]severity)"),
    )
)

# What can be no part of a mark, and then a mark. No mark begins with a capital that no other follows, with a
# bracket without a name in it, with "=" not behind level, lvl or severity, or with ":" not behind a letter.
_NAMES = rb"(?i:" + b"|".join(sorted((word.encode() for word in WORD_LEVELS), reverse=True)) + rb")"
_HEAD = re.compile(
    rb"[^A-Z\[=:]*+(?:(?:[A-Z](?![A-Z])|(?<![ly])=|(?<![A-Za-z]):|\[(?!\s?(?:[\w.]{1,32}:)?" + _NAMES + rb"\s?\]))"
    rb"[^A-Z\[=:]*+)*+"
    rb"(?:(?:(?<![^\s\[(|:,><*])|(?<=[0-9]m)|(?<=\.)(?=[A-Z]++:))([A-Z]{3,13})(?=[\s\])|:,<>\x1b])"
    rb"|\[\s?(?:[\w.]{1,32}:)?([A-Za-z]{3,13})\s?\])"
)


def level_value(value: object) -> Level | None:
    """The severity that a JSON value means: a name in any case, syslog's 0 to 7, or bunyan's 10 to 69.

    Numbers from 10 are taken down to tens as bunyan and pino use them: 10 trace, 20 debug, 30 info, 40 warn,
    50 error, 60 fatal (critical).
    """
    if isinstance(value, str):
        level = _TEXT_LEVELS.get(value)
        return _TEXT_LEVELS.get(value.strip().lower()) if level is None else level
    if type(value) is int or (type(value) is float and value.is_integer()):
        return _NUMBER_LEVELS.get(int(value))
    return None


def level_in_members(found: Mapping[str, object]) -> Level | None:
    """The severity in the members of a JSON object."""
    for name in found:
        if name in LEVEL_NAMES:
            level = level_value(found[name])
        elif name == "log" and isinstance(inner := found[name], dict):
            level = level_value(inner.get("level"))
        else:
            continue
        if level is not None:
            return level
    return None


def level_in_text(line: bytes) -> Level | None:
    """The severity in a line that is no JSON object."""
    first = line[:1]
    if first == b"<" and (priority := _PRIORITY.match(line)) is not None:
        return Level(int(priority[1]) & 7)
    if first in _KLOG_LEVELS and (klog := _KLOG.match(line)) is not None:
        return _KLOG_LEVELS[klog[1]]
    return _first_mark(line)


def _first_mark(line: bytes) -> Level | None:
    found, stop = None, TEXT_WINDOW
    if (mark := _find(_CAPITALS, line, stop)) is not None:
        found, stop = mark
    if line.find(b"[", 0, stop) >= 0 and (mark := _find(_BRACKETED, line, stop)) is not None:
        found, stop = mark
    for name, pattern in _PAIRS:
        if line.find(name, 0, stop) >= 0 and (mark := _find(pattern, line, stop)) is not None:
            found, stop = mark
    if line.find(b":", 0, stop) >= 0 and (opening := _OPENING.match(line, 0, _SEEN)) is not None:
        level = _WRITTEN_LEVELS.get(opening[1])
        if level is not None and opening.start(1) < stop:
            found = level
    return found


def _find(pattern: re.Pattern[bytes], line: bytes, stop: int) -> tuple[Level, int] | None:
    """The first mark of a kind that begins before ``stop``, and where."""
    mark = pattern.search(line, 0, _SEEN)
    while mark is not None and mark.start() < stop:
        level = _WRITTEN_LEVELS.get(mark[1])
        if level is not None:
            return level, mark.start()
        mark = pattern.search(line, mark.end(), _SEEN)
    return None


def level_of(line: bytes) -> Level | None:
    """The severity of one record, None when it tells none."""
    found = members(line, _LOOKED_FOR)
    return level_in_text(line) if found is None else level_in_members(found)


class LevelRole:
    """Severities in the leading members of JSON lines."""

    names = frozenset(quoted(LEVEL_NAMES).values())

    def learn(self, value: bytes) -> Capture | None:
        """As `logyard.derive.heads.Role`."""
        if value[:1] == b'"' and value[1:-1] in _WRITTEN_LEVELS:
            return Capture(rb'"([A-Za-z0-9]{1,13})"', (b"",), _decode)
        if value in _WRITTEN_LEVELS:
            return Capture(rb"([0-9]{1,2})", (b"",), _decode)
        return None

    rank = 1

    def learn_text(self, line: bytes, at: int) -> tuple[Capture, int] | None:
        """As `logyard.derive.heads.Role`: a name in capitals or brackets, and nothing like it before."""
        found = _HEAD.match(line, at)
        if found is None or (found[1] or found[2]) not in _WRITTEN_LEVELS:
            return None
        return Capture(_HEAD.pattern, (b"", b""), _decode_either), found.end()


def _decode_either(groups: Sequence[tuple[bytes, ...]]) -> list[int | None]:
    get = _WRITTEN_LEVELS.get
    return [get(capitals or bracketed) for capitals, bracketed in zip(*groups, strict=True)]


def _decode(groups: Sequence[tuple[bytes, ...]]) -> list[int | None]:
    return list(map(_WRITTEN_LEVELS.get, groups[0]))


def levels(lines: Sequence[bytes]) -> list[Level | None]:
    """The severity of each record, as `level_of` finds it."""
    (column,) = read_heads(lines, (LevelRole(),))
    return [
        level_of(line) if level is None else cast("Level", level) for line, level in zip(lines, column, strict=True)
    ]
