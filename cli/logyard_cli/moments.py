"""Points in time as people write them: ``10m``, ``yesterday``, ``14:30``, RFC 3339. Pure: now is an argument."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from logyard.errors import UsageError

__all__ = ["parse_moment"]

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?")
_EPOCH = re.compile(r"(\d{10})(?:\.(\d{1,9}))?|(\d{13})")
_EXPECTED = "write 10m, 2h, 1d, 14:30, yesterday, 2024-05-01, 2024-05-01T14:30:00Z or seconds since 1970"


def parse_moment(text: str, now: datetime, option: str = "") -> int:
    """The point in time that ``text`` means, in ns since 1970 UTC.

    A duration counts back from ``now``; a time of day is the last one that has been; what names no zone is in
    that of ``now``.

    Args:
        now: with a time zone.
        option: where it was given, for the message.

    Raises:
        UsageError: it is none, or lies in the future.
    """
    word = text.strip().lower().removesuffix(" ago")
    found = _parse(word, now)
    shown = f"{option} {text!r}".strip()
    if found is None:
        raise UsageError(f"{shown} is no point in time: {_hint(word) or _EXPECTED}")
    if found > _ns(now):
        raise UsageError(f"{shown} lies in the future: {_EXPECTED}")
    return found


def _hint(word: str) -> str:
    """What was probably meant."""
    if re.fullmatch(r"-(?=\d)" + _DURATION.pattern, word):
        return f"write {word[1:]}, without the minus"
    if re.fullmatch(r"\d{1,6}", word):
        return f"give it a unit, as in {word}m, {word}h or {word}d"
    if long := re.fullmatch(r"(\d+)\s*(second|sec|minute|min|hour|hr|day|week)s?", word):
        return f"write {long[1]}{long[2][0]}"
    if twelve := re.fullmatch(r"(\d{1,2})(:\d\d)?\s*([ap])m", word):
        hour = int(twelve[1]) % 12 + (12 if twelve[3] == "p" else 0)
        return f"write {hour:02d}{twelve[2] or ':00'}"
    return ""


def _parse(word: str, now: datetime) -> int | None:
    if word == "now":
        return _ns(now)
    if _DURATION.fullmatch(word):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(word))
        return max(0, _ns(now) - int(seconds * 1e9))
    if epoch := _EPOCH.fullmatch(word):
        if epoch[3]:
            return int(epoch[3]) * 1_000_000
        return int(epoch[1]) * 1_000_000_000 + int((epoch[2] or "").ljust(9, "0"))
    day, _, clock = word.partition(" ")
    if day in {"today", "yesterday"}:
        date = now.date() - timedelta(days=day == "yesterday")
        at = _clock(clock) if clock else time()
        return None if at is None else _ns(_local(datetime.combine(date, at), now))
    if (at := _clock(word)) is not None:
        moment = _local(datetime.combine(now.date(), at), now)
        return _ns(moment if moment <= now else _local(datetime.combine(now.date() - timedelta(days=1), at), now))
    try:
        moment = datetime.fromisoformat(word.upper())
    except ValueError:
        return None
    return _ns(moment if moment.tzinfo is not None else _local(moment, now))


def _clock(text: str) -> time | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    hour, minute, second, fraction = match.groups()
    try:
        return time(int(hour), int(minute), int(second or 0), int((fraction or "").ljust(6, "0")))
    except ValueError:
        return None


def _local(moment: datetime, now: datetime) -> datetime:
    """``moment`` on the clock on the wall where ``now`` was read, daylight saving included."""
    from datetime import timezone

    # A fixed offset (what astimezone() gives) stands for the machine's zone, whose offset that day may differ.
    return moment.astimezone() if isinstance(now.tzinfo, timezone) else moment.replace(tzinfo=now.tzinfo)


def _ns(moment: datetime) -> int:
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1_000_000_000 + moment.microsecond * 1000
