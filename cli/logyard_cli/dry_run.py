"""What a drain would get, shown on the newest records before it is added."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from logyard.batch import Selection
from logyard.errors import WireError
from logyard_cli.exits import FAILED, OK
from logyard_cli.recent import newest_first
from logyard_cli.table import shortened
from logyard_cli.units import plural
from logyard_cli.visible import decoded

if TYPE_CHECKING:
    from logyard.bus.drains import DrainSpec
    from logyard.server import Server

__all__ = ["dry_run"]

RECORDS = 10_000
EXAMPLES = 5
_WIDTH = 160


async def dry_run(server: Server, spec: DrainSpec) -> int:
    """Print how many of the newest records the drain would get, and some of them; changes nothing."""
    from logyard.bus.catalogue import stream_keys

    streams = [key for key in await stream_keys(server) if spec.selects(key)]
    passing = spec.passing() or Selection
    looked = passed = 0
    examples: list[str] = []
    async for batch in newest_first(server, streams):
        looked += batch.count
        try:
            selection = passing(batch)
            if selection is not None:
                passed += selection.count
                lines = selection.lines[-(EXAMPLES - len(examples)) :] if len(examples) < EXAMPLES else []
                examples += [f"{batch.key}  {shortened(decoded(line[:1000]), _WIDTH)}" for line in reversed(lines)]
        except WireError:
            continue
        if looked >= RECORDS:
            break
    share = f" ({passed / looked:.1%})" if looked else ""
    click.echo(
        f"of the last {plural(looked, 'record')} in {plural(len(streams), 'stream')} {passed:,} would be sent{share}"
    )
    for example in reversed(examples):
        click.echo(f"  {example}")
    click.echo("nothing was stored: --dry-run", err=True)
    return OK if passed else FAILED
