"""What an HTTP server's answer means to a drain. No IO, no client library."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from logyard.errors import DrainError, Permanent, Refused, RetryLater, TooLarge, UsageError

__all__ = ["Answer", "Masking", "StatusCodes", "failure", "retry_after"]

SHOWN = 200
"""Characters of an answer's text that are shown."""
_LONGEST_WAIT = 3600.0
_LONGEST_NUMBER = 9
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_RANGE = re.compile(r"([1-5]\d\d)(?:-([1-5]\d\d))?")

_LATER = {408, 425, 429, 500, 502, 503, 504}
_REFUSED = {400, 409, 422}
_CHECK = {
    401: "check the user and password, the token or the headers",
    402: "the account must be paid for",
    403: "check the user and password, the token or the headers, and what they are allowed to do",
    404: "check the address's path",
    405: "check method= and the address's path",
    407: "a proxy wants a password; proxies are not supported",
    410: "the endpoint is gone: check the address's path",
    411: "the server does not take our requests",
    414: "the address is too long",
    415: "check content_type=, format= and compression=",
    421: "check the host",
    426: "check http:// or https://",
    431: "the headers are too long",
    451: "the server is not allowed to take it",
    501: "check method=",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Attributes:
    status: the code.
    text: the beginning of the body.
    retry_after, location: these headers' values, "" where absent.
    """

    status: int
    text: str = ""
    retry_after: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True)
class StatusCodes:
    """The codes that count as delivered, as ranges of which both ends belong to them."""

    ranges: tuple[tuple[int, int], ...] = ((200, 299),)

    @classmethod
    def parse(cls, text: str) -> StatusCodes:
        """Codes written as ``200-299,409``. Raises `UsageError`."""
        ranges = []
        for part in text.split(","):
            found = _RANGE.fullmatch(part.strip())
            if found is None or int(found[2] or found[1]) < int(found[1]):
                raise UsageError(f"success={text!r}: write status codes and ranges of them: 200-299,409")
            ranges.append((int(found[1]), int(found[2] or found[1])))
        return cls(tuple(ranges))

    def __contains__(self, status: int) -> bool:
        return any(low <= status <= high for low, high in self.ranges)


class Masking:
    """Makes text of a server fit to be shown: one line, no control characters, no secret that it repeats.

    Args:
        secrets: what must not be seen. Those of fewer than four characters are left: every text holds them.
    """

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first: one may be a part of another.
        self._secrets = sorted({text for text in secrets if len(text) >= 4}, key=len, reverse=True)

    def __repr__(self) -> str:
        return "Masking(****)"

    def __call__(self, text: str, most: int = SHOWN) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "****")
        text = " ".join(_CONTROL.sub(" ", text).split())
        return text if len(text) <= most else text[:most].rstrip() + "..."


def failure(
    name: str, answer: Answer, masked: Masking, now: float, hints: Mapping[int, str] | None = None
) -> DrainError:
    """The error for an answer that is no success.

    Args:
        name: of the destination, as errors show it.
        masked: for what the server says.
        now: seconds since 1970, for a ``Retry-After`` that is a date.
        hints: what is wrong when one of these codes comes, which then waits for a person.
    """
    status = answer.status
    said = masked(answer.text)
    text = f"{name} answered {status}{_phrase(status)}" + (f": {said}" if said else "")
    if hints and status in hints:
        return Permanent(f"{text}; {hints[status]}")
    if 300 <= status < 400:
        return Permanent(f"{text}; it {_moved(answer.location, masked)}, and redirects are not followed")
    if status == 413:
        return TooLarge(text)
    if status in _REFUSED:
        return Refused(text)
    if status in _LATER or (status >= 500 and status not in _CHECK):
        return RetryLater(text, retry_after(answer.retry_after, now))
    return Permanent(f"{text}; {_CHECK.get(status, 'check the address')}")


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def _moved(location: str, masked: Masking) -> str:
    """Where a redirect leads, without what may be secret in it: user, path and query are the server's to invent."""
    try:
        parts = urlsplit(location)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "redirects to no address"
    if not parts.hostname:
        return "redirects to another path"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return masked(f"redirects to {parts.scheme or 'the same scheme'}://{host}{port}")


def retry_after(text: str, now: float) -> float | None:
    """Seconds that ``Retry-After`` asks for (RFC 9110, 10.2.3: seconds, or a date); None when it asks for none.

    At most an hour: a server that is back earlier, or whose clock is wrong, must not be waited for any longer.
    """
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:_LONGEST_NUMBER]), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if until.tzinfo is None:  # "-0000", or no zone at all: HTTP knows only GMT
        from datetime import UTC

        until = until.replace(tzinfo=UTC)
    return min(max(0.0, until.timestamp() - now), _LONGEST_WAIT)
