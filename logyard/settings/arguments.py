"""Files and drains as they are given on the command line. Pure, but for a look at which files there are."""

from __future__ import annotations

import os
import re
from pathlib import Path

from logyard.errors import UsageError
from logyard.names import clean_name, make_key
from logyard.secret import Secret
from logyard.settings.model import DrainSettings, FileSettings

__all__ = ["app_argument", "drain_argument", "file_argument", "missing_file"]

_KEY = re.compile(r"[A-Za-z0-9._-]+")
_GLOB = re.compile(r"[*?\[{]")


def file_argument(text: str) -> FileSettings:
    """``[KEY=]PATH``: files for the stream KEY, without one for ``sys.<file name without .log>``.

    A path with an ``=`` in its first part is written with a ``./`` before it.

    Raises:
        UsageError: it is neither.
    """
    key, equals, path = text.partition("=")
    if equals and _KEY.fullmatch(key):
        return FileSettings(_path(path, text), key=make_key(key))
    if equals and not key:
        raise UsageError(f"{text!r}: a stream's key is missing before the =")
    return FileSettings(_path(text, text))


def app_argument(text: str) -> FileSettings:
    """``NAME[.INSTANCE]=PATH``: files of an application, or of one instance of it, which is a number.

    Raises:
        UsageError: it is something else.
    """
    name, equals, path = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--app {text}: write NAME=PATH or NAME.INSTANCE=PATH, e.g. web.0=/var/log/web.0.log")
    app, dot, instance = name.rpartition(".")
    if not (dot and instance.isdecimal() and app):
        app, instance = name, ""
    if clean_name(app) != app:
        raise UsageError(f"--app {text}: {app!r} is not the name of an application: use letters, digits and -_.")
    return FileSettings(_path(path, f"--app {text}"), app=app, instance=instance or None)


def drain_argument(text: str) -> tuple[str, DrainSettings]:
    """``NAME=URI``: a drain's name and settings.

    Raises:
        UsageError: it is something else. Does not repeat the address, which may hold a secret.
    """
    name, equals, uri = text.partition("=")
    if not equals or not _KEY.fullmatch(name) or "://" not in uri:
        raise UsageError("--drain: write NAME=URI, e.g. archive=file:///var/log/all.log")
    return name, DrainSettings(Secret(uri))


def missing_file(file: FileSettings) -> str | None:
    """Why a file that was named cannot be read just now, None when it can, or is a pattern that matches something."""
    path = file.path
    if _GLOB.search(str(path)):
        pattern = re.sub(r"\{[a-z]+\}", "*", str(path).lstrip("/"))
        found = next(Path("/").glob(pattern), None)
        return None if found is not None else f"{path} matches no file yet; those that appear are followed"
    if not path.exists():
        return f"{path} does not exist yet; it is followed as soon as it does"
    if not os.access(path, os.R_OK):
        return f"{path} may not be read by this user; it is followed as soon as it may"
    return None


def _path(text: str, argument: str) -> Path:
    if not text.strip() or "\0" in text:
        raise UsageError(f"{argument!r}: a path is missing")
    try:
        path = Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100 - "..": what the user means, not the links
    except RuntimeError as error:
        raise UsageError(f"{argument!r}: {error}") from None
    if path.is_dir():
        raise UsageError(f"{text} is a directory: say which files, e.g. {text.rstrip('/')}/*.log")
    return path
