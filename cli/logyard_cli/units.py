"""Numbers for people: durations, sizes, counts. Pure."""

from __future__ import annotations

__all__ = ["ago", "count", "duration", "plural", "size"]


def count(number: int) -> str:
    """``1,234,567``."""
    return f"{number:,}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """``1 line``, ``2 lines``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(number: float) -> str:
    """Bytes: ``512 B``, ``1.5 KiB``, ``24 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(number) < 1024 or unit == "TiB":
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"


def duration(seconds: float) -> str:
    """``8 ms``, ``4.2 s``, ``12 s``, ``3 min 20 s``, ``5 h 2 min``, ``4 d 3 h``."""
    if seconds < 1:
        return f"{max(0.0, seconds) * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, smaller, length, part in (("d", "h", 86400, 3600), ("h", "min", 3600, 60), ("min", "s", 60, 1)):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def ago(seconds: float) -> str:
    """``now``, ``12 s ago``."""
    return "now" if seconds < 1 else f"{duration(seconds)} ago"
