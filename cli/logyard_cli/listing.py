"""What commands that list something share: ``--json``, and tables in colour on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from logyard_cli.colour import GREEN, GREY, RED, YELLOW, wanted
from logyard_cli.table import Cell, table
from logyard_cli.visible import visible_json

__all__ = ["coloured", "json_option", "print_json", "print_table", "state_cell"]

_STATES = {
    "running": GREEN,
    "starting": YELLOW,
    "waiting": YELLOW,
    "retrying": YELLOW,
    "unserved": YELLOW,
    "failed": RED,
    "away": RED,
    "paused": GREY,
    "stopped": GREY,
}

json_option = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


def coloured() -> bool:
    """Whether standard output gets colours."""
    return wanted("auto", terminal=sys.stdout.isatty(), environment=os.environ)


def print_json(value: Any) -> None:
    """``value`` as indented JSON."""
    import orjson

    click.echo(visible_json(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()))


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str | Cell]], *, right: Sequence[str] = ()) -> None:
    """A table; see `logyard_cli.table`."""
    # Not click.echo: it takes colours away where FORCE_COLOR asks for them.
    sys.stdout.write(table(heads, rows, right=right, colour=coloured()))


def state_cell(state: str) -> Cell:
    """The state of a drain or node in its colour."""
    return Cell(state, _STATES.get(state, ""))
