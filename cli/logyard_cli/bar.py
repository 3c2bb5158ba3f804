"""A progress bar as text. Pure."""

from __future__ import annotations

from logyard_cli.units import count, duration

__all__ = ["bar", "plain"]

_WIDEST = 40


def bar(done: int, total: int, seconds: float, columns: int) -> str:
    """``[=====>    ]  50%  500 of 1,000  100/s  5.0 s left``, no wider than ``columns``.

    Args:
        seconds: since it began.
    """
    share = 1.0 if total <= 0 else min(1.0, done / total)
    rate = done / seconds if seconds > 0 else 0.0
    parts = [f"{share:4.0%}", f"{count(done)} of {count(total)}"]
    if rate >= 1:
        parts.append(f"{count(round(rate))}/s")
        if done < total:
            parts.append(f"{duration((total - done) / rate)} left")
    text = "  ".join(parts)
    width = min(_WIDEST, columns - len(text) - 4)
    if width < 5:
        return text[: max(0, columns - 1)]
    filled = round(share * width)
    line = "=" * filled if filled == width else ("=" * filled + ">")[:width]
    return f"[{line.ljust(width)}] {text}"


def plain(done: int, total: int, seconds: float) -> str:
    """The same in words, for a log."""
    rate = f", {count(round(done / seconds))}/s" if seconds > 0 and done else ""
    return f"{count(done)} of {count(total)}{rate}"
