"""What our own processes say about themselves: on standard error, a line each, never in the streams.

In a terminal ``logyard router: drain archive: ...``; elsewhere time and level go first, for whoever collects it:
``2024-05-01T14:30:00.123Z warning logyard router: ...``. ERROR means that something is lost or a person is needed,
WARNING that it recovered by itself.
"""

from __future__ import annotations

import logging
import sys
import time

__all__ = ["log_to_stderr"]


class _Lines(logging.Formatter):
    """One line a message, whatever is in it: a destination's answer must not write into a terminal as it likes."""

    def __init__(self, name: str, *, terminal: bool) -> None:
        super().__init__()
        self._name = name
        self._terminal = terminal

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if not message.isprintable():
            message = "".join(char if char.isprintable() else repr(char)[1:-1] for char in message)
        if record.exc_info:  # a bug: then the traceback is what a person needs
            message += "\n" + self.formatException(record.exc_info)
        if self._terminal:
            return f"{self._name}: {message}"
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{moment}.{int(record.msecs):03d}Z {record.levelname.lower()} {self._name}: {message}"


def log_to_stderr(process: str = "") -> None:
    """Have this process's log go to standard error.

    Args:
        process: what it is called behind ``logyard``: ``agent``, ``router``.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(f"logyard {process}".strip(), terminal=sys.stderr.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("logyard").setLevel(logging.INFO)
    logging.raiseExceptions = False  # a closed standard error is no reason to fail
