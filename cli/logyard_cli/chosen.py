"""Which fields of a record are shown: ``--fields`` and ``--hide``. Pure.

A field is named as in the filter language: the envelope's names (``time``, ``key``, ``app``, ``instance``, ``node``,
``source``, ``level``, ``text``, ``id``) win over the record's own, which are named by their path, with or without
``json.`` before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from logyard.errors import UsageError
from logyard.formats.fields import ENVELOPE, value_at

__all__ = ["ALL_FIELDS", "Fields", "field_value", "make_fields"]


@dataclass(frozen=True, slots=True)
class Fields:
    """A choice of fields.

    Attributes:
        only: those that are shown, in this order; all when empty.
        hidden: those that are not.
    """

    only: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()

    @property
    def everything(self) -> bool:
        """Whether nothing is chosen."""
        return not self.only and not self.hidden

    def hides(self, name: str) -> bool:
        """Whether a column of the pretty view is left out: asking for certain fields leaves the columns alone."""
        return name in self.hidden

    def of(self, record: dict[str, Any]) -> dict[str, Any]:
        """The chosen fields of a flat record (`logyard.formats.json.flat_objects`); missing ones are left out."""
        if self.only:
            found = {name: field_value(record, name) for name in self.only if name not in self.hidden}
            return {name: value for name, value in found.items() if value is not None}
        return _without(record, self.hidden) if self.hidden else record

    def own(self, record: dict[str, Any]) -> dict[str, Any]:
        """The chosen fields of a record as it is written, without logyard's own."""
        if self.only:
            names = [name.removeprefix("json.") for name in self.only if name not in self.hidden]
            found = {name: value_at(record, name) for name in names}
            return {name: value for name, value in found.items() if value is not None}
        return _without(record, frozenset(name.removeprefix("json.") for name in self.hidden))


ALL_FIELDS = Fields()


def field_value(record: dict[str, Any], name: str) -> Any:
    """A field of a flat record by its name in the filter language; None when it has none."""
    own = name.removeprefix("json.")
    # Where the envelope has a field's name, the field is called so there, unless both say the same.
    if own != name and own in ENVELOPE and f"{own}_" in record:
        own += "_"
    if own in record:
        return record[own]
    return value_at(record, own)


def _without(record: dict[str, Any], hidden: frozenset[str], before: str = "") -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in record.items():
        path = before + name
        if path in hidden:
            continue
        inside = type(value) is dict and any(one.startswith(f"{path}.") for one in hidden)
        kept[name] = _without(value, hidden, f"{path}.") if inside else value
    return kept


def make_fields(only: Sequence[str], hidden: Sequence[str]) -> Fields:
    """The choice that options make, each a list of names divided by commas.

    Raises:
        UsageError: a name is empty, or is shown and hidden at once.
    """
    shown = _names(only, "--fields")
    left_out = _names(hidden, "--hide")
    if both := [name for name in shown if name in left_out]:
        raise UsageError(f"--fields and --hide both name {both[0]}: give it to one of them")
    return Fields(tuple(shown), frozenset(left_out))


def _names(texts: Sequence[str], option: str) -> list[str]:
    names: list[str] = []
    for text in texts:
        for part in text.split(","):
            name = part.strip()
            if not name or any(char.isspace() for char in name):
                raise UsageError(f"{option} {text!r}: write names divided by commas, as in {option} status,user.id")
            own = name.removeprefix("json.")
            names.append(name if own in ENVELOPE else own)
    return list(dict.fromkeys(names))
