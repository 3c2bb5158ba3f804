"""Which module serves which scheme of a drain's address.

A drain is found through its entry point in the group ``logyard.drains``, named by the scheme; the module is imported
when an address needs it.
"""

from __future__ import annotations

import difflib
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from logyard.drain import DrainModule, DrainURI
from logyard.errors import UsageError

__all__ = ["configure", "drain_module", "schemes"]

GROUP = "logyard.drains"


@lru_cache(maxsize=1)
def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def schemes() -> list[str]:
    """The schemes that drains are installed for."""
    return sorted(_entry_points())


def drain_module(scheme: str) -> DrainModule:
    """The module that serves ``scheme``.

    Raises:
        UsageError: there is none, or it cannot be imported.
    """
    point = _entry_points().get(scheme)
    if point is None:
        near = difflib.get_close_matches(scheme, schemes(), 1)
        hint = f"did you mean {near[0]}://?" if near else f"there are: {', '.join(schemes())}"
        raise UsageError(f"there is no drain for {scheme}://; {hint}")
    try:
        return cast("DrainModule", point.load())
    except ImportError as error:
        raise UsageError(f"the drain for {scheme}:// needs a package that is not installed: {error}") from error


def configure(uri: DrainURI) -> tuple[DrainModule, Any]:
    """The module and the checked settings for an address.

    Raises:
        UsageError: anything about it is wrong.
    """
    module = drain_module(uri.scheme)
    return module, module.configure(uri)
