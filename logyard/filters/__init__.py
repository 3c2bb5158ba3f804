"""The filter language (docs/filters.md): one way to say which records, for tail, query, drains and console. No IO."""

from __future__ import annotations

from logyard.filters.error import FilterError
from logyard.filters.fields import columns, values
from logyard.filters.filter import Filter, Highlight, Query, compile_filter, parse_query
from logyard.filters.parsing import SavedFilters, parse, parse_pipes
from logyard.filters.pipes import Context, Count, Fields, Function, Limit, Pipe, Sort, Stats, Top
from logyard.filters.tree import FieldPath, Node, terms, wording

__all__ = [
    "Context",
    "Count",
    "FieldPath",
    "Fields",
    "Filter",
    "FilterError",
    "Function",
    "Highlight",
    "Limit",
    "Node",
    "Pipe",
    "Query",
    "SavedFilters",
    "Sort",
    "Stats",
    "Top",
    "columns",
    "compile_filter",
    "parse",
    "parse_pipes",
    "parse_query",
    "terms",
    "values",
    "wording",
]
