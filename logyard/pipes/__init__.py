"""What stands behind ``|`` in a query, carried out: counts, statistics, rankings and rows. No IO.

Selections are fed in as they are read; the table can be asked for at any time. Memory is bounded whatever comes in, and
a table says so where that shows.
"""

from __future__ import annotations

from logyard.pipes.buckets import Buckets, offset_in
from logyard.pipes.grouping import Extract
from logyard.pipes.groups import Aggregate
from logyard.pipes.plan import Plan, make_plan
from logyard.pipes.rows import Rows
from logyard.pipes.series import Series, as_series
from logyard.pipes.table import Cell, Column, Role, Table
from logyard.pipes.values import Unit

__all__ = [
    "Aggregate", "Buckets", "Cell", "Column", "Extract", "Plan", "Role", "Rows", "Series", "Table", "Unit",
    "as_series", "make_plan", "offset_in",
]  # fmt: skip
