"""logyard drain tap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from logyard_cli.complete import drain_names
from logyard_cli.exits import INTERRUPTED, OK, run_async, say
from logyard_cli.options import ServerOptions, server_options

if TYPE_CHECKING:
    from logyard.batch import Batch, Selection
    from logyard.bus.drains import DrainSpec
    from logyard.bus.read import Page, Positions
    from logyard.formats import Format
    from logyard.server import Server
    from logyard_cli.output import Output

__all__ = ["command"]


@click.command()
@click.argument("name", shell_complete=drain_names)
@server_options
def command(name: str, server: ServerOptions) -> int:
    """Show what a drain gets, live and in its format, beside the drain: nothing about it changes.

    \b
      logyard drain tap search
      logyard drain tap search | head -3
    """
    return run_async(_tap(server, name))


async def _tap(server: ServerOptions, name: str) -> int:
    from logyard.bus.catalogue import stream_keys
    from logyard.bus.drains import get_drain
    from logyard.bus.read import Positions, read_back
    from logyard_cli.output import Output

    async with server.connect() as connected:
        spec = await get_drain(connected, name)
        positions = Positions(spec.selects)
        for key in filter(spec.selects, await stream_keys(connected)):
            page = await read_back(connected, key)
            positions.start(key, page.batches[0] if page.batches else None, page.edge)
        with Output.standard() as output:
            if output.terminal:
                say(f"what drain {name} gets from now on; Ctrl-C ends this")
            return await _follow(connected, positions, _Tap(spec, positions, output), output)


async def _follow(server: Server, positions: Positions, tap: _Tap, output: Output) -> int:
    """Follow until Ctrl-C, or until nobody reads the output."""
    import asyncio

    from logyard.bus.read import follow
    from logyard_cli.stopping import Stopping

    stopping = Stopping()
    with stopping:
        stopping.on_second(stopping.request)
        tasks = [
            asyncio.create_task(follow(server, positions, tap.deliver)),
            asyncio.create_task(stopping.wait()),
            asyncio.create_task(output.closed.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return INTERRUPTED if stopping.interrupted else OK


class _Tap:
    """Writes what a drain gets, in its format."""

    def __init__(self, spec: DrainSpec, positions: Positions, output: Output) -> None:
        from logyard.batch import Selection

        self._passing = spec.passing() or Selection
        self._format = _format(spec)
        self._positions = positions
        self._output = output

    async def deliver(self, pages: Mapping[str, Page]) -> None:
        from logyard_cli.visible import decoded, visible

        parts: list[bytes] = []
        for key, page in pages.items():
            passed = filter(None, map(self._passed, page.batches))
            parts += map(self._format.block, passed)
            if page.unreadable:
                self._positions.skip(key, page.edge)
        text = b"".join(parts)
        if text:
            # Lines of others: nothing in them may do something to a terminal.
            await self._output.write(visible(decoded(text), newlines=True).encode() if self._output.terminal else text)

    def _passed(self, batch: Batch) -> Selection | None:
        from logyard.errors import WireError

        fresh, _ = self._positions.advance(batch)
        try:
            return None if fresh is None else self._passing(batch)
        except WireError:
            return None


def _format(spec: DrainSpec) -> Format:
    """The drain's format, as far as it can be known here."""
    from logyard.definition import configured
    from logyard.errors import UsageError
    from logyard.formats import make_format

    try:
        _, config = configured(spec)
        found: Format | None = getattr(config, "format", None)
        if found is not None and hasattr(found, "block"):
            return found
    except UsageError:
        pass  # a secret that only the router has
    try:
        return make_format(spec.parsed.text("format", "json"))
    except UsageError:
        return make_format("json")
