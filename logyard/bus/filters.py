"""Saved filters: named once, used by everybody as ``@name``."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from logyard.bus.groups import dict_of
from logyard.errors import UsageError
from logyard.filters import compile_filter, parse
from logyard.filters.error import nearest
from logyard.server import Server, keys

__all__ = [
    "SavedFilter",
    "checked_name",
    "filled_in",
    "get_filter",
    "get_filters",
    "names_in",
    "remove_filter",
    "save_filter",
    "texts_of",
    "users_of",
]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """A filter with a name.

    Attributes:
        name: letters, digits, ``-_.``.
        text: the filter as it was written; it may use other saved ones.
        saved: when it was last saved, seconds since 1970.
    """

    name: str
    text: str
    saved: float = 0.0


async def get_filters(server: Server) -> dict[str, SavedFilter]:
    """All saved filters by name, sorted.

    Raises:
        ConnectionLost, ServerError: as `Server.call`.
    """
    stored = dict_of(await server.call(keys.GLOBAL, "HGETALL", keys.FILTERS))
    return {name.decode(): SavedFilter(name.decode(), **orjson.loads(told)) for name, told in sorted(stored.items())}


def texts_of(filters: Mapping[str, SavedFilter]) -> dict[str, str]:
    """Filters as the parser takes them."""
    return {name: saved.text for name, saved in filters.items()}


def names_in(text: str) -> frozenset[str]:
    """The saved filters that a filter uses itself.

    Raises:
        FilterError: it cannot be understood.
    """
    found: set[str] = set()

    def look_up(name: str) -> str:
        found.add(name)
        return "*"

    parse(text, look_up)
    return frozenset(found)


async def filled_in(server: Server, text: str) -> str:
    """A filter in its normal form, with what its saved filters mean now in place of their names.

    Raises:
        FilterError: it cannot be understood, or names a filter that is not saved.
        ConnectionLost, ServerError: as `Server.call`.
    """
    saved = texts_of(await get_filters(server)) if names_in(text) else {}
    return compile_filter(text, saved).text


def users_of(name: str, filters: Mapping[str, SavedFilter]) -> list[str]:
    """The saved filters that use the one called ``name`` themselves."""
    return [other for other, saved in filters.items() if name in names_in(saved.text)]


async def save_filter(server: Server, name: str, text: str) -> SavedFilter | None:
    """Save a filter under a name, in place of the one that has it.

    Returns:
        The one that had the name, None when it was free.

    Raises:
        UsageError: the name is wrong, or the filter cannot be understood (a `FilterError`), perhaps only because it
            would use itself.
        ConnectionLost, ServerError: as `Server.call`.
    """
    name = checked_name(name)
    filters = await get_filters(server)
    before = filters.get(name)
    # Parsed with itself in place, so that one that comes to use itself is found before anybody else does.
    parse(f"@{name}", {**texts_of(filters), name: text})
    told = orjson.dumps({"text": text, "saved": time.time()})
    await server.link(keys.GLOBAL).call_even_full("HSET", keys.FILTERS, name, told)
    return before


def checked_name(name: str) -> str:
    """``name`` without the ``@`` that may stand before it.

    Raises:
        UsageError: it cannot be a saved filter's name.
    """
    found = name.removeprefix("@")
    if not _NAME.fullmatch(found):
        raise UsageError(f"{name!r} cannot be a filter's name: use up to 64 letters, digits and -_.")
    return found


async def get_filter(server: Server, name: str) -> SavedFilter:
    """One saved filter.

    Raises:
        UsageError: there is none of that name; the text names a near one.
    """
    filters = await get_filters(server)
    found = filters.get(name.removeprefix("@"))
    if found is None:
        near = nearest(name.removeprefix("@"), filters)
        known = ", ".join(filters) or "none yet"
        hint = f"did you mean {near}?" if near else f"there is: {known}"
        raise UsageError(f"there is no saved filter {name!r}; {hint}")
    return found


async def remove_filter(server: Server, name: str) -> SavedFilter:
    """Remove a saved filter, whoever uses it.

    Raises:
        UsageError: there is none of that name.
    """
    found = await get_filter(server, name)
    await server.call(keys.GLOBAL, "HDEL", keys.FILTERS, found.name)
    return found
