"""What is written in C, where it was built: documents around the lines of a block (`logyard.native.lines`).

Nothing depends on it but speed: whoever uses it has another way, which also serves for the lines that it leaves.
``LOGYARD_NATIVE=0`` in the environment leaves it unused.
"""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType

__all__ = ["missing", "module"]


def _load() -> tuple[ModuleType | None, str]:
    if os.environ.get("LOGYARD_NATIVE") == "0":
        return None, "switched off by LOGYARD_NATIVE=0"
    try:
        return import_module("logyard.native.lines"), ""
    except ModuleNotFoundError:
        return None, "not built: install logyard again where there are a C compiler and Python's headers"
    except ImportError as error:
        return None, f"not usable here: {error}"


module, missing = _load()
"""``logyard.native.lines``, or None; and why it is missing, "" when it is there."""
