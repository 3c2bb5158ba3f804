"""A filter, ready to be asked about batches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from logyard.batch import Batch, Selection
from logyard.filters.expressions import folded_pattern
from logyard.filters.fields import Members, members_of, of_batch
from logyard.filters.look import Look
from logyard.filters.parsing import SavedFilters, parse_pipes
from logyard.filters.pipes import Pipe
from logyard.filters.plan import Step, make_step
from logyard.filters.tree import (
    OF_BATCH,
    Compare,
    Contains,
    Everything,
    Exact,
    Exists,
    FieldPath,
    Like,
    Matches,
    Node,
    Not,
    all_of,
    terms,
    wording,
)
from logyard.filters.verdict import decide, fields_of_batch
from logyard.names import application_of

__all__ = ["Filter", "Highlight", "Query", "compile_filter", "parse_query"]

_REMEMBERED = 512
"""Envelopes of batches for which the plan is kept."""


@dataclass(frozen=True, slots=True)
class Highlight:
    """Something that a filter looks for in a record's text.

    Attributes:
        text: the text (to be found in any case), or an RE2 expression.
        regex: which of the two.
    """

    text: str
    regex: bool = False

    @property
    def expression(self) -> str:
        """An RE2 expression that finds it."""
        return self.text if self.regex else f"(?i:{folded_pattern((self.text,))})"


class _Plan:
    """What is done for batches of one envelope."""

    def __init__(self, node: Node) -> None:
        self.step: Step = make_step(node)
        asked = [term.field for term, _ in terms(node) if _asks_json(term)]  # type: ignore[union-attr]
        self.members: Members | None = members_of(tuple(dict.fromkeys(asked))) if asked else None
        self.shared = len(asked) > 1

    def look(self, batch: Batch) -> Look:
        return Look(batch, self.members, shared=self.shared)


def _asks_json(term: Node) -> bool:
    return isinstance(term, Like | Exact | Matches | Exists | Compare) and not term.field.envelope


class Filter:
    """Which records are meant. Immutable; may be used by several threads.

    Attributes:
        node: the tree.
        text: the filter in its normal form: saved filters filled in, aliases resolved.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.text = wording(node)
        self._fields = fields_of_batch(node)
        self._plans: dict[tuple[str | None, ...], _Plan | bool] = {}

    def __repr__(self) -> str:
        return f"<Filter {self.text}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and self.node == other.node

    def __hash__(self) -> int:
        return hash(self.node)

    def __and__(self, other: Filter) -> Filter:
        """Records that pass both; several ``-e`` are joined so."""
        if self.everything or other.everything:
            return other if self.everything else self
        return Filter(all_of((self.node, other.node)))

    @property
    def everything(self) -> bool:
        """Whether every record passes because nothing is asked for."""
        return isinstance(self.node, Everything)

    def _plan(self, batch: Batch) -> _Plan | bool:
        envelope = tuple(of_batch(batch, name) for name in self._fields)
        plan = self._plans.get(envelope)
        if plan is None:
            left = decide(self.node, dict(zip(self._fields, envelope, strict=True)))
            plan = left if isinstance(left, bool) else _Plan(left)
            if len(self._plans) >= _REMEMBERED:
                self._plans.clear()
            self._plans[envelope] = plan
        return plan

    def batch_verdict(self, batch: Batch) -> bool | None:
        """Whether all records of the batch pass (True) or none (False) by its envelope; None: it depends on each."""
        plan = self._plan(batch)
        return plan if isinstance(plan, bool) else None

    def keys(self, key: str) -> bool | None:
        """Whether all records of the stream pass (True) or none (False) by its name alone; None: it depends."""
        left = decide(self.node, {"key": key, "app": application_of(key)})
        return left if isinstance(left, bool) else None

    def select(self, batch: Batch) -> Selection | None:
        """The records that pass; None for none.

        A selection of all is without positions. The block is not decompressed when the envelope decides.

        Raises:
            WireError: the batch is damaged.
        """
        plan = self._plan(batch)
        if isinstance(plan, bool):
            return Selection(batch) if plan else None
        positions = plan.step(plan.look(batch), range(batch.count))
        if not positions:
            return None
        return Selection(batch, None if len(positions) == batch.count else positions)

    def matches(self, batch: Batch, index: int) -> bool:
        """Whether one record passes."""
        plan = self._plan(batch)
        return plan if isinstance(plan, bool) else bool(plan.step(plan.look(batch), (index,)))

    def explain(self, batch: Batch, index: int) -> list[tuple[str, bool]]:
        """Each term as it is asked (with its minus where it has one), and whether the record passes it."""
        told: list[tuple[str, bool]] = []
        for term, negated in terms(self.node):
            asked: Node = Not(term) if negated else term
            told.append((wording(asked), Filter(asked).matches(batch, index)))
        return told

    @cached_property
    def literals(self) -> tuple[Highlight, ...]:
        """What to highlight in the text of records that pass, in the order of the filter, each once."""
        found: dict[Highlight, None] = {}
        for term, negated in terms(self.node):
            if negated:
                continue
            match term:
                case Contains(parts):
                    found |= dict.fromkeys(Highlight(part) for part in parts if part)
                case Matches(FieldPath("text", True), pattern):
                    found[Highlight(pattern, regex=True)] = None
                case Like(FieldPath(name, envelope), parts) if not (envelope and name in OF_BATCH):
                    found |= dict.fromkeys(Highlight(part) for part in parts if part)
                case Exact(FieldPath(name, envelope), value) if value and not (envelope and name in OF_BATCH):
                    found[Highlight(value)] = None
                case _:
                    pass
        return tuple(found)

    @cached_property
    def paths(self) -> tuple[FieldPath, ...]:
        """The fields that the filter asks for, each once."""
        asked = (
            term.field for term, _ in terms(self.node) if isinstance(term, Like | Exact | Matches | Exists | Compare)
        )
        return tuple(dict.fromkeys(asked))


@dataclass(frozen=True, slots=True)
class Query:
    """A filter and what follows it."""

    filter: Filter
    pipes: tuple[Pipe, ...]


def compile_filter(text: str, saved: SavedFilters | None = None) -> Filter:
    """The filter that ``text`` says; the empty text is every record.

    Args:
        text: docs/filters.md.
        saved: texts of saved filters by name, or a function that gives them.

    Raises:
        FilterError: it cannot be understood; the error's text shows where and says what to write.
    """
    return Filter(parse_pipes(text, saved, pipes=False)[0])


def parse_query(text: str, saved: SavedFilters | None = None) -> Query:
    """A filter with pipes: ``FILTER | count by app every 1m``.

    Raises:
        FilterError: as `compile_filter`.
    """
    node, pipes = parse_pipes(text, saved)
    return Query(Filter(node), pipes)
