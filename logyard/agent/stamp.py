"""The clock that stamps files. It ticks every few ms, and late on a machine that was not given its time."""

from __future__ import annotations

import sys
import time

__all__ = ["stamp_ns"]

_COARSE = 5
"""CLOCK_REALTIME_COARSE of Linux, which Python does not name."""


def stamp_ns() -> int:
    """Now, ns since 1970: never later than the mtime of a local file that is written to after this call.

    `time.time_ns` is, mostly by a few ms, once by 13. Outside Linux it is all there is.
    """
    return time.clock_gettime_ns(_COARSE) if sys.platform == "linux" else time.time_ns()
