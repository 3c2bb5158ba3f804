"""Severities of whole batches are those of their lines."""

from __future__ import annotations

import pytest
from hypothesis import given

from logyard import native
from logyard.batch import Selection
from logyard.derive.blocks import UNTOLD, severities, severities_of
from logyard.derive.severity import Level, levels
from logyard.errors import WireError
from logyard.filters import compile_filter
from tests.formats.json_lines import SHAPED
from tests.formats.sample_batches import batch_of, miscounted, whole
from tests.native.both import both, selections
from tests.native.told_lines import TEXTS, blocks


@given(blocks)
def test_severities_are_those_that_each_line_tells(records: list[bytes]) -> None:
    for selection in selections(records):
        ours, theirs = both(lambda selection=selection: severities_of(selection))  # type: ignore[misc]
        assert ours == theirs == levels(selection.lines)


@given(blocks)
def test_filters_let_the_same_records_pass(records: list[bytes]) -> None:
    batch = batch_of(*records)
    for text in ("level:>=warn", "level:error OR level:info", "NOT level:<=info", "x level:>=debug"):
        chosen = compile_filter(text)
        ours, theirs = both(lambda chosen=chosen: chosen.select(batch))  # type: ignore[misc]
        passed = [None if found is None else list(found.positions or range(batch.count)) for found in (ours, theirs)]
        assert passed[0] == passed[1]


@pytest.mark.needs("native")
def test_they_are_told_in_a_byte_each() -> None:
    records = [SHAPED[0], b"plain", TEXTS[0], b"error: it is late", b'{"level":"loud","lvl":"debug"}']
    expected = bytes((Level.WARN, UNTOLD, Level.INFO, Level.ERROR, Level.DEBUG))
    assert severities(whole(*records)) == expected
    assert severities(Selection(batch_of(*records), [1, 3])) == bytes((UNTOLD, Level.ERROR))


def test_without_the_part_in_c_python_tells_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "module", None)
    assert severities(whole(SHAPED[0])) is None
    assert severities_of(whole(SHAPED[0], b"x")) == [Level.WARN, None]


@pytest.mark.parametrize("count", [1, 3])
def test_a_block_that_holds_other_than_so_many_records_is_damaged(count: int) -> None:
    with pytest.raises(WireError, match=f"says {count} records and holds 2"):
        severities_of(miscounted(count))
