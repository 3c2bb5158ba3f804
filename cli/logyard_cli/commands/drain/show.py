"""logyard drain show."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from logyard_cli.colour import paint
from logyard_cli.complete import drain_names
from logyard_cli.exits import OK, run_async
from logyard_cli.listing import coloured, json_option, print_json, state_cell
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.units import ago, count, duration
from logyard_cli.visible import visible

if TYPE_CHECKING:
    from logyard.bus.replays import ReplayProgress

__all__ = ["command"]


@click.command()
@click.argument("name", shell_complete=drain_names)
@json_option
@server_options
def command(name: str, as_json: bool, server: ServerOptions) -> int:
    """Everything about one drain. Secrets are shown as ****."""
    return run_async(_show(server, name, as_json))


async def _show(server: ServerOptions, name: str, as_json: bool) -> int:
    from logyard.bus.catalogue import stream_keys
    from logyard.bus.dead import count_letters
    from logyard.bus.drains import drain_status, get_drain
    from logyard.bus.replays import replay_progress
    from logyard_cli.commands.drain.status import status_fields

    async with server.connect() as connected:
        spec = await get_drain(connected, name)
        (status,) = await drain_status(connected, [name])
        streams = [key for key in await stream_keys(connected) if spec.selects(key)]
        letters = await count_letters(connected, name)
        replay = await replay_progress(connected, name)
    if as_json:
        more: dict[str, Any] = {
            "keys": spec.keys,
            "filter": spec.filter,
            "start": spec.start,
            "paused": spec.paused,
            "created": spec.created,
        }
        more |= {"dead_letters": letters, "replay": asdict(replay) if replay.id else None}
        print_json({**status_fields(status), **more, "streams": streams})
        return OK
    start = spec.start if not spec.start.isdecimal() else _moment(int(spec.start) / 1000)
    lag = f"{count(status.lag_records)} records" + (
        f", the oldest {ago(status.lag_seconds)}" if status.lag_records else ""
    )
    lines = {
        "name": spec.name,
        "destination": spec.shown,
        "state": status.state,
        "streams": " ".join(spec.keys) or "all",
        "filter": spec.filter or "none",
        "matching now": " ".join(streams) or "none",
        "added": f"{_moment(spec.created)} ({duration(max(0.0, time.time() - spec.created))} ago), from {start}",
        "workers": count(status.workers),
        "lag": lag,
        "delivered": count(status.delivered),
        "filtered": count(status.filtered),
        "dead": count(status.dead)
        + (f' ({count(letters)} kept: "logyard drain dead {name}")' if letters else "")
        + (f", {count(status.dead_lost)} lost: there were too many" if status.dead_lost else ""),
        "dropped": count(status.dropped),
        "resent": count(status.resent),
        "cut": count(status.cut),
        "replayed": count(status.replayed) + _told(replay),
        "last error": status.last_error or "none",
    }
    colours = {"state": state_cell(status.state).colour}
    width = max(map(len, lines))
    for head, text in lines.items():
        colour = colours.get(head, "")
        sys.stdout.write(f"{head.ljust(width)}  {paint(visible(text), colour, on=coloured() and bool(colour))}\n")
    return OK


def _told(replay: ReplayProgress) -> str:
    """The last replay, in brackets; "" where there was none."""
    if not replay.id:
        return ""
    why = f": {replay.error}" if replay.error else ""
    return f" (the last one {replay.state}{why}, {count(replay.looked)} of {count(replay.total)})"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
