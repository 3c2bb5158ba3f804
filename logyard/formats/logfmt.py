"""Pairs of name and value, as logfmt has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from logyard.batch import Selection
from logyard.formats.fields import as_text
from logyard.formats.json import flat_objects

__all__ = ["LogfmtFormat", "pairs"]

_PLAIN = re.compile(r'[^\s\x00-\x20"=\\\x7f]+')
_UNSAFE = re.compile(r'[\s\x00-\x20"=\\\x7f]')


@lru_cache(maxsize=4096)
def _safe_name(name: str) -> str:
    return _UNSAFE.sub("_", name) or "_"


def _flatten(members: Mapping[str, Any], flat: dict[str, Any], before: str = "") -> None:
    """Add members to ``flat``, those of inner objects under dotted names, each name once.

    One that is taken already gets a ``_`` behind it.
    """
    for wanted, value in members.items():
        if type(value) is dict and value:
            _flatten(value, flat, f"{before}{wanted}.")
            continue
        name = _safe_name(before + wanted)
        while name in flat:
            name += "_"
        flat[name] = value


def pairs(members: Mapping[str, Any]) -> str:
    """A flat or nested object as ``name=value name=value``."""
    flat: dict[str, Any] = {}
    _flatten(members, flat)
    return " ".join([f"{name}={_written(value)}" for name, value in flat.items()])


def _written(value: object) -> str:
    kind = type(value)
    if kind is int or kind is float:
        return repr(value)
    text = as_text(value)
    return text if text.isalnum() or _PLAIN.fullmatch(text) else orjson.dumps(text).decode()


class LogfmtFormat:
    """``logfmt``: the names and values of ``json`` as ``name=value``.

    Inner objects are taken apart under dotted names. A value is in quotes, escaped as in JSON, when it is empty
    or holds white space, quotes, backslashes, control characters or ``=``.
    """

    name = "logfmt"

    def encode(self, selection: Selection) -> list[bytes]:
        """As `logyard.formats.Format`."""
        return [pairs(members).encode() for members in flat_objects(selection)]

    def block(self, selection: Selection) -> bytes:
        """As `logyard.formats.Format`; values in quotes have their newlines escaped."""
        return b"\n".join((*self.encode(selection), b""))

    def pieces(self, selection: Selection) -> list[bytes]:
        """As `logyard.formats.Format`."""
        return [self.block(selection)]
