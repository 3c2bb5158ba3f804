"""Time zones as people name them, and the texts of moments in them. Pure; the machine's zone is asked of it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from logyard.errors import UsageError
from logyard_cli.near import nearest

__all__ = ["Clock", "ThisMachine", "parse_zone", "stamps_in"]

_OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d\d)?")
_SECOND = 1_000_000_000


def parse_zone(name: str) -> tzinfo:
    """The zone that ``name`` means: ``Europe/Berlin`` in any case, ``UTC``, ``+02:00``, ``local``.

    Raises:
        UsageError: there is no such zone; the text names near ones.
    """
    word = name.strip()
    if word.lower() == "local":
        return ThisMachine()
    if word.lower() in {"utc", "z", "gmt"}:
        return UTC
    if offset := _OFFSET.fullmatch(word):
        shift = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        if shift < timedelta(hours=24):
            return timezone(-shift if offset[1] == "-" else shift)
    from zoneinfo import ZoneInfo, available_timezones

    known = {zone.lower(): zone for zone in available_timezones()}
    found = known.get(word.replace(" ", "_").lower())
    if found is not None:
        return ZoneInfo(found)
    raise UsageError(f"there is no time zone {name!r}{_suggestion(word, list(known.values()))}")


def _suggestion(word: str, known: list[str]) -> str:
    # Most people know the city and not the continent.
    last = {zone.rpartition("/")[2].lower(): zone for zone in sorted(known, reverse=True)}
    wanted = word.rpartition("/")[2].replace(" ", "_").lower()
    if wanted in last:
        return f"; did you mean {last[wanted]}?"
    near = [last[city] for city in nearest(wanted, last, 2)] if wanted else []
    near = list(dict.fromkeys([*near, *nearest(word, known, 2)]))[:3]
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return "; write a name such as Europe/Berlin, an offset such as +02:00, UTC or local"


class ThisMachine(tzinfo):
    """Stands for the zone of the machine, whose offset depends on the day; only `Clock` reads it."""

    def utcoffset(self, moment: datetime | None) -> None:
        """Not known here."""

    def dst(self, moment: datetime | None) -> None:
        """Not known here."""

    def tzname(self, moment: datetime | None) -> str:
        """As it is written."""
        return "local"


class Clock:
    """The parts of a moment's text in a zone, made once a second.

    Args:
        zone: None for that of the machine.
    """

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self._second = -1
        self._parts = ("", "", "")

    def parts(self, second: int) -> tuple[str, str, str]:
        """Of a second since 1970 UTC: ``2026-11-22``, ``09:30:00``, and ``Z`` or ``+01:00``."""
        if second != self._second:
            self._second = second
            self._parts = self._made(second)
        return self._parts

    def _made(self, second: int) -> tuple[str, str, str]:
        zone = self._zone
        if zone is UTC:
            parts = time.gmtime(second)
            return time.strftime("%Y-%m-%d", parts), time.strftime("%H:%M:%S", parts), "Z"
        if zone is None or isinstance(zone, ThisMachine):
            parts = time.localtime(second)
            shift = timedelta(seconds=parts.tm_gmtoff)
            return time.strftime("%Y-%m-%d", parts), time.strftime("%H:%M:%S", parts), _offset(shift)
        moment = datetime.fromtimestamp(second, zone)
        return f"{moment:%Y-%m-%d}", f"{moment:%H:%M:%S}", _offset(moment.utcoffset() or timedelta())


def _offset(shift: timedelta) -> str:
    minutes = int(shift.total_seconds()) // 60
    if not minutes:
        return "Z"
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def stamps_in(zone: tzinfo | None, times: Sequence[int]) -> list[str]:
    """RFC 3339 in a zone with 0, 3, 6 or 9 digits of a second, as many as each needs.

    Args:
        times: ns since 1970 UTC.
    """
    clock = Clock(zone)
    texts = []
    for moment in times:
        second, rest = divmod(moment, _SECOND)
        day, hour, offset = clock.parts(second)
        fraction = f".{rest:09d}" if rest else ""
        while fraction.endswith("000"):
            fraction = fraction[:-3]
        texts.append(f"{day}T{hour}{fraction}{offset}")
    return texts
