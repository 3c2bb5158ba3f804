"""What is told beside the records: one dim line each, on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from logyard_cli.colour import DIM, RESET, wanted
from logyard_cli.visible import visible

__all__ = ["make_notes"]


def make_notes(color: str = "auto", make_room: Callable[[], None] = lambda: None) -> Callable[[str], None]:
    """What says one line.

    Args:
        color: ``auto``, ``always`` or ``never``.
        make_room: called before each.
    """
    dim = wanted(color, terminal=sys.stderr.isatty(), environment=os.environ)

    def note(message: str) -> None:
        make_room()
        text = f"logyard: {visible(message)}"
        sys.stderr.write(f"{DIM}{text}{RESET}\n" if dim else f"{text}\n")
        sys.stderr.flush()

    return note
