"""logyard explain: why drains have a record, or have not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from logyard.errors import UsageError
from logyard_cli.complete import stream_names
from logyard_cli.exits import OK, run_async
from logyard_cli.listing import json_option, print_json, print_table
from logyard_cli.options import ServerOptions, server_options
from logyard_cli.table import shortened
from logyard_cli.units import plural

if TYPE_CHECKING:
    from logyard.batch import Batch
    from logyard.bus.drains import DrainSpec
    from logyard.bus.groups import Position
    from logyard.server import Server

__all__ = ["command"]


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a drain does with a record, or with a stream, and why."""

    drain: str
    verdict: str
    why: str


@click.command()
@click.argument("what", metavar="KEY|ID", shell_complete=stream_names)
@json_option
@server_options
def command(what: str, as_json: bool, server: ServerOptions) -> int:
    """Why drains have a record, or do not have it; or which drains take a stream.

    ID is a record's id, as "logyard tail -o json" shows it; KEY is a stream.

    \b
      logyard explain app.web
      logyard explain 5f3a9c0d1e2b4a67.0:18234
    """
    return run_async(_explain(server, what, as_json))


async def _explain(server: ServerOptions, what: str, as_json: bool) -> int:
    from logyard.bus.catalogue import stream_keys
    from logyard.bus.drains import get_drains
    from logyard_cli.near import did_you_mean

    async with server.connect() as connected:
        drains = list((await get_drains(connected)).values())
        streams = await stream_keys(connected)
        origin, colon, offset = what.rpartition(":")
        if colon and offset.isdecimal():
            found = await _find(connected, streams, origin, int(offset))
            if found is None:
                raise UsageError(f"no stream holds a record {what}: it was trimmed, or the id is another")
            verdicts = [await _of_record(connected, spec, found, int(offset)) for spec in drains]
        else:
            names = [key for key in streams if key == what or key.partition(".")[2] == what]
            if not names:
                raise UsageError(f"there is no stream and no record {what!r}{did_you_mean(what, streams)}")
            verdicts = [await _of_stream(connected, spec, key) for key in names for spec in drains]
    if as_json:
        print_json([{"drain": one.drain, "verdict": one.verdict, "why": one.why} for one in verdicts])
        return OK
    if not verdicts:
        click.echo("no drains yet; see: logyard drain add --help", err=True)
        return OK
    print_table(("DRAIN", "VERDICT", "WHY"), [(one.drain, one.verdict, one.why) for one in verdicts])
    return OK


async def _find(server: Server, streams: list[str], origin: str, offset: int) -> Batch | None:
    """The batch that holds a record; only envelopes are looked at."""
    from logyard_cli.recent import newest_first

    async for batch in newest_first(server, streams):
        if batch.origin == origin and batch.first <= offset < batch.last and offset in batch.offsets():
            return batch
    return None


async def _position(server: Server, spec: DrainSpec, key: str) -> Position:
    from logyard.bus.groups import Position
    from logyard.server import keys

    tag = keys.tag_of(key, server.partitions)
    return Position.parse(await server.call(tag, "HGET", keys.drain_key(tag, spec.name), f"at:{key}"))


def _not_taken(spec: DrainSpec, key: str) -> str:
    return f"its --key is {' '.join(spec.keys)}, and the stream is {key}"


async def _of_stream(server: Server, spec: DrainSpec, key: str) -> _Verdict:
    from logyard.server import keys

    if not spec.selects(key):
        return _Verdict(spec.name, "not taken", _not_taken(spec, key))
    told = "all of its records"
    if spec.filter:
        from logyard.filters import compile_filter

        by_name = compile_filter(spec.filter).keys(key)
        if by_name is False:
            return _Verdict(spec.name, "filtered", f"no record of {key} can pass {spec.filter}")
        if by_name is None:
            told = f"those that pass {spec.filter}"
    tag = keys.tag_of(key, server.partitions)
    records = int(await server.call(tag, "HGET", keys.meta_key(tag, key), "records") or 0)
    behind = records - (await _position(server, spec, key)).total
    return _Verdict(spec.name, "taken", told + (f"; {plural(behind, 'record')} behind" if behind > 0 else ""))


async def _of_record(server: Server, spec: DrainSpec, batch: Batch, offset: int) -> _Verdict:
    from logyard.batch import Selection
    from logyard.bus.dead import newest_letters

    if not spec.selects(batch.key):
        return _Verdict(spec.name, "not taken", _not_taken(spec, batch.key))
    index = batch.offsets().index(offset)
    if spec.filter:
        passed = (spec.passing() or Selection)(batch)
        if passed is None or (passed.positions is not None and index not in passed.positions):
            return _Verdict(spec.name, "filtered", f"it does not pass {_decisive(spec.filter, batch, index)}")
    identity = batch.identity(offset)
    for letter in await newest_letters(server, spec.name):
        if letter.batch is not None and letter.batch.identity(letter.batch.first) == identity:
            return _Verdict(spec.name, "dead", f"refused: {shortened(letter.reason, 80)} (dead letter {letter.name})")
    position = await _position(server, spec, batch.key)
    stored_ms = int(batch.entry.partition("-")[0])
    begin_ms = spec.created * 1000 if spec.start == "now" else float(spec.start) if spec.start.isdecimal() else 0.0
    if _number(batch.entry) > _number(position.entry):
        before = batch.total - batch.count + index - position.total
        paused = "; the drain is paused" if spec.paused else ""
        return _Verdict(spec.name, "pending", f"{plural(max(0, before), 'record')} of {batch.key} come first{paused}")
    if stored_ms < begin_ms:
        return _Verdict(spec.name, "not sent", f"stored before the drain began; {spec.name} can replay it")
    return _Verdict(spec.name, "delivered", f"it is behind the drain's position, {position.entry}")


def _decisive(text: str, batch: Batch, index: int) -> str:
    """The term of a filter that a record fails at, of those that all have to hold."""
    from logyard.filters import compile_filter, wording
    from logyard.filters.filter import Filter
    from logyard.filters.tree import And

    node = compile_filter(text).node
    for part in node.parts if isinstance(node, And) else (node,):
        passed = Filter(part).select(batch)
        if passed is None or (passed.positions is not None and index not in passed.positions):
            return wording(part)
    return text


def _number(entry: str) -> tuple[int, int]:
    ms, _, serial = entry.partition("-")
    return int(ms), int(serial or 0)
