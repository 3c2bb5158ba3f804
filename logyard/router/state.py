"""The states of a drain's worker, and how they follow one another."""

from __future__ import annotations

import enum

__all__ = ["State", "after"]


class State(enum.StrEnum):
    """What a worker is doing."""

    STARTING = "starting"  # connecting for the first time
    RUNNING = "running"  # connected; sends what there is
    RETRYING = "retrying"  # the destination is away or asked to wait; tries again by itself
    FAILED = "failed"  # a person is needed; tries again when the drain is changed or resumed
    PAUSED = "paused"  # a person asked for it


_FOLLOWS = {
    State.STARTING: {State.RUNNING, State.RETRYING, State.FAILED, State.PAUSED},
    State.RUNNING: {State.RETRYING, State.FAILED, State.PAUSED},
    State.RETRYING: {State.RUNNING, State.FAILED, State.PAUSED},
    State.FAILED: {State.STARTING, State.PAUSED},
    State.PAUSED: {State.STARTING},
}


def after(current: State, wanted: State) -> State:
    """The next state.

    Raises:
        ValueError: ``wanted`` cannot follow ``current``; a defect of the caller.
    """
    if wanted is not current and wanted not in _FOLLOWS[current]:
        raise ValueError(f"{wanted} cannot follow {current}")
    return wanted
