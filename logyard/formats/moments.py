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

__all__ = ["canonical", "label_of", "level_label", "moments"]

_LABELS: dict[int | None, bytes] = {None: b""} | {level: level.label.encode() for level in Level}
_WHOLE = len("2026-11-22T09:30:00Z")
_FORMS = {
    _WHOLE + len(fraction): b"0000-00-00T00:00:00%bZ\n" % fraction
    for fraction in (b"", b".000", b".000000", b".000000000")
}
"""By width, how times are written, with zeros for all digits."""
_AS_ZEROS = bytes(ord("0") if chr(byte).isdecimal() and byte < 128 else byte for byte in range(256))


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
    width, count = len(times[0]), len(times)
    if width not in _FORMS:
        return None
    # With a newline behind each, so that none borrows from its neighbour.
    text = "\n".join((*times, "")).encode(errors="replace")
    if text.translate(_AS_ZEROS) != _FORMS[width] * count:
        return None
    minute = text[:17]
    if text.count(minute) == count and not text[17 :: width + 1].translate(None, b"012345"):
        seconds, last = {minute + b"00"}, 60 * SECOND
    else:
        seconds, last = {time[:19].encode() for time in times}, SECOND
    for second in seconds:
        ns = iso_second(second, b"Z")
        if plausible(ns, observed_ns) is None or plausible((ns or 0) + last, observed_ns) is None:
            return None
    found = list(map(str.encode, times))
    at = text.find(b"000Z\n")
    while at >= 0:
        place = at // (width + 1)
        found[place] = _shortest(found[place])
        at = text.find(b"000Z\n", at + 5)
    return found


def label_of(level: int | None) -> bytes:
    """The name of a severity, "" for none."""
    return _LABELS[level]


def level_label(value: object) -> bytes:
    """The severity that a value of a member means, "" when it means none."""
    return _LABELS[level_value(value)]


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
