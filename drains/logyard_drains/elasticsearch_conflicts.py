"""What is at odds when a document does not fit the mapping: the field and both types. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

__all__ = ["Conflict", "conflict", "explained"]

_FIELD = re.compile(r"failed to parse field \[(.+?)\] of type \[(\w+)\]")
_OBJECT = re.compile(r"object mapping for \[(.+?)\] tried to parse field \[.*?\] as object")
_CHANGED = re.compile(r"mapper \[(.+?)\] cannot be changed from type \[(\w+)\] to \[(\w+)\]")
_JSON_TYPES: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
}


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field of a document and what the index says it is.

    Attributes:
        name: the field, its parts divided by dots.
        type: in the index.
        other: in the document, "" when the reason does not say.
    """

    name: str
    type: str
    other: str = ""


def conflict(reason: str) -> Conflict | None:
    """The mapping conflict that a reason tells of."""
    if found := _CHANGED.search(reason):
        return Conflict(found[1], found[2], found[3])
    if found := _FIELD.search(reason):
        return Conflict(found[1], found[2])
    if found := _OBJECT.search(reason):
        return Conflict(found[1], "object")
    return None


def explained(reason: str, document: bytes) -> str:
    """``reason``, when it is a conflict of types led by the field, its type in the index and that in the document."""
    found = conflict(reason)
    if found is None or found.type == "flattened":
        return reason
    other = found.other or _type_at(document, found.name)
    here = f", and {other} in this record" if other else ""
    return f"field {found.name!r} is {found.type} in the index{here}: {reason}"


def _type_at(document: bytes, path: str) -> str:
    """The JSON type of a field, whose name may hold dots itself; "" when it cannot be found."""
    try:
        value = orjson.loads(document)
    except orjson.JSONDecodeError:
        return ""
    return _JSON_TYPES.get(type(_at(value, path)), "")


def _at(value: object, path: str) -> object:
    if not path:
        return value
    if isinstance(value, list):
        inside = [_at(item, path) for item in value]
        return next((item for item in inside if item is not None), None)
    if not isinstance(value, dict):
        return None
    for name, inner in value.items():
        if path == name:
            return inner
        if path.startswith(f"{name}.") and (found := _at(inner, path[len(name) + 1 :])) is not None:
            return found
    return None
