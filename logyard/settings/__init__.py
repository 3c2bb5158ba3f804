"""Settings from a file, the environment and flags, in rising precedence (docs/settings.md).

flags               --node web-1
environment         LOGYARD_NODE=web-1
settings file       node = "web-1"
defaults
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from logyard.errors import SettingsError, UsageError
from logyard.names import clean_name
from logyard.settings.model import (
    AgentSettings,
    DrainSettings,
    EmbeddedSettings,
    FileSettings,
    RedisSettings,
    RetentionSettings,
    Settings,
)

__all__ = [
    "AgentSettings",
    "DrainSettings",
    "EmbeddedSettings",
    "FileSettings",
    "RedisSettings",
    "RetentionSettings",
    "Settings",
    "default_data_dir",
    "examine_settings",
    "find_settings",
    "load_settings",
    "redis_url",
]

FLAGS = {"redis.url": "--redis", "data_dir": "--data-dir", "node": "--node", "agent.start": "--start"}
"""The settings that commands have a flag for."""

PREFIX = "LOGYARD_"


def load_settings(
    config: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of this process. Reads the settings file; opens nothing else.

    Args:
        config: ``--config``, None to look in the usual places (`find_settings`).
        flags: settings given on the command line, by dotted name (``redis.url``); None is not given.
        environ: the environment, by default the process's.

    Raises:
        SettingsError: the first thing that is wrong, and how many more there are.
    """
    environ = os.environ if environ is None else environ
    settings, problems = examine_settings(find_settings(config, environ), flags, environ)
    if problems:
        more = f" (and {len(problems) - 1} more: see logyard check)" if len(problems) > 1 else ""
        raise problems[0] if not more else _with_more(problems[0], more)
    return settings


def examine_settings(
    path: Path | None, flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Settings, list[SettingsError]]:
    """As `load_settings`, for the file ``path`` or none, but with all that is wrong.

    Raises:
        UsageError: the file cannot be read.
    """
    environ = os.environ if environ is None else environ
    overrides = overrides_of(flags or {}, environ)
    if path is None and not overrides:
        settings = Settings()  # nothing to read: the schema's reader is not even imported
        problems: list[SettingsError] = []
    else:
        from logyard.settings.reading import parse_file, read_settings

        try:
            file = None if path is None else parse_file(path, read_file(path))
        except SettingsError as error:
            return completed(Settings(file=path), environ), [error]
        settings, problems = read_settings(file, overrides)
    return completed(settings, environ), problems


def find_settings(config: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The settings file: ``--config``, LOGYARD_CONFIG, or the first that exists of ``./logyard.toml``,
    ``$XDG_CONFIG_HOME/logyard/logyard.toml`` and ``/etc/logyard/logyard.toml``.

    Raises:
        UsageError: the one that was named does not exist.
    """
    named = config or (Path(environ["LOGYARD_CONFIG"]) if environ.get("LOGYARD_CONFIG") else None)
    if named is not None:
        if not named.exists():
            raise UsageError(f"{named}: there is no such settings file")
        return named
    home = _xdg(environ, "XDG_CONFIG_HOME", ".config")
    places = [
        Path("logyard.toml"),
        *([home / "logyard/logyard.toml"] if home else []),
        Path("/etc/logyard/logyard.toml"),
    ]
    return next((place for place in places if place.is_file()), None)


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """``$XDG_STATE_HOME/logyard``, which is ``~/.local/state/logyard`` when that is not set.

    Raises:
        UsageError: there is no home directory.
    """
    state = _xdg(environ, "XDG_STATE_HOME", ".local/state")
    if state is None:
        raise UsageError("there is no home directory to keep data in: give --data-dir")
    return state / "logyard"


def redis_url(settings: Settings, environ: Mapping[str, str] | None = None) -> str | None:
    """The address of the Redis to use with its secrets in place, None for the embedded server.

    Raises:
        UsageError: a reference leads nowhere, or the address is wrong.
    """
    if settings.redis.url is None:
        return None
    from urllib.parse import quote

    from logyard.secret import expand
    from logyard.server.url import ServerURL

    url = expand(settings.redis.url.reveal(), environ)
    if settings.redis.password is not None and ServerURL.parse(url).password is None:
        scheme, separator, rest = url.partition("://")
        user, at, host = rest.rpartition("@") if "@" in rest.partition("/")[0] else ("", "", rest)
        password = quote(expand(settings.redis.password.reveal(), environ), safe="")
        url = f"{scheme}{separator}{user.removesuffix(':') if at else ''}:{password}@{host}"
    ServerURL.parse(url)
    return url


def overrides_of(flags: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """What the command line and the environment say: `Override`s by dotted name."""
    given = {name: value for name, value in flags.items() if value is not None}
    if not given and not any(name.startswith(PREFIX) for name in environ):
        return {}
    from logyard.settings.reading import Override, leaves

    folder = Path.cwd()
    found = {}
    for name in leaves():
        variable = PREFIX + name.upper().replace(".", "_")
        if environ.get(variable):  # an empty variable is one that is not set
            found[name] = Override(variable, environ[variable], folder)
    for name, value in given.items():
        text = str(value) if isinstance(value, Path) else value
        found[name] = Override(FLAGS.get(name, name), text, folder)
    return found


def completed(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """The defaults that depend on the machine."""
    from dataclasses import replace

    if settings.data_dir == Path():
        settings = replace(settings, data_dir=default_data_dir(environ))
    if not settings.node:
        settings = replace(settings, node=clean_name(socket.gethostname() or "localhost"))
    return settings


def _xdg(environ: Mapping[str, str], variable: str, fallback: str) -> Path | None:
    given = environ.get(variable, "")
    if given.startswith("/"):  # the specification has relative ones ignored
        return Path(given)
    home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - this one does not raise
    return Path(home) / fallback if home.startswith("/") else None


def read_file(path: Path) -> bytes:
    """A settings file's bytes.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot read the settings file: {error.strerror}") from None


def _with_more(problem: SettingsError, more: str) -> SettingsError:
    told = SettingsError(f"{problem}{more}")
    told.path, told.line = problem.path, problem.line
    return told
