"""The filters of a command line, each perhaps followed by pipes: read together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logyard.errors import UsageError
from logyard_cli.selecting import Filter

if TYPE_CHECKING:
    from logyard.filters import Pipe

__all__ = ["Queries", "read_queries"]


@dataclass(frozen=True, slots=True)
class Queries:
    """What was asked for.

    Attributes:
        filters: all of them must let a record pass.
        pipes: what is made of the records that do.
    """

    filters: tuple[Filter, ...] = ()
    pipes: tuple[Pipe, ...] = ()

    @property
    def literals(self) -> list[str]:
        """Texts that matching records contain."""
        return [text for one in self.filters for text in one.literals]


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
    return Queries(tuple(one.filter for one in read), piped[0].pipes if piped else ())
