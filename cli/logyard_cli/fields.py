"""A JSON log record as a person reads it: the message first, then what else it says. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from logyard_cli.chosen import ALL_FIELDS, Fields

__all__ = ["MESSAGE_FIELDS", "parse_record", "paths_of", "split_record"]

MESSAGE_FIELDS = ("message", "msg", "event", "log", "text", "short_message")
"""Where JSON loggers put the message, the best first."""

_TYPED = re.compile(r"[\w@][\w.@-]*")
_QUOTED = re.compile(r'[\s"=]')


def parse_record(line: bytes) -> dict[str, Any] | None:
    """The JSON object that ``line`` is, None when it is something else."""
    if line[:1] != b"{" and line.lstrip()[:1] != b"{":
        return None
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def split_record(
    record: dict[str, Any], hidden: frozenset[str], chosen: Fields = ALL_FIELDS
) -> tuple[str, list[str], list[str]]:
    """A record's message, its fields as ``key=value``, and the values of several lines (stack traces) as they are.

    Args:
        record: as parsed; is not changed.
        hidden: top-level fields that are shown elsewhere.
        chosen: which fields are shown; what is asked for is shown even if it is ``hidden``.
    """
    message, shown_as_message = "", None
    for name in MESSAGE_FIELDS:
        value = record.get(name)
        if type(value) is str:
            message, shown_as_message = value, name
            break
    fields: list[str] = []
    blocks: list[str] = []
    if not chosen.everything:
        record = chosen.own(record)
        hidden = frozenset() if chosen.only else hidden
    for name, value in record.items():
        if name == shown_as_message or name in hidden:
            continue
        if type(value) is dict and value:
            _add_inner(name, value, fields, blocks)
        else:
            _add(name, value, fields, blocks)
    return message, fields, blocks


def _add_inner(name: str, value: dict[str, Any], fields: list[str], blocks: list[str]) -> None:
    """The fields of an object inside, under their paths: as a filter names them."""
    for inner, one in value.items():
        if type(one) is dict and one:
            _add_inner(f"{name}.{inner}", one, fields, blocks)
        else:
            _add(f"{name}.{inner}", one, fields, blocks)


def _add(name: str, value: Any, fields: list[str], blocks: list[str]) -> None:
    if type(value) is str and "\n" in value:
        fields.append(f"{name}=↓")
        blocks.append(value)
    else:
        fields.append(f"{name}={_written(value)}")


def _written(value: Any) -> str:
    """A value behind its name: strings without quotes where that cannot be misread, else JSON."""
    kind = type(value)
    if kind is str:
        return value if value.isalnum() or (value and not _QUOTED.search(value)) else _json(value)
    return str(value) if kind is int else _json(value)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def paths_of(lines: Iterable[bytes]) -> list[str]:
    """The paths of all fields of JSON records, the most frequent first; names that cannot be typed are left out."""
    found: Counter[str] = Counter()
    for line in lines:
        record = parse_record(line)
        if record is not None:
            found.update(path for path in _paths(record, "") if _TYPED.fullmatch(path))
    return [path for path, _ in found.most_common()]


def _paths(record: dict[str, Any], before: str) -> Iterator[str]:
    for name, value in record.items():
        if type(value) is dict and value:
            yield from _paths(value, f"{before}{name}.")
        else:
            yield before + name
