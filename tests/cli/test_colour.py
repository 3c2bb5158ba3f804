"""Colours go where they are wanted, and a source keeps its own."""

from __future__ import annotations

import pytest

from logyard_cli.colour import RED, YELLOW, source_colour, wanted


@pytest.mark.parametrize(
    ("choice", "terminal", "environment", "expected"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ("auto", False, {"FORCE_COLOR": "1"}, True),
        ("auto", False, {"CLICOLOR_FORCE": "1"}, True),
        ("auto", False, {"CLICOLOR_FORCE": "0"}, False),
        ("auto", True, {"CLICOLOR": "0"}, False),
        ("auto", True, {"TERM": "dumb"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_who_decides_on_colours(choice: str, terminal: bool, environment: dict[str, str], expected: bool) -> None:
    assert wanted(choice, terminal=terminal, environment=environment) is expected


def test_sources_have_stable_and_different_colours() -> None:
    assert source_colour("app.web") == source_colour("app.web") == "\x1b[38;5;137m"
    colours = {source_colour(f"app.{number}") for number in range(200)}
    assert len(colours) == 12
    assert not colours & {RED, YELLOW}
