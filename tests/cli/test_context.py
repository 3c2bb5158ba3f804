"""Context is what grep would show, however the records are divided into batches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logyard.batch import Selection
from logyard_cli.context import Context, Neighbours
from tests.servers.publishing import make_batch

Shown = list[tuple[bytes, bool, int]]


def run(batches: list[list[bool]], before: int, after: int, key: str = "app.web") -> tuple[Shown, list[str]]:
    """What is shown of records that match or not, and the identities; each record's text is its number."""
    context = Context(before, after)
    shown: Shown = []
    identities: list[str] = []
    number = offset = 0
    for flags in batches:
        batch = make_batch(key, [b"%d" % (number + at) for at in range(len(flags))], first=offset)
        number += len(flags)
        offset = batch.last
        for chosen in context.around(Selection(batch), [at for at, flag in enumerate(flags) if flag]):
            selection = chosen.selection
            shown += zip(selection.lines, chosen.matched, chosen.numbers, strict=True)
            identities += [selection.batch.identity(place) for place in selection.offsets()]
    return shown, identities


def grep(flags: list[bool], before: int, after: int) -> Shown:
    near = [any(flags[max(0, at - after) : at + before + 1]) for at in range(len(flags))]
    return [(b"%d" % at, flags[at], at) for at in range(len(flags)) if near[at]]


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=6), max_size=8), st.integers(0, 5), st.integers(0, 5))
def test_it_shows_what_grep_shows(batches: list[list[bool]], before: int, after: int) -> None:
    flags = [flag for batch in batches for flag in batch]
    shown, identities = run(batches, before, after)
    assert shown == grep(flags, before, after)
    offsets = [sum(len(str(earlier)) + 1 for earlier in range(at)) for at in range(len(flags))]
    assert identities == [f"00000000000000aa.0:{offsets[at]}" for _, _, at in shown]


def test_sources_have_contexts_of_their_own() -> None:
    context = Context(1, 1)
    for instance in ("0", "1"):
        held = make_batch("app.web", [b"before " + instance.encode()], instance=instance)
        assert context.around(Selection(held), []) == []
    (first, match) = context.around(Selection(make_batch("app.web", [b"it"], instance="1")), [0])
    assert (first.selection.lines, match.selection.lines) == ([b"before 1"], [b"it"])
    assert context.around(Selection(make_batch("app.web", [b"other"], instance="0")), []) == []
    (after,) = context.around(Selection(make_batch("app.web", [b"after", b"later"], instance="1")), [])
    assert (after.selection.lines, after.matched) == ([b"after"], [False])


def test_records_that_were_shown_before_are_not_counted_again() -> None:
    context = Context(2, 0)
    batch = make_batch("app.web", [b"a", b"b", b"c"])
    (chosen,) = context.around(Selection(batch, [1, 2]), [2])
    assert (chosen.selection.lines, list(chosen.numbers)) == ([b"b", b"c"], [0, 1])


def test_what_is_held_back_is_small_however_large_the_batches() -> None:
    context = Context(2, 0)
    for _ in range(5):
        assert context.around(Selection(make_batch("app.web", [b"x" * 1000] * 100)), []) == []
    (seen,) = context._seen.values()
    assert sum(kept.count for kept in seen.held) == 2
    assert sum(len(kept.block) for kept in seen.held) == 2001


def test_neighbours_are_the_next_of_the_same_source() -> None:
    neighbours = Neighbours()
    one, other = ("app.a", "n", None, "s"), ("app.b", "n", None, "s")
    asked = [neighbours.apart(*at) for at in [(one, 4), (one, 5), (one, 7), (other, 8), (other, 9), (one, 8)]]
    assert asked == [False, False, True, True, False, True]
