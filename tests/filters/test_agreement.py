"""Block search, the plan for batches, and the plain reference mean the same by a filter."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, event, given, settings

from logyard.batch import Batch
from logyard.filters import parse, wording
from logyard.filters.filter import Filter
from logyard.filters.tree import Node
from tests.filters.generated import cases, make_batch, nodes
from tests.filters.reference import passes

_EVERYTHING = os.environ.get("CI") == "true" or os.environ.get("LOGYARD_TEST_REQUIRE_ALL") == "1"
CASES = int(os.environ.get("LOGYARD_TEST_CASES", "100000" if _EVERYTHING else "10000"))
"""Pairs of a filter and a record that are compared."""
MEAN = 45
"""Records in a batch, on average; fewer than there are, so that at least `CASES` are compared."""

compared = 0


@settings(
    max_examples=-(-CASES // MEAN),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)
@given(case=cases)
def _agree(case: tuple[Node, Batch]) -> None:
    global compared
    node, batch = case
    lines = batch.block.split(batch.separator)
    expected = [at for at, line in enumerate(lines) if passes(node, batch, line)]
    compared += batch.count
    found = Filter(node).select(batch)
    positions = [] if found is None else list(range(batch.count) if found.positions is None else found.positions)
    wrong = sorted(set(expected) ^ set(positions))
    assert not wrong, (
        f"{wording(node)}: the reference says {wrong[0] in expected} for record {wrong[0]} of {batch.count}, "
        f"{lines[wrong[0]]!r} (separator {batch.separator!r}, {batch.app}, {batch.key})"
    )
    assert positions == expected  # in order, each once
    assert found is None or (found.positions is None) == (len(expected) == batch.count)
    for at in {0, batch.count // 2, batch.count - 1}:
        assert Filter(node).matches(batch, at) is (at in expected)
    event("all" if len(expected) == batch.count else "none" if not expected else "some")


def test_all_back_ends_agree_with_the_plain_reference() -> None:
    """At least `CASES` pairs; run as one test so that they can be counted."""
    _agree()
    assert compared >= CASES


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(node=nodes)
def test_the_normal_form_of_a_filter_means_the_same_tree(node: Node) -> None:
    assert parse(wording(node)) == node


@pytest.mark.parametrize("seed", range(20))
def test_generated_batches_are_what_they_say(seed: int) -> None:
    batch = make_batch(seed)
    assert len(batch.lines) == batch.count
