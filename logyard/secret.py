"""Secrets, and references to them: ``${env:NAME}`` and ``${file:PATH}``.

A reference stands wherever an address may hold a password, and is replaced where the address is used, never
where it is stored or shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from logyard.errors import UsageError

__all__ = ["Secret", "expand", "placeheld", "unresolved"]

_REFERENCE = re.compile(r"\$\{([^}:]*):([^}]*)\}")


class Secret:
    """Text that never prints: not in messages, not in tracebacks, not in a ``repr``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(****)"

    def __str__(self) -> str:
        return "****"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


def expand(text: str, environ: Mapping[str, str] | None = None) -> str:
    """``text`` with its references replaced by what they refer to. Reads the files that are named.

    What is put inside a longer text is percent-encoded, because that text is an address; a reference that is the
    whole text is replaced as it is. A file's trailing line end does not belong to the secret.

    Raises:
        UsageError: the variable is not set, the file cannot be read, or the reference is of another kind.
    """
    found = _REFERENCE.fullmatch(text)
    if found is not None:
        return _resolve(found, environ)
    return _REFERENCE.sub(lambda match: _quoted(_resolve(match, environ)), text)


def unresolved(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """What hinders `expand` on this machine just now, one message for each reference."""
    problems = []
    for match in _REFERENCE.finditer(text):
        try:
            _resolve(match, environ)
        except UsageError as error:
            problems.append(str(error))
    return problems


def placeheld(text: str, environ: Mapping[str, str] | None = None) -> str | None:
    """``text`` as `expand` makes it, with ``x`` in place of what it cannot find; None when that would be all of it."""

    def held(match: re.Match[str]) -> str:
        try:
            return _quoted(_resolve(match, environ))
        except UsageError:
            return "x"

    found = _REFERENCE.fullmatch(text)
    if found is None:
        return _REFERENCE.sub(held, text)
    try:
        return _resolve(found, environ)
    except UsageError:
        return None


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _resolve(match: re.Match[str], environ: Mapping[str, str] | None) -> str:
    kind, name = match.groups()
    if kind == "env":
        value = (os.environ if environ is None else environ).get(name)
        if value is None:
            raise UsageError(f"{match[0]}: the environment variable {name} is not set")
        return value
    if kind == "file":
        try:
            return Path(name).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{match[0]}: cannot read the file: {getattr(error, 'strerror', None) or error}") from None
    raise UsageError(f"{match[0]} is not a reference: write ${{env:NAME}} or ${{file:PATH}}")
