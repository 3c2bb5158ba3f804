"""Records of several streams come out by time, each stream's in its own order, none lost and none twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logyard_cli.merge import Merger, falling, interleave, merge_times, newest_cut, rising

TIMES = st.lists(st.integers(1, 50), max_size=30)
STREAMS = st.lists(TIMES, min_size=1, max_size=5)


def test_a_record_without_a_time_belongs_to_the_one_before_it() -> None:
    assert merge_times([5, 100, 100, 7, 100], observed=100) == [5, 5, 5, 7, 7]
    assert merge_times([100, 100, 3], observed=100) == [100, 100, 3]


def test_a_record_from_the_future_counts_as_from_when_it_was_read() -> None:
    assert merge_times([5, 400, 100, 6], observed=100) == [5, 100, 100, 6]


def test_times_are_made_to_rise() -> None:
    assert rising([3, 1, 5, 4]) == [3, 3, 5, 5]
    assert rising([3, 9], floor=7) == [7, 9]
    assert falling([3, 1, 5, 4]) == [1, 1, 4, 4]
    assert falling([3, 9], ceiling=7) == [3, 7]
    assert rising([]) == [] and falling([]) == [] and falling([], 3) == []


@given(STREAMS)
def test_interleaving_keeps_each_stream_and_sorts_by_time(streams: list[list[int]]) -> None:
    runs = [
        (rising(times), [(name, index, time) for index, time in enumerate(rising(times))])
        for name, times in enumerate(streams)
    ]
    merged = interleave(runs)
    assert [time for _, _, time in merged] == sorted(time for _, _, time in merged)
    for name, times in enumerate(streams):
        assert [index for stream, index, _ in merged if stream == name] == list(range(len(times)))


@given(STREAMS, st.integers(0, 40))
def test_the_newest_are_cut_off_exactly(streams: list[list[int]], number: int) -> None:
    runs = [rising(times) for times in streams]
    cuts, oldest = newest_cut(runs, number)
    kept = sorted(time for run, cut in zip(runs, cuts, strict=True) for time in run[cut:])
    everything = sorted(time for run in runs for time in run)
    assert kept == everything[max(0, len(everything) - number) :]
    if 0 < number < len(everything):
        assert kept[0] == oldest


@given(STREAMS, st.lists(st.integers(1, 7), min_size=1, max_size=10))
def test_pages_are_merged_as_the_whole_would_be(streams: list[list[int]], sizes: list[int]) -> None:
    whole = interleave(
        [(rising(times), [(name, index) for index in range(len(times))]) for name, times in enumerate(streams)]
    )
    merger: Merger[tuple[int, int]] = Merger(str(name) for name in range(len(streams)))
    given_so_far = [0] * len(streams)
    merged: list[tuple[int, int]] = []
    turn = 0
    while not merger.done:
        for text in merger.wanting():
            name = int(text)
            size = sizes[turn % len(sizes)]
            turn += 1
            start = given_so_far[name]
            times = streams[name][start : start + size]
            if not times:
                merger.end(text)
                continue
            merger.add(text, times, [(name, start + index) for index in range(len(times))])
            given_so_far[name] += len(times)
        before = len(merged)
        merged += merger.take()
        assert merger.wanting() or merger.done or len(merged) > before
    times_of = [rising(times) for times in streams]
    assert [times_of[name][index] for name, index in merged] == [times_of[name][index] for name, index in whole]
    assert sorted(merged) == sorted(whole)
    for name, times in enumerate(streams):
        assert [index for stream, index in merged if stream == name] == list(range(len(times)))


def test_a_stream_that_has_nothing_yet_holds_the_others_back() -> None:
    merger: Merger[str] = Merger(("a", "b"))
    merger.add("a", [1, 2], ["a1", "a2"])
    assert merger.wanting() == ["b"] and merger.take() == []
    merger.add("b", [1, 5], ["b1", "b5"])
    assert merger.take() == ["a1", "b1", "a2"]
    merger.end("a")
    assert merger.take() == ["b5"]
    merger.end("b")
    assert merger.done
