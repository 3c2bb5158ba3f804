"""What a record tells about itself: its severity and its time, derived from its text on demand.

Everything here is pure. `derive` does both for a batch's lines and is the one step of the hot path that looks
into each record; a faster one could take its place.
"""

from __future__ import annotations

from logyard.derive.lines import derive
from logyard.derive.severity import Level, level_of, levels
from logyard.derive.stamp import rfc3339
from logyard.derive.time import time_of, times

__all__ = ["Level", "derive", "level_of", "levels", "rfc3339", "time_of", "times"]
