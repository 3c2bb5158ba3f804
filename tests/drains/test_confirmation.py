"""When a silent peer's bytes count as received."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logyard_drains.confirmation import Confirmation

WINDOW = 1000


def test_nothing_is_received_while_the_kernel_still_has_it() -> None:
    follow = Confirmation(WINDOW)
    follow.sent(500)
    for now in range(100):
        follow.observe(500, 1, float(now))
    assert (follow.count, follow.outstanding) == (0, 1)


def test_an_acknowledged_window_behind_a_send_proves_it_at_once() -> None:
    follow = Confirmation(WINDOW)
    follow.sent(500)
    follow.sent(1499)
    follow.observe(1499, 0, 0.0)
    assert follow.count == 0
    follow.sent(1600)
    follow.observe(1600, 100, 0.0)
    assert follow.count == 1
    assert follow.outstanding == 2


def test_an_idle_connection_proves_its_sends_after_the_settling_time() -> None:
    follow = Confirmation(WINDOW)
    follow.sent(10)
    follow.observe(10, 0, 5.0)
    follow.observe(10, 0, 5.99)
    assert follow.count == 0
    follow.observe(10, 0, 6.0)
    assert follow.count == 1


def test_a_send_after_the_quiet_moment_needs_a_quiet_moment_of_its_own() -> None:
    follow = Confirmation(WINDOW)
    follow.sent(10)
    follow.observe(10, 0, 0.0)
    follow.sent(20)
    follow.observe(20, 10, 1.0)
    assert follow.count == 1
    follow.observe(20, 0, 1.1)
    follow.observe(20, 0, 2.0)
    assert follow.count == 1
    follow.observe(20, 0, 2.1)
    assert follow.count == 2


def test_a_steady_trickle_is_confirmed_while_it_goes_on() -> None:
    follow = Confirmation(WINDOW)
    for step in range(500):
        follow.sent(step + 1)
        follow.observe(step + 1, 0, step / 100)
    assert follow.outstanding <= 110


def test_a_quiet_moment_counts_only_when_it_was_seen() -> None:
    follow = Confirmation(WINDOW)
    follow.sent(10)
    follow.observe(10, 5, 0.0)
    follow.observe(10, 0, 100.0)
    assert follow.count == 0


def test_reading_to_the_end_confirms_everything() -> None:
    follow = Confirmation(WINDOW)
    follow.all_received()
    assert follow.count == 0
    follow.sent(10)
    follow.sent(20)
    follow.all_received()
    assert (follow.count, follow.outstanding) == (2, 0)


@given(st.lists(st.tuples(st.integers(1, 3000), st.floats(0, 1), st.floats(0, 2)), max_size=60))
def test_it_never_confirms_what_neither_rule_proves(steps: list[tuple[int, float, float]]) -> None:
    """Against a plain reading of both rules over the whole history."""
    follow = Confirmation(WINDOW)
    written, now, ends, history = 0, 0.0, [], []
    for size, share, pause in steps:
        written += size
        now += pause
        ends.append(written)
        follow.sent(written)
        pending = int(size * share)
        follow.observe(written, pending, now)
        history.append((written, pending, now))
        before = follow.count
        proven = sum(
            any(w - p >= end + WINDOW for w, p, _ in history)
            or any(p == 0 and w >= end and now - t >= 1.0 for w, p, t in history)
            for end in ends
        )
        assert before <= proven
