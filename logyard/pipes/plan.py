"""What a row of pipes does: which of them looks at records, and which of them at the table that it gives. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from logyard.errors import UsageError
from logyard.filters.pipes import Context, Count, Fields, Limit, Pipe, Sort, Stats, Top
from logyard.pipes.buckets import Buckets
from logyard.pipes.grouping import Grouping
from logyard.pipes.groups import Aggregate, Counts, Statistics
from logyard.pipes.rows import Rows
from logyard.pipes.table import Table
from logyard.pipes.top import Top as TopValues

__all__ = ["Plan", "make_plan"]

Source = Count | Stats | Top | Fields


@dataclass(frozen=True, slots=True)
class Plan:
    """How pipes are carried out.

    Attributes:
        context: how many records around each that passes are wanted too.
        records: how many records are looked at, the first ones; None for all.
        source: makes a table of records; None when records stay records.
        after: what is done with that table.
    """

    context: Context | None = None
    records: int | None = None
    source: Source | None = None
    after: tuple[Sort | Limit | Fields, ...] = ()

    @property
    def every_ns(self) -> int | None:
        """The width of its buckets of time."""
        return self.source.every_ns if isinstance(self.source, Count | Stats) else None

    @property
    def streams_rows(self) -> bool:
        """Whether each record gives its row at once: ``fields`` without ``sort``."""
        return isinstance(self.source, Fields) and not any(isinstance(pipe, Sort) for pipe in self.after)

    @property
    def row_limit(self) -> int | None:
        """How many rows are wanted of a plan that `streams_rows`."""
        limits = [pipe.count for pipe in self.after if isinstance(pipe, Limit)]
        return min(limits) if limits else None

    def buckets(self, offset: Callable[[int], int]) -> Buckets | None:
        """Its buckets; see `logyard.pipes.buckets.offset_in`."""
        return None if self.every_ns is None else Buckets(self.every_ns, offset)

    def aggregate(self, offset: Callable[[int], int]) -> Aggregate:
        """What takes in records; each call gives another, empty one.

        Raises:
            UsageError: a pipe names a column that the table does not have.
        """
        source = self.source
        made: Aggregate
        if isinstance(source, Count):
            made = Counts(Grouping(source.by, self.buckets(offset)))
        elif isinstance(source, Stats):
            made = Statistics(Grouping(source.by, self.buckets(offset)), source.functions)
        elif isinstance(source, Top):
            made = TopValues(source.n, (source.field,))
        else:
            assert isinstance(source, Fields), "records stay records"
            made = Rows(source.names)
        self.finish(replace(made.table(), rows=[]))
        return made

    def finish(self, table: Table) -> Table:
        """The table as the pipes behind the first one leave it.

        Raises:
            UsageError: one of them names a column that there is not.
        """
        for pipe in self.after:
            if isinstance(pipe, Sort):
                _require(table, pipe.column, "sort")
                table = table.sorted_by([(pipe.column, pipe.descending)])
            elif isinstance(pipe, Limit):
                table = table.first(pipe.count)
            else:
                for name in pipe.names:
                    _require(table, str(name), "fields")
                table = table.only([str(name) for name in pipe.names])
        return table


def _require(table: Table, name: str, pipe: str) -> None:
    if table.position(name) is None:
        names = [column.name for column in table.columns]
        near = get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(names)}"
        raise UsageError(f"| {pipe}: the table before it has no column {name!r}; {hint}")


def make_plan(pipes: Sequence[Pipe]) -> Plan:
    """The plan of pipes, in the order in which they stand.

    Raises:
        UsageError: they do not go together; the text says what to write.
    """
    plan = Plan()
    for pipe in pipes:
        plan = _with(plan, pipe)
    return plan


def _with(plan: Plan, pipe: Pipe) -> Plan:
    name = type(pipe).__name__.lower()
    if isinstance(pipe, Context):
        if plan.source is not None:
            raise UsageError(
                "| context shows records: write it before count, stats, top and fields, or leave these out"
            )
        return replace(plan, context=pipe)
    if isinstance(pipe, Count | Stats | Top):
        if plan.source is not None:
            before = type(plan.source).__name__.lower()
            raise UsageError(
                f"| {name} behind | {before}: both look at records, so only one of them can stand there;"
                " sort, limit and fields may follow"
            )
        if plan.context is not None:
            raise UsageError(f"| {name} behind | context would count the records around as well: leave context out")
        return replace(plan, source=pipe)
    if isinstance(pipe, Fields) and plan.source is None:
        return replace(plan, source=pipe)
    if isinstance(pipe, Limit) and plan.source is None:
        return replace(plan, records=pipe.count if plan.records is None else min(pipe.count, plan.records))
    if isinstance(pipe, Sort) and plan.source is None:
        raise UsageError(
            "| sort needs a table: write count, stats, top or fields before it; records are sorted by time"
        )
    assert isinstance(pipe, Sort | Limit | Fields), pipe
    return replace(plan, after=(*plan.after, pipe))
