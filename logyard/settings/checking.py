"""Everything that can be known to be wrong with settings without starting or connecting to anything."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from logyard.agent.rules import Pattern
from logyard.definition import stand_in
from logyard.deployment import drain_problems
from logyard.errors import SettingsError, UsageError
from logyard.secret import REFERENCE, placeheld, unresolved
from logyard.server.url import ServerURL
from logyard.service import file_rule
from logyard.settings import PREFIX, completed, overrides_of, read_file
from logyard.settings.lines import KeyPath
from logyard.settings.model import Settings
from logyard.settings.reading import SettingsFile, leaves, parse_file, read_settings

__all__ = ["Checked", "check_settings", "strange_variables"]

OTHER_VARIABLES = ("LOGYARD_CONFIG",)


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome.

    Attributes:
        settings: what is right of them.
        problems: what keeps logyard from running with them, in the order of lines.
        warnings: what may be right on another machine.
    """

    settings: Settings
    problems: tuple[SettingsError, ...]
    warnings: tuple[SettingsError, ...]


def check_settings(path: Path | None, environ: Mapping[str, str] | None = None) -> Checked:
    """Check a settings file, or none, together with the environment.

    Raises:
        UsageError: the file cannot be read.
    """
    environ = os.environ if environ is None else environ
    raw = None if path is None else read_file(path)
    overrides = overrides_of({}, environ)
    try:
        file = None if path is None or raw is None else parse_file(path, raw)
    except SettingsError as error:
        return Checked(completed(Settings(file=path), environ), (error,), ())
    settings, problems = read_settings(file, overrides)
    settings = completed(settings, environ)
    warnings = [SettingsError(message) for message in strange_variables(environ)]
    for where, message, fatal in _meanings(settings, file, environ):
        line = None if file is None else file.line(where)
        (problems if fatal else warnings).append(SettingsError(message, path, line))
    by_line = sorted(problems, key=lambda problem: problem.line or 0)
    return Checked(settings, tuple(by_line), tuple(warnings))


def strange_variables(environ: Mapping[str, str]) -> list[str]:
    """A message for each variable that looks like a misspelt one of ours."""
    known = [PREFIX + name.upper().replace(".", "_") for name in leaves()] + list(OTHER_VARIABLES)
    messages = []
    for name in environ:
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.85)
            if near:
                messages.append(f"the environment variable {name} means nothing; did you mean {near[0]}?")
    return messages


def _meanings(
    settings: Settings, file: SettingsFile | None, environ: Mapping[str, str]
) -> Iterator[tuple[KeyPath, str, bool]]:
    """What is wrong with values that are well-formed: where, what, and whether it is so on every machine."""
    if settings.redis.url is not None:
        yield from _url(settings, environ)
    if settings.redis.password is not None:
        for message in unresolved(settings.redis.password.reveal(), environ):
            yield ("redis", "password"), f"redis.password: {message}", False
    # The reader leaves out what is wrong: without it, positions would be off by that.
    told = file.data.get("agent", {}).get("files", []) if file is not None else []
    for position, rule in enumerate(settings.agent.files):
        try:
            Pattern(file_rule(rule))
        except UsageError as error:
            yield (
                ("agent", "files", position if len(told) == len(settings.agent.files) else 0),
                f"agent.files: {error}",
                True,
            )
    for name, drain in settings.drains.items():
        yield from drain_problems(name, drain, environ)


def _url(settings: Settings, environ: Mapping[str, str]) -> Iterator[tuple[KeyPath, str, bool]]:
    assert settings.redis.url is not None
    where: KeyPath = ("redis", "url")
    text = settings.redis.url.reveal()
    messages = unresolved(text, environ)
    yield from ((where, f"redis.url: {message}", False) for message in messages)
    if messages and REFERENCE.fullmatch(text):
        return  # all of it is elsewhere
    try:
        ServerURL.parse(placeheld(text, stand_in, environ))
    except UsageError as error:
        yield where, f"redis.url: {error}", True
