"""Checking a drain's definition without connecting, also where its secrets are not: they are where it runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from logyard.bus.drains import DrainSpec
from logyard.drain import DrainModule, DrainURI
from logyard.errors import UnknownParameter, UsageError
from logyard.registry import configure
from logyard.secret import REFERENCE, placeheld, unresolved

__all__ = ["check_definition", "configured", "stand_in"]

_VALUES = ("x", "/x", "1")
"""What may stand for a parameter that is elsewhere: a word, a path, a number. One passes where the real one can."""


def check_definition(spec: DrainSpec, environ: Mapping[str, str] | None = None) -> list[str]:
    """Check everything about a drain that can be checked without connecting.

    Returns:
        The secrets that only other machines have: why each of them cannot be found here.

    Raises:
        UsageError: the address, a parameter or the filter is wrong, whatever those secrets are.
    """
    spec.passing()
    try:
        return _checked(spec, environ)
    except UsageError as error:
        raise UsageError(spec.mask(str(error))) from None


def configured(spec: DrainSpec) -> tuple[DrainModule, Any]:
    """The module and the settings of a drain on this machine, with its secrets in them.

    Raises:
        UsageError: anything is wrong, or a secret is not to be found here; without secrets in its text.
    """
    spec.passing()
    try:
        return configure(spec.resolved())
    except UsageError as error:
        raise UsageError(spec.mask(str(error))) from None


def _checked(spec: DrainSpec, environ: Mapping[str, str] | None) -> list[str]:
    missing = [problem for text in (spec.uri, *spec.params.values()) for problem in unresolved(text, environ)]
    if REFERENCE.fullmatch(spec.uri) and unresolved(spec.uri, environ):
        return missing
    for value in _VALUES:
        try:
            configure(_held(spec, environ, value))
            return missing
        except UnknownParameter:
            raise
        except UsageError:
            if not missing:
                raise
    # Parameters of several kinds may be elsewhere: without any of them, what is wrong with the others remains.
    known = {name: text for name, text in spec.params.items() if not unresolved(text, environ)}
    configure(DrainURI.parse(placeheld(_without(spec.uri, environ), stand_in, environ), known))
    return missing


def stand_in(match: re.Match[str]) -> str:
    """What stands for a part of an address that is elsewhere: a number for the port, else a word."""
    return (
        "1" if match.string[: match.start()].endswith(":") and not match.string[match.end() :].startswith("@") else "x"
    )


def _held(spec: DrainSpec, environ: Mapping[str, str] | None, value: str) -> DrainURI:
    """The address with ``value`` for every parameter that is elsewhere."""

    def held(match: re.Match[str]) -> str:
        return value.replace("/", "%2F") if "?" in match.string[: match.start()] else stand_in(match)

    params = {name: placeheld(text, lambda _: value, environ, address=False) for name, text in spec.params.items()}
    return DrainURI.parse(placeheld(spec.uri, held, environ), params)


def _without(uri: str, environ: Mapping[str, str] | None) -> str:
    """The address without the parameters in it that are elsewhere."""
    head, mark, query = uri.partition("?")
    return head + mark + "&".join(part for part in query.split("&") if not unresolved(part, environ))
