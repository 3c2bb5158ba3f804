"""Which colours, and whether. Pure; the environment is an argument."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import click

__all__ = [
    "BOLD",
    "DIM",
    "GREEN",
    "GREY",
    "RED",
    "RESET",
    "YELLOW",
    "colour_option",
    "paint",
    "source_colour",
    "wanted",
]

RESET = "\x1b[0m"
BOLD = "\x1b[1m"
DIM = "\x1b[2m"
GREY = "\x1b[38;5;244m"  # not "bright black", which Solarized paints in its background
RED = "\x1b[31m"
YELLOW = "\x1b[33m"
GREEN = "\x1b[32m"

# Of the 256 colours those with a contrast of about 3 and more on black, on white and on the usual tinted backgrounds,
# spread over the hues, without pure red and yellow: those say error and warning.
_PALETTE = tuple(f"\x1b[38;5;{number}m" for number in (32, 64, 166, 98, 30, 168, 69, 137, 170, 28, 67, 130))


def source_colour(name: str) -> str:
    """The colour of a source; the same on every machine and every day."""
    return _PALETTE[zlib.crc32(name.encode()) % len(_PALETTE)]


def paint(text: str, colour: str, *, on: bool = True) -> str:
    """``text`` in a colour."""
    return f"{colour}{text}{RESET}" if on and text else text


def wanted(choice: str, *, terminal: bool, environment: Mapping[str, str]) -> bool:
    """Whether to colour.

    Args:
        choice: ``always``, ``never``, or ``auto``: the environment decides (NO_COLOR, then FORCE_COLOR and
            CLICOLOR_FORCE, then CLICOLOR=0 and TERM=dumb; no-color.org, bixense.com/clicolors), then whether
            it goes to a terminal.
    """
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    if any(environment.get(name, "0") not in {"", "0"} for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return terminal and environment.get("CLICOLOR") != "0" and environment.get("TERM") != "dumb"


colour_option = click.option(
    "--color",
    "--colour",
    "color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colours; auto: on a terminal, unless NO_COLOR is set.",
)
