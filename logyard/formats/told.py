"""What objects tell of themselves: one strict decode of each line, of the few members that are looked for.

Which of the names a program uses for time, severity and message is seen from a few lines. The decoder that is made
then takes a line only if these members are what was seen, and none of the names that would count instead of them is
there; whatever else the line holds is read over. So what is found for a line is what looking at it alone finds, but
where a name occurs twice: then the last one counts here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec
import orjson

from logyard.batch import Selection
from logyard.derive.severity import LEVEL_NAMES
from logyard.derive.time import TIME_NAMES
from logyard.formats.fields import LEVELS, readable_lines
from logyard.formats.shapes import decode_each

__all__ = ["Told", "tell"]

_MESSAGES = ("msg", "message", "text")
_LEVELS = LEVEL_NAMES | {"log"}
_BRACE = {ord("{")}


@dataclass(frozen=True, slots=True)
class _Names:
    """Names of the members that tell something, None for what nothing tells.

    Attributes:
        time, level: of a string each; together None when ``derived``.
        message: of a string.
        derived: time and severity are written otherwise and have to be looked for.
    """

    time: str | None
    level: str | None
    message: str | None
    derived: bool


@dataclass(frozen=True, slots=True)
class Told:
    """Objects and what they tell, in columns.

    Attributes:
        lines: each one whole valid JSON object on one line that opens with its brace.
        places: where they stand in the selection; None when these are all of its records.
        derived: time and severity were not read, and have to be derived from the lines.
        times: as written; None when none has one.
        levels: as written, None for an object without; None when none has one.
        messages: None when none has one.
    """

    lines: Sequence[bytes]
    places: Sequence[int] | None
    derived: bool
    times: Sequence[str] | None
    levels: Sequence[str | None] | None
    messages: Sequence[str] | None


def tell(selection: Selection) -> tuple[Told | None, Sequence[int]]:
    """What those of the selected records tell that are written alike, and the places of all others."""
    batch = selection.batch
    everything = range(selection.count)
    if batch.separator != b"\n" or b"\r" in batch.block:
        return None, everything
    lines = readable_lines(selection)
    names = _common_names(lines) if lines else None
    if names is None:
        return None, everything
    decode = _decoder(names)
    places: Sequence[int] = everything
    try:
        values, all_alike = list(map(decode, lines)), True
    except (msgspec.DecodeError, RecursionError):
        values, all_alike = decode_each(decode, lines), False
    if not all_alike or set(map(itemgetter(0), lines)) != _BRACE or max(map(len, lines)) > 2 * LEVELS:
        places = [place for place in places if values[place] is not None and _is_plain(lines[place])]
        if not places:
            return None, everything
        if len(places) < len(lines):
            lines, values = [lines[place] for place in places], [values[place] for place in places]
    told = Told(
        lines,
        None if len(lines) == len(everything) else places,
        names.derived,
        None if names.time is None else [value.time for value in values],
        None if names.level is None else [value.level for value in values],
        None if names.message is None else [value.message for value in values],
    )
    if told.places is None:
        return told, ()
    ours = set(places)
    return told, [place for place in everything if place not in ours]


def _is_plain(line: bytes) -> bool:
    """Whether a valid line opens with its brace and surely nests no deeper than everybody can read."""
    return line[:1] == b"{" and (len(line) <= 2 * LEVELS or line.count(b"{") + line.count(b"[") <= LEVELS)


def _common_names(lines: Sequence[bytes]) -> _Names | None:
    """What two of three lines agree on, or one of fewer."""
    seen: list[_Names] = []
    samples = {0, len(lines) // 2, len(lines) - 1}
    for sample in samples:
        names = _names(lines[sample])
        if names is not None:
            if names in seen or len(samples) == 1:
                return names
            seen.append(names)
    return None


def _names(line: bytes) -> _Names | None:
    if line[:1] != b"{":
        return None
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    message = next((name for name in _MESSAGES if isinstance(found.get(name), str)), None)
    times = [name for name in found if name in TIME_NAMES and found[name] is not None]
    levels = [name for name in found if name in _LEVELS and found[name] is not None]
    # Of several the first that can be read counts, which need not be the same one for all lines.
    if len(times) > 1 or len(levels) > 1 or any(not isinstance(found[name], str) for name in (*times, *levels)):
        return _Names(None, None, message, True)
    if levels == ["log"]:
        return _Names(None, None, message, True)
    return _Names(times[0] if times else None, levels[0] if levels else None, message, False)


@lru_cache(maxsize=256)  # there are fewer
def _decoder(names: _Names) -> Callable[[bytes], Any]:
    """Of lines to objects with what ``names`` names in the attributes ``time``, ``level`` and ``message``."""
    without = set(_MESSAGES if names.message is None else _MESSAGES[: _MESSAGES.index(names.message)])
    if not names.derived:
        without |= (TIME_NAMES | _LEVELS) - {names.time, names.level}
    # In the order in which most programs write them: a name is looked for behind the one that was found last.
    wanted = (
        ("time", names.time, str, ...),
        ("level", names.level, str | None, None),
        ("message", names.message, str, ...),
    )
    fields: list[Any] = [(field, kind, default) for field, name, kind, default in wanted if name is not None]
    written = {field: name for field, name, _, _ in wanted if name is not None}
    for index, name in enumerate(sorted(without)):
        # Where such a member is null it tells nothing either.
        fields.append((f"without{index}", None, None))
        written[f"without{index}"] = name
    made = [field[:2] if field[2] is ... else field for field in fields]
    struct = msgspec.defstruct("Told", made, rename=written, kw_only=True, gc=False)
    return msgspec.json.Decoder(struct).decode
