"""What the values of settings look like: each kind reads a TOML value, or the text of a variable or a flag."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logyard.errors import UsageError
from logyard.names import clean_name
from logyard.secret import Secret

__all__ = [
    "Kind",
    "Refused",
    "choice",
    "duration",
    "flag",
    "globs",
    "name",
    "number",
    "params",
    "path",
    "secret",
    "size",
    "text",
]

_SIZE = re.compile(r"(?i)\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])(?:i?b)?|b)?\s*")
_FACTORS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)\s*")
_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_YES = frozenset({"1", "yes", "true", "on"})
_NO = frozenset({"0", "no", "false", "off"})


class Refused(ValueError):
    """A value that is refused for a reason worth telling."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value.

    Attributes:
        expects: what is accepted, in words: "give <expects>".
        read: takes a TOML value and the folder that relative paths start from; raises `Refused` with words of its
            own, or a ValueError for which ``expects`` says enough.
        parse: takes text from the environment or the command line; by default the same as ``read``.
        secret: the value must not appear in messages.
    """

    expects: str
    read: Callable[[Any, Path], Any]
    parse: Callable[[str, Path], Any] | None = None
    secret: bool = False

    def of_text(self, value: str, folder: Path) -> Any:
        """The value that ``value`` means where everything is text."""
        return (self.parse or self.read)(value, folder)


def _need(wanted: type | tuple[type, ...], value: Any) -> Any:
    # bool is an int in Python and is not one in TOML
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise ValueError
    return value


def text() -> Kind:
    """Any text but the empty one."""

    def read(value: Any, _folder: Path) -> str:
        if not _need(str, value).strip():
            raise ValueError
        return str(value)

    return Kind("text", read)


def secret() -> Kind:
    """Text that never prints; may hold references (`logyard.secret`)."""
    return Kind("text", lambda value, folder: Secret(text().read(value, folder)), secret=True)


def choice(*choices: str) -> Kind:
    """One of a few words."""

    def read(value: Any, _folder: Path) -> str:
        if _need(str, value) not in choices:
            raise ValueError
        return str(value)

    return Kind(" or ".join(f'"{word}"' for word in choices), read)


def flag() -> Kind:
    """true or false."""

    def parse(value: str, _folder: Path) -> bool:
        if value.lower() not in _YES | _NO:
            raise ValueError
        return value.lower() in _YES

    return Kind("true or false", lambda value, _folder: _need(bool, value), parse)


def number(minimum: float, maximum: float, *, whole: bool = True) -> Kind:
    """A number from ``minimum`` to ``maximum``."""

    def check(value: float) -> float:
        if not minimum <= value <= maximum:
            raise ValueError
        return value

    def parse(value: str, _folder: Path) -> float:
        return check(int(value) if whole else float(value))

    expects = f"a {'whole ' if whole else ''}number from {minimum} to {maximum}"
    return Kind(expects, lambda value, _folder: check(_need(int if whole else (int, float), value)), parse)


def duration(minimum: float, maximum: float = math.inf) -> Kind:
    """A duration in seconds, written 500ms, 10s, 5m, 24h or 7d; a plain number is seconds."""

    def check(value: float) -> float:
        if not minimum <= value <= maximum:
            raise ValueError
        return value

    def parse(value: str, _folder: Path) -> float:
        match = _DURATION.fullmatch(value)
        if match is None:
            raise ValueError
        return check(float(match[1]) * _SECONDS[match[2]])

    def read(value: Any, folder: Path) -> float:
        return parse(value, folder) if isinstance(value, str) else check(float(_need((int, float), value)))

    upper = "" if maximum == math.inf else f" and at most {maximum:g} s"
    return Kind(f'a duration such as "500ms", "10s", "5m" or "24h", at least {minimum:g} s{upper}', read, parse)


def size(minimum: int, *, off: bool = False) -> Kind:
    """A size in bytes, written 64KiB, 256MiB or 2GiB; a plain number is bytes. With ``off``, 0 is accepted too."""

    def check(value: int) -> int:
        if value < minimum and not (off and value == 0):
            raise ValueError
        return value

    def parse(value: str, _folder: Path) -> int:
        match = _SIZE.fullmatch(value)
        if match is None:
            raise ValueError
        return check(int(float(match[1]) * _FACTORS.get((match[2] or "").lower(), 1)))

    def read(value: Any, folder: Path) -> int:
        return parse(value, folder) if isinstance(value, str) else check(int(_need(int, value)))

    either = ", or 0" if off else ""
    return Kind(f'a size such as "64KiB", "256MiB" or "2GiB", at least {minimum} bytes{either}', read, parse)


def path() -> Kind:
    """A path; ``~`` is the home directory, a relative one starts at the settings file's folder."""

    def read(value: Any, folder: Path) -> Path:
        if not _need(str, value).strip() or "\0" in value:
            raise ValueError
        try:
            return folder / Path(value).expanduser()
        except RuntimeError as error:
            raise Refused(str(error)) from None

    return Kind("a path", read)


def name() -> Kind:
    """A name of letters, digits and ``-_.``; nothing is replaced, because a silent change would surprise."""

    def read(value: Any, _folder: Path) -> str:
        try:
            if clean_name(_need(str, value)) != value:
                raise ValueError
        except UsageError:
            raise ValueError from None
        return str(value)

    return Kind("a name of letters, digits and -_.", read)


def globs() -> Kind:
    """Globs over keys of streams."""

    def parse(value: str, folder: Path) -> tuple[str, ...]:
        return read([part.strip() for part in value.split(",")], folder)

    def read(value: Any, _folder: Path) -> tuple[str, ...]:
        for glob in _need(list, value):
            if not re.fullmatch(r"[A-Za-z0-9._*?\[\]!-]+", _need(str, glob)):
                raise Refused(f"{glob!r} matches no key: keys look like app.web, sys.nginx or event.oom")
        return tuple(value)

    return Kind('a list of keys or globs such as ["app.*", "sys.nginx"]', read, parse)


def params() -> Kind:
    """A table of parameters of a drain: texts, numbers, true or false."""

    def read(value: Any, _folder: Path) -> Mapping[str, str]:
        found = {}
        for key, each in _need(dict, value).items():
            if not isinstance(each, str | int | float):
                raise Refused(f"{key} is neither text nor a number nor true or false")
            found[key] = ("no", "yes")[each] if isinstance(each, bool) else str(each)
        return found

    return Kind('a table such as { facility = "local0" }', read)
