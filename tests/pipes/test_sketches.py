"""Percentiles and numbers of different values: exact while few, close when many, whatever the order."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.pipes import distinct, quantiles
from logyard.pipes.distinct import Distinct
from logyard.pipes.quantiles import ACCURACY, Quantiles

NUMBERS = st.lists(st.floats(-1e12, 1e12) | st.sampled_from([0.0, 1e-9, -1e-9]), min_size=1, max_size=60)
SHARES = (0.0, 0.01, 0.5, 0.9, 0.95, 0.999, 1.0)


def exact(numbers: list[float], share: float) -> float:
    return sorted(numbers)[max(0, math.ceil(share * len(numbers) - 1e-9) - 1)]


@given(NUMBERS)
def test_percentiles_of_few_numbers_are_exact(numbers: list[float]) -> None:
    held = Quantiles()
    held.add(numbers)
    assert [held.at(share) for share in SHARES] == [exact(numbers, share) for share in SHARES]


@given(NUMBERS, st.integers(0, 60))
def test_percentiles_of_many_numbers_are_close_and_do_not_depend_on_how_they_came(
    numbers: list[float], cut: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantiles, "EXACT", 4)
        one, two, other = Quantiles(), Quantiles(), Quantiles()
        one.add(numbers)
        for number in reversed(numbers[cut:]):
            two.add([number])
        other.add(numbers[:cut])
        two.merge(other)
    assert one.count == two.count == len(numbers)
    for share in SHARES:
        assert one.at(share) == two.at(share)
        found = one.at(share)
        assert found is not None
        assert found == pytest.approx(exact(numbers, share), rel=ACCURACY * 1.001, abs=1e-299)


def test_no_numbers_have_no_percentile() -> None:
    assert Quantiles().at(0.5) is None


def test_the_sketch_is_small_whatever_it_is_fed() -> None:
    chance = random.Random(1)
    held = Quantiles()
    numbers = [math.exp(chance.uniform(-300, 300)) for _ in range(50_000)]
    held.add(numbers)
    assert held.size <= quantiles.BINS
    assert not held.exact
    assert held.at(0.99) == pytest.approx(exact(numbers, 0.99), rel=ACCURACY)


@given(st.lists(st.integers(0, 30) | st.text(max_size=3), max_size=40))
def test_few_different_values_are_counted_exactly(values: list[int | str]) -> None:
    held = Distinct()
    held.add(values)
    assert held.count == len(set(values))


@pytest.mark.parametrize("number", [5_000, 20_000, 100_000])
def test_many_different_values_are_estimated_well_and_the_same_in_any_order(number: int) -> None:
    one, two, other = Distinct(), Distinct(), Distinct()
    values = [f"user-{at}" for at in range(number)]
    one.add(values)
    two.add(reversed(values[number // 3 :]))
    other.add(values[: number // 2])
    two.merge(other)
    assert one.count == two.count == pytest.approx(number, rel=0.05)
    assert one.size <= distinct.EXACT


def test_merging_a_small_set_into_an_estimate_counts_its_values() -> None:
    large, small = Distinct(), Distinct()
    large.add(range(10_000))
    small.add(["one", "two"])
    before = large.count
    large.merge(small)
    small.merge(large)
    assert small.count == large.count >= before
