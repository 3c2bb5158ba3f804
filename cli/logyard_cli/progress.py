"""How far a search has come, on a line of the terminal that rewrites itself, once it takes longer than a second."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from logyard_cli.units import count, duration

__all__ = ["Progress", "progress_line"]

_PATIENCE = 1.0
_REDRAW_EVERY = 0.2


def progress_line(read: int, expected: int, matched: int, seconds: float) -> str:
    """``42 %  1,204,113 records read, 12 matched, 812,000 a second, about 3 s left``."""
    share = min(1.0, read / expected) if expected else 1.0
    rate = read / seconds if seconds > 0 else 0.0
    left = f", about {duration(max(1.0, (expected - read) / rate))} left" if rate and read < expected else ""
    rounded = round(rate, -3) if rate >= 10_000 else round(rate)
    speed = f"{count(int(rounded))} a second{left}"
    return f"{share * 100:.0f} %  {count(read)} records read, {count(matched)} matched, {speed}"


class Progress:
    """Tells on a terminal how far it is; elsewhere nothing.

    Args:
        wanted: whether anything is shown; not where results are being written to the same terminal.
        stream: where to.
    """

    def __init__(self, *, wanted: bool, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._wanted = wanted and self._stream.isatty()
        self._started = time.monotonic()
        self._next = self._started + _PATIENCE
        self._shown = False

    def tell(self, read: int, expected: int, matched: int) -> None:
        """Say how many records were read of those expected, if it is time to."""
        now = time.monotonic()
        if not self._wanted or now < self._next:
            return
        self._next = now + _REDRAW_EVERY
        self._shown = True
        self._stream.write(f"\r\x1b[K{progress_line(read, expected, matched, now - self._started)}")
        self._stream.flush()

    def end(self) -> None:
        """Take the line away, for good."""
        self._wanted = False
        if self._shown:
            self._shown = False
            self._stream.write("\r\x1b[K")
            self._stream.flush()
