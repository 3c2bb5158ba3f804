"""The filter language (docs/filters.md): one way to say which records, for tail, query, drains and console. No IO."""

from __future__ import annotations

from logyard.filters.error import FilterError
from logyard.filters.parsing import SavedFilters, parse, parse_pipes
from logyard.filters.pipes import Context, Count, Fields, Function, Limit, Pipe, Sort, Stats, Top
from logyard.filters.tree import FieldPath, Node, terms, wording

__all__ = [
    "Context",
    "Count",
    "FieldPath",
    "Fields",
    "FilterError",
    "Function",
    "Limit",
    "Node",
    "Pipe",
    "SavedFilters",
    "Sort",
    "Stats",
    "Top",
    "parse",
    "parse_pipes",
    "terms",
    "wording",
]
