"""The filters of a command line, each perhaps followed by pipes: read together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logyard.errors import UsageError

if TYPE_CHECKING:
    from logyard.filters import Filter, Pipe

__all__ = ["Queries", "read_queries"]


@dataclass(frozen=True, slots=True)
class Queries:
    """What was asked for.

    Attributes:
        filter: must let a record pass; None for all.
        pipes: what is made of the records that do.
    """

    filter: Filter | None = None
    pipes: tuple[Pipe, ...] = ()

    @property
    def looked_for(self) -> list[str]:
        """RE2 expressions for what the filter looks for in a record's text."""
        return [] if self.filter is None else [one.expression for one in self.filter.literals]

    def wants(self, key: str) -> bool:
        """Whether any record of a stream may pass."""
        return self.filter is None or self.filter.keys(key) is not False


def read_queries(texts: Sequence[str], saved: Mapping[str, str]) -> Queries:
    """Filters that must all let a record pass, and the pipes behind one of them.

    Args:
        saved: the saved filters, by name.

    Raises:
        UsageError: one of them is wrong (`logyard.filters.FilterError` shows where), or several have pipes.
    """
    if not texts:
        return Queries()
    from logyard.filters import parse_query

    read = [parse_query(text, saved) for text in texts]
    piped = [one for one in read if one.pipes]
    if len(piped) > 1:
        raise UsageError("several -e have pipes: write them behind one filter, the others only filter")
    joined = read[0].filter
    for one in read[1:]:
        joined = joined & one.filter
    return Queries(None if joined.everything else joined, piped[0].pipes if piped else ())
