"""Every error that logyard raises on purpose.

    LogyardError
    ├── UsageError            the caller must change something: a name, an address, a setting   (exit 2)
    │   ├── SettingsError     the same in a settings file; says file and line
    │   └── UnknownParameter  an address has a parameter that its destination does not know
    ├── ServerError           Redis cannot be used as it is: wrong version, no permission       (exit 3)
    │   ├── ServerFull        Redis is out of memory; reading waits until there is room
    │   └── ConnectionLost    Redis cannot be reached just now; trying again may help           (exit 3)
    │       └── ServerLoading it has just been started and still reads what it holds            (exit 3)
    ├── WireError             a stream entry that this version cannot read
    └── DrainError            what a drain may raise from ``open`` and ``send``
        ├── NotConnected      the destination cannot be reached; nothing of this batch arrived for certain
        ├── RetryLater        the destination answered "not now"; ``delay`` seconds if it said when
        ├── TooLarge          the destination wants less at once; the batch is halved
        ├── Refused           something in the batch is at fault, nobody says what; the batch is halved as well
        ├── PartialFailure    some records were refused: ``refused`` maps their position to the reason
        └── Permanent         trying again cannot help: the drain fails and waits for a person

A drain translates its client's exceptions into these and never sleeps, retries or swallows
(docs/write-a-drain.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = [
    "ConnectionLost",
    "DrainError",
    "LogyardError",
    "NotConnected",
    "PartialFailure",
    "Permanent",
    "Refused",
    "RetryLater",
    "ServerError",
    "ServerFull",
    "ServerLoading",
    "SettingsError",
    "TooLarge",
    "UnknownParameter",
    "UsageError",
    "WireError",
]


class LogyardError(Exception):
    """Base of all errors that logyard raises on purpose; its text is one line for a person."""


class UsageError(LogyardError):
    """What was asked for cannot be done as it was asked; the text says what to change."""


class UnknownParameter(UsageError):
    """An address has a parameter that its destination does not know, whatever its value."""


class SettingsError(UsageError):
    """A settings file is wrong.

    Args:
        message: what is wrong and what to do.
        path: the file, when there is one.
        line: 1-based line in it, when known.
    """

    def __init__(self, message: str, path: Path | None = None, line: int | None = None) -> None:
        where = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(where + message)
        self.path = path
        self.line = line


class ServerError(LogyardError):
    """Redis answers, but cannot be used: an old version, a missing permission, a wrong password."""


class ServerFull(ServerError):
    """Redis refused a write because its memory is used up (``maxmemory`` with ``noeviction``)."""


class ConnectionLost(ServerError):
    """Redis cannot be reached, or the connection to it ended before its answer came."""


class ServerLoading(ConnectionLost):
    """Redis has been started and answers no command until it has read what it holds."""


class WireError(LogyardError):
    """A stream entry does not follow docs/wire-format.md, or follows a later version of it."""


class DrainError(LogyardError):
    """Base of what a drain may raise."""


class NotConnected(DrainError):
    """The destination cannot be reached, or the connection to it broke."""


class RetryLater(DrainError):
    """The destination asked to try again later.

    Args:
        message: what it said.
        delay: seconds to wait, when it said so (``Retry-After``), else None.
    """

    def __init__(self, message: str, delay: float | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class TooLarge(DrainError):
    """The destination refused the batch for its size."""


class Refused(DrainError):
    """The destination refused the batch for something that is in it, and did not say in which record.

    The batch is halved until the records at fault stand alone; these go to the dead letters.
    """


class PartialFailure(DrainError):
    """Some records of a batch did not get in; all others did.

    Args:
        message: a summary.
        refused: position of a record in what was sent (0-based, over all selections) to the
            reason why the destination will never take it; these go to the dead letters.
        again: positions of records to send again.
    """

    def __init__(
        self, message: str, refused: Mapping[int, str] | None = None, again: frozenset[int] = frozenset()
    ) -> None:
        super().__init__(message)
        self.refused = dict(refused or {})
        self.again = again


class Permanent(DrainError):
    """Nothing can be sent until a person changes something (a bad token, a wrong certificate)."""
