"""A settings file against the schema: every problem with its line, and the settings that are right."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from logyard.errors import SettingsError
from logyard.settings import values as kinds
from logyard.settings.lines import KeyPath, find_lines
from logyard.settings.model import Settings
from logyard.settings.values import Kind, Refused

__all__ = ["Override", "SettingsFile", "leaves", "parse_file", "read_settings"]

_NAMES = kinds.name()
_SYNTAX = re.compile(r"(?P<what>.*?) \(at (?:line (?P<line>\d+), column \d+|end of document)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A parsed file.

    Attributes:
        path: as it was given; messages show it.
        data: what it holds.
        lines: where; see `find_lines`.
    """

    path: Path
    data: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    def line(self, where: KeyPath) -> int | None:
        """The line of a key, or of the nearest table around it that the file has."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where)


@dataclass(frozen=True, slots=True)
class Override:
    """A value from the environment or the command line.

    Attributes:
        origin: what messages call it: ``LOGYARD_NODE``, ``--node``.
        value: text, or a value of the right type already.
        folder: where relative paths start.
    """

    origin: str
    value: Any
    folder: Path


def parse_file(path: Path, raw: bytes) -> SettingsFile:
    """A file's bytes as TOML.

    Raises:
        SettingsError: they are none; says the line.
    """
    import tomllib

    try:
        text = raw.decode("utf-8").replace("\r\n", "\n")
        return SettingsFile(path, tomllib.loads(text), find_lines(text))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SettingsError("this is not UTF-8", path, line) from None
    except tomllib.TOMLDecodeError as error:
        match = _SYNTAX.fullmatch(str(error))
        what, at = (match["what"], match["line"]) if match else (str(error), None)
        # "end of document" is no help: it is the last line with something on it
        line = int(at) if at else text.rstrip().count("\n") + 1
        raise SettingsError(f"not TOML: {what[:1].lower()}{what[1:]}", path, line) from None
    except RecursionError:
        raise SettingsError("nested too deeply", path, 1) from None


def leaves(section: type = Settings, prefix: str = "") -> dict[str, Kind]:
    """The settings that are single values, by dotted name: those that have an environment variable."""
    found: dict[str, Kind] = {}
    for each in dataclasses.fields(section):
        if "section" in each.metadata:
            found |= leaves(each.metadata["section"], f"{prefix}{each.name}.")
        elif "kind" in each.metadata:
            found[prefix + each.name] = each.metadata["kind"]
    return found


def read_settings(file: SettingsFile | None, overrides: Mapping[str, Override]) -> tuple[Settings, list[SettingsError]]:
    """Settings from a file and what overrides it.

    Returns:
        The settings, with defaults in place of what is wrong, and what is wrong, in the order of lines.
    """
    reader = _Reader(file, overrides)
    data = file.data if file is not None else {}
    settings: Settings = reader.table(Settings, data, ())
    problems = sorted(reader.problems, key=lambda problem: problem.line or 0)
    return dataclasses.replace(settings, file=None if file is None else file.path), problems


class _Reader:
    def __init__(self, file: SettingsFile | None, overrides: Mapping[str, Override]) -> None:
        self.problems: list[SettingsError] = []
        self._file = file
        self._overrides = overrides
        self._folder = Path() if file is None else file.path.absolute().parent

    def table(self, section: type, data: Any, where: KeyPath) -> Any:
        """An object of ``section``; None when a value that it cannot be without is missing or wrong."""
        told = not isinstance(data, dict)
        if told:
            self._refuse(where, f"{_dotted(where)} is not a table: write [{_dotted(where)}]")
            data = {}
        known = {each.name: each for each in dataclasses.fields(section) if each.metadata}
        for key in data:
            if key not in known:
                self._refuse((*where, key), _unknown(key, known, where))
        values: dict[str, Any] = {}
        complete = True
        for key, each in known.items():
            found, value = self._field(each.metadata, data, (*where, key))
            if found:
                values[key] = value
            elif each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
                complete = False
                if key not in data and not told:
                    self._refuse(where, f"[{_dotted(where)}] has no {key}")
        if not complete:
            return None
        made = section(**values)
        conflicts = made.conflicts() if hasattr(made, "conflicts") else {}
        for key, message in conflicts.items():
            self._refuse((*where, key), f"{_dotted(where)}.{key}: {message}")
        return made

    def _field(self, metadata: Mapping[str, Any], data: Mapping[str, Any], where: KeyPath) -> tuple[bool, Any]:
        key = str(where[-1])
        if "section" in metadata:
            # read even when the file has none: the environment may
            return True, self.table(metadata["section"], data.get(key, {}), where)
        if "array" in metadata:
            return key in data, self._array(metadata["array"], data.get(key, []), where)
        if "named" in metadata:
            return key in data, self._named(metadata["named"], data.get(key, {}), where)
        return self._leaf(metadata["kind"], data, where)

    def _array(self, section: type, data: Any, where: KeyPath) -> tuple[Any, ...]:
        if not isinstance(data, list):
            self._refuse(where, f"{_dotted(where)} is not a list of tables: write [[{_dotted(where)}]]")
            return ()
        read = (self.table(section, each, (*where, position)) for position, each in enumerate(data))
        return tuple(each for each in read if each is not None)

    def _named(self, section: type, data: Any, where: KeyPath) -> dict[str, Any]:
        if not isinstance(data, dict):
            self._refuse(where, f"{_dotted(where)} is not a table: write [{_dotted(where)}.NAME]")
            return {}
        read = {}
        for title, each in data.items():
            try:
                read[_NAMES.read(title, self._folder)] = self.table(section, each, (*where, title))
            except ValueError:
                self._refuse((*where, title), f"{title!r} in [{_dotted(where)}]: give {_NAMES.expects}")
        return {title: each for title, each in read.items() if each is not None}

    def _leaf(self, kind: Kind, data: Mapping[str, Any], where: KeyPath) -> tuple[bool, Any]:
        found, value = False, None
        if where[-1] in data:
            given = data[str(where[-1])]
            try:
                found, value = True, kind.read(given, self._folder)
            except (ValueError, OverflowError) as error:
                found = False
                self._refuse(where, _wrong(_dotted(where), given, kind, error))
        override = self._overrides.get(_dotted(where))
        if override is not None:
            given = override.value
            read = kind.of_text if isinstance(given, str) else kind.read
            try:
                found, value = True, read(given, override.folder)
            except (ValueError, OverflowError) as error:
                self.problems.append(SettingsError(_wrong(override.origin, given, kind, error)))
        return found, value

    def _refuse(self, where: KeyPath, message: str) -> None:
        path, line = (None, None) if self._file is None else (self._file.path, self._file.line(where))
        self.problems.append(SettingsError(message, path, line))


def _dotted(where: KeyPath) -> str:
    """``agent.files`` for a place in agent.files: positions say nothing that the line does not say better."""
    return ".".join(part for part in where if isinstance(part, str))


def _unknown(key: str, known: Iterable[str], where: KeyPath) -> str:
    known = list(known)
    near = difflib.get_close_matches(key.lower().replace("-", "_"), known, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
    place = f" in [{_dotted(where)}]" if where else ""
    return f"there is no setting {key!r}{place}; {hint}"


def _wrong(name: str, given: Any, kind: Kind, error: Exception) -> str:
    told = str(error) if isinstance(error, Refused) else f"give {kind.expects}"
    shown = "" if isinstance(given, dict | list) or kind.secret else f" = {_shown(given)}"
    return f"{name}{shown}: {told}"


def _shown(given: Any) -> str:
    text = {True: "true", False: "false"}.get(given) if isinstance(given, bool) else None
    text = text or (f'"{given}"' if isinstance(given, str) else str(given))
    return text if len(text) <= 60 else f"{text[:57]}..."
