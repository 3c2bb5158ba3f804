"""Time and severity of records as documents have them: as text, in columns beside the records."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from operator import attrgetter

from logyard.derive import Level, derive
from logyard.derive.crowd import Crowd, read_crowd
from logyard.derive.severity import LEVEL_NAMES, level_value
from logyard.derive.stamp import SECOND, rfc3339, second_text, stamps
from logyard.derive.time import TIME_NAMES
from logyard.derive.timestamps import iso_second, plausible
from logyard.formats.objects import Group
from logyard.formats.shapes import Shape

__all__ = ["canonical", "moments"]

_LABELS: dict[int | None, bytes] = {None: b""} | {level: level.label.encode() for level in Level}
_WHOLE = len("2026-11-22T09:30:00Z")
_WIDTHS = (_WHOLE, _WHOLE + 4, _WHOLE + 7, _WHOLE + 10)


def moments(group: Group, observed_ns: int) -> tuple[list[bytes], list[bytes]]:
    """For each record its time, RFC 3339 in UTC with 0, 3, 6 or 9 digits, and its severity; "" when it tells none.

    They are what `logyard.derive.derive` finds.

    Args:
        group: the records.
        observed_ns: when they were observed, ns since 1970.
    """
    found = None
    if group.shape is not None:
        found = _of_shape(group.shape, group, observed_ns)
    if found is None and (crowd := read_crowd(group.lines, observed_ns)) is not None:
        found = _of_crowd(crowd)
    return _derived(group.lines, observed_ns) if found is None else found


def canonical(times: Sequence[str], observed_ns: int) -> list[bytes] | None:
    """The times as `moments` has them, when all are written alike, and so but for zeros at the end.

    None when one is not, or is no plausible time.
    """
    width = len(times[0])
    if width not in _WIDTHS or set(map(len, times)) != {width}:
        return None
    text = "".join(times).encode()
    count = len(times)
    # Columns of characters, each checked at once; what stands in front of them is one of a few whole seconds.
    if len(text) != width * count or text[width - 1 :: width] != b"Z" * count:
        return None
    if width > _WHOLE and text[_WHOLE - 1 :: width] != b"." * count:
        return None
    if not all(text[column::width].isdigit() for column in range(_WHOLE, width - 1)):
        return None
    seconds = {time[:19] for time in _ends(times, text, width) or times}
    for second in seconds:
        ns = iso_second(second.encode(), b"Z") if second[4] == "-" and second[10] == "T" else None
        if plausible(ns, observed_ns) is None or plausible((ns or 0) + SECOND, observed_ns) is None:
            return None
    return _shortened(list(map(str.encode, times)), b"000Z" in text)


def _ends(times: Sequence[str], text: bytes, width: int) -> tuple[str, str] | None:
    """The first and the last of times within one minute, if they are; then all are times if these two are.

    Args:
        times: of ``width`` ASCII characters each.
        text: all of them in one.
    """
    first, last = min(times), max(times)
    # What is between two texts in order, and these begin alike, begins so, too.
    if first[:17] != last[:17] or not text[18::width].isdigit():
        return None
    return (first, last) if not text[17::width].translate(None, b"012345") else None


def _shortened(texts: list[bytes], needed: bool) -> list[bytes]:
    """Without zeros that are not needed."""
    if not needed:
        return texts
    return [text if text[-4:] != b"000Z" else _shortest(text) for text in texts]


def _shortest(text: bytes) -> bytes:
    while text[-4:] == b"000Z" and len(text) > _WHOLE:
        text = text[:-4].removesuffix(b".") + b"Z"
    return text


def _of_shape(shape: Shape, group: Group, observed_ns: int) -> tuple[list[bytes], list[bytes]] | None:
    """As `moments`; None when the records have to be looked at otherwise."""
    times = [name for name in shape.kinds if name in TIME_NAMES]
    levels = [name for name in shape.kinds if name in LEVEL_NAMES]
    # Of several the first that can be read counts, which need not be the same one for all records.
    if len(times) > 1 or len(levels) > 1 or "log" in shape.kinds:
        return None
    if any(shape.kinds[name] != '"' for name in (*times, *levels)):
        return None
    texts: list[bytes] | None
    if times:
        texts = canonical(list(map(attrgetter(shape.fields[times[0]]), group.values)), observed_ns)
        if texts is None:
            return None
    else:
        texts = [rfc3339(observed_ns).encode()] * len(group.lines)
    if not levels:
        return texts, [b""] * len(group.lines)
    written = list(map(attrgetter(shape.fields[levels[0]]), group.values))
    labels = {text: _LABELS[level_value(text)] for text in set(written)}
    return texts, list(map(labels.__getitem__, written))


def _of_crowd(crowd: Crowd) -> tuple[list[bytes], list[bytes]] | None:
    """As `moments`; None when some have to be looked at alone."""
    labels: dict[bytes, bytes] = {}
    for text in set(crowd.levels):
        level = crowd.level(text)
        if level is None:
            return None
        labels[text] = _LABELS[level]
    digits = len(crowd.fractions[0])
    if digits > 9:
        return None
    seconds: dict[bytes, bytes] = {}
    for text in set(crowd.seconds):
        second = crowd.second(text)
        if second is None:
            return None
        seconds[text] = second_text(second).encode() + (b"." if digits else b"")
    end = b"0" * (-digits % 3) + b"Z"
    texts = list(
        map(b"".join, zip(map(seconds.__getitem__, crowd.seconds), crowd.fractions, repeat(end), strict=False))
    )
    return _shortened(texts, digits > 0), list(map(labels.__getitem__, crowd.levels))


def _derived(lines: Sequence[bytes], observed_ns: int) -> tuple[list[bytes], list[bytes]]:
    levels, times = derive(lines, observed_ns)
    return list(map(str.encode, stamps(times))), list(map(_LABELS.__getitem__, levels))
