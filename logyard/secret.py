"""Secrets, and references to them: ``${env:NAME}`` and ``${file:PATH}``.

A reference may stand for any part of an address and for any parameter. It is replaced where the address is used,
never where it is stored or shown.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from logyard.errors import UsageError

__all__ = ["REFERENCE", "Mask", "Secret", "expand", "exposed", "placeheld", "resolutions", "unresolved"]

REFERENCE = re.compile(r"\$\{([^}:]*):([^}]*)\}")
FILE_LIMIT = 64 * 1024
"""Bytes that the file of a secret may have; a larger one is another file."""
SHORTEST_MASKED = 4
"""Characters from which on a secret is recognised in other texts: shorter ones are parts of innocent words."""


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


class Mask:
    """Takes known secrets out of texts that others wrote: what a destination answered, what a library raised.

    Args:
        secrets: in plain; also recognised as they look in an address.
    """

    __slots__ = ("_found",)

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in (secret, _quoted(secret)) if len(form) >= SHORTEST_MASKED}
        # The longest first, or what is left of one that contains another would show.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._found = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __repr__(self) -> str:
        return "Mask(****)"

    def __call__(self, text: str) -> str:
        return text if self._found is None else self._found.sub("****", text)


def expand(text: str, environ: Mapping[str, str] | None = None, *, address: bool = True) -> str:
    """``text`` with its references replaced by what they refer to. Reads the files that are named.

    A reference that is the whole text is replaced as it is. A file's trailing line end does not belong to the secret.

    Args:
        address: the text is an address: what is put inside it is percent-encoded.

    Raises:
        UsageError: a variable is not set, a file cannot be read, or a reference is of another kind.
    """
    found = REFERENCE.fullmatch(text)
    if found is not None or not address:
        return REFERENCE.sub(lambda match: _resolve(match, environ), text)
    return REFERENCE.sub(lambda match: _quoted(_resolve(match, environ)), text)


def resolutions(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """What the references in ``text`` stand for, those that can be found here."""
    found = []
    for match in REFERENCE.finditer(text):
        try:
            found.append(_resolve(match, environ))
        except UsageError:
            continue
    return found


def unresolved(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """What hinders `expand` on this machine just now, one message for each reference."""
    problems = []
    for match in REFERENCE.finditer(text):
        try:
            _resolve(match, environ)
        except UsageError as error:
            problems.append(str(error))
    return problems


def exposed(text: str) -> list[str]:
    """A warning for each file of a secret that every user of this machine may read."""
    warnings = []
    for match in REFERENCE.finditer(text):
        kind, name = match.groups()
        try:
            if kind == "file" and Path(name).stat().st_mode & stat.S_IROTH:
                warnings.append(f"{match[0]}: every user of this machine may read the file: chmod o-r {name}")
        except (OSError, ValueError):
            continue
    return warnings


def placeheld(
    text: str, held: Callable[[re.Match[str]], str], environ: Mapping[str, str] | None = None, *, address: bool = True
) -> str:
    """``text`` as `expand` makes it, with what ``held`` says in place of each reference that leads nowhere here."""
    whole = REFERENCE.fullmatch(text) is not None

    def resolve(match: re.Match[str]) -> str:
        try:
            value = _resolve(match, environ)
        except UsageError:
            return held(match)
        return _quoted(value) if address and not whole else value

    return REFERENCE.sub(resolve, text)


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _resolve(match: re.Match[str], environ: Mapping[str, str] | None) -> str:
    kind, name = match.groups()
    if kind == "env":
        value = (os.environ if environ is None else environ).get(name)
        if not value:
            state = "not set" if value is None else "empty"
            raise UsageError(f"{match[0]}: the environment variable {name} is {state}")
        return value
    if kind == "file":
        try:
            value = _content(name)
        except (OSError, ValueError) as error:
            raise UsageError(f"{match[0]}: cannot read the file: {getattr(error, 'strerror', None) or error}") from None
        if not value:
            raise UsageError(f"{match[0]}: the file is empty")
        return value
    raise UsageError(f"{match[0]} is not a reference: write ${{env:NAME}} or ${{file:PATH}}")


def _content(name: str) -> str:
    """What a secret's file holds. Raises OSError and ValueError, without the content in it."""
    if not name.startswith("/"):
        raise ValueError("give its absolute path")
    # Not blocking: opening a pipe that nobody writes to would wait for ever.
    number = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(number, "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise ValueError("it is no regular file")
        data = file.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise ValueError(f"it has more than {FILE_LIMIT} bytes")
    try:
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("it is no UTF-8 text") from None
