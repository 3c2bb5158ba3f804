"""Timestamps in text, and where they may stand.

Known are RFC 3339 and its relatives (``2026-11-22T09:30:00.5+01:00``, ``2013-01-10 16:56:34,590``,
``2026/11/22 09:30:00``), syslog's and C's (``Nov 22 09:30:00``, ``Sun Nov 22 09:30:00 2026``), those of web servers'
access logs (``22/Nov/2026:09:30:00 +0000``) and klog's header (``E1122 09:30:00.123456``).
"""

from __future__ import annotations

import re
from calendar import timegm
from functools import lru_cache
from time import gmtime

from logyard.derive.stamp import SECOND

__all__ = ["ISO", "fraction_ns", "iso_second", "opening_stamp", "plausible", "stamp_at"]

_DAY = 86400 * SECOND
_EARLIEST = 365 * _DAY

_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_MONTH = rb"(" + b"|".join(_MONTHS) + rb")"
_CLOCK = rb"([0-2][0-9]:[0-5][0-9]:[0-6][0-9])"
_FRACTION = rb"(?:[.,]([0-9]++))?"

ISO = re.compile(
    rb"([0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[Tt ][0-2][0-9]:[0-5][0-9]:[0-6][0-9])" + _FRACTION +
    rb"(?: ?([Zz]|UTC|GMT|[-+][0-9]{2}:?[0-9]{2})(?!\w)|([-+][0-9]{2})(?![\w:]))?"
)  # fmt: skip
_APACHE = re.compile(rb"[0-9]{2}/" + _MONTH + rb"/[0-9]{4}:" + _CLOCK + rb" [-+][0-9]{4}")
_SYSLOG = re.compile(
    rb"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?" + _MONTH + rb" ([ 0-9][0-9]) " + _CLOCK + _FRACTION +
    rb"(?: ([0-9]{4})(?!\w))?"
)  # fmt: skip
_KLOG = re.compile(rb"[IWEF]([0-9]{2})([0-9]{2}) " + _CLOCK + _FRACTION)
_BEFORE = re.compile(rb"(?:<[0-9]{1,3}>(?:1 )?)?(?:[\[(]?[A-Z]{1,11}[\])]?[:,|]?[ \t]+)?[\[(\"']?")


def plausible(ns: int | None, observed_ns: int) -> int | None:
    return ns if ns is not None and _EARLIEST <= ns <= observed_ns + _DAY else None


@lru_cache(maxsize=4096)
def _seconds(year: int, month: int, day: int, clock: bytes) -> int | None:
    """Seconds since 1970; None for a date that does not exist. A leap second is the next minute's first."""
    if not (1 <= month <= 12 and 1 <= day <= 31 and year):
        return None
    hour, minute, second = int(clock[:2]), int(clock[3:5]), int(clock[6:8])
    start = timegm((year, month, day, 0, 0, 0))
    if hour > 23 or second > 60 or gmtime(start).tm_mday != day:
        return None
    return start + hour * 3600 + minute * 60 + second


def _zone_seconds(zone: bytes) -> int:
    if zone[:1] not in (b"+", b"-"):
        return 0
    digits = zone[1:].replace(b":", b"").ljust(4, b"0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[:1] == b"-" else seconds


@lru_cache(maxsize=16384)
def iso_second(text: bytes, zone: bytes) -> int | None:
    """ns since 1970 of ``2026-11-22T09:30:00`` (strictly these 19 characters) in a zone."""
    if ISO.fullmatch(text) is None or text[4] != text[7]:
        return None
    second = _seconds(int(text[:4]), int(text[5:7]), int(text[8:10]), text[11:19])
    return None if second is None else (second - _zone_seconds(zone)) * SECOND


def fraction_ns(digits: bytes | None) -> int:
    return int(digits[:9].ljust(9, b"0")) if digits else 0


@lru_cache(maxsize=64)
def _year(day: int) -> int:
    return gmtime(day * 86400).tm_year


def _latest(month: int, day: int, clock: bytes, observed_ns: int) -> int | None:
    """ns of the latest such time in any year that is not more than a day after ``observed_ns``."""
    limit = (observed_ns + _DAY) // SECOND
    year = _year(limit // 86400)
    for candidate in range(year, year - 9, -1):  # 29 February may be eight years ago
        second = _seconds(candidate, month, day, clock)
        if second is not None and second <= limit:
            return second * SECOND
    return None


@lru_cache(maxsize=4096)
def _apache_second(text: bytes) -> int | None:
    """ns since 1970 of ``22/Nov/2026:09:30:00 +0000``."""
    second = _seconds(int(text[7:11]), _MONTHS[text[3:6]], int(text[:2]), text[12:20])
    return None if second is None else (second - _zone_seconds(text[21:])) * SECOND


def _iso_at(line: bytes, at: int) -> int | None:
    found = ISO.match(line, at)
    if found is None:
        return None
    text, digits, zone, hours = found.groups()
    second = iso_second(text, zone or hours or b"Z")
    return None if second is None else second + fraction_ns(digits)


def _syslog_at(line: bytes, at: int, observed_ns: int) -> int | None:
    found = _SYSLOG.match(line, at)
    if found is None:
        return None
    name, day, clock, digits, year = found.groups()
    if year is None:
        start = _latest(_MONTHS[name], int(day), clock, observed_ns)
        return None if start is None else start + fraction_ns(digits)
    second = _seconds(int(year), _MONTHS[name], int(day), clock)
    return None if second is None else second * SECOND + fraction_ns(digits)


def stamp_at(line: bytes, at: int, observed_ns: int) -> int | None:
    """The timestamp that stands at ``at``, in ns since 1970."""
    if line[at : at + 1] > b"9":
        return plausible(_syslog_at(line, at, observed_ns), observed_ns)
    if line[at + 2 : at + 3] == b"/":
        found = _APACHE.match(line, at)
        return None if found is None else plausible(_apache_second(found[0]), observed_ns)
    return plausible(_iso_at(line, at), observed_ns)


def opening_stamp(line: bytes, observed_ns: int) -> int | None:
    """The timestamp that opens the line."""
    if b"0" <= line[:1] <= b"9":
        return stamp_at(line, 0, observed_ns)
    if line[1:2].isdigit() and (klog := _KLOG.match(line)) is not None:
        start = _latest(int(klog[1]), int(klog[2]), klog[3], observed_ns)
        return None if start is None else plausible(start + fraction_ns(klog[4]), observed_ns)
    before = _BEFORE.match(line)
    return None if before is None else stamp_at(line, before.end(), observed_ns)
