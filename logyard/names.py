"""Names of streams, and what selects them.

A stream's key is ``app.<application>``, ``sys.<process>`` or ``event.<type>``; names consist of letters,
digits and ``-_.``, anything else is replaced by ``-``.
"""

from __future__ import annotations

import fnmatch
import re
import zlib
from collections.abc import Iterable
from functools import lru_cache

from logyard.errors import UsageError

__all__ = ["KINDS", "application_of", "clean_name", "key_matches", "make_key", "partition_of", "stream_globs"]

KINDS = ("app", "sys", "event")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_GLOB = re.compile(r"[*?\[]")
MAX_NAME = 200


def clean_name(name: str) -> str:
    """``name`` as part of a key: other characters than letters, digits and ``-_.`` become one ``-``.

    Raises:
        UsageError: nothing is left of it.
    """
    cleaned = _UNSAFE.sub("-", name.strip()).strip("-")[:MAX_NAME]
    if not cleaned.strip("."):
        raise UsageError(f"{name!r} is not a name: use letters, digits and -_.")
    return cleaned


def make_key(text: str) -> str:
    """The key that a user's ``text`` means: ``sys.nginx`` stays, ``nginx`` becomes ``sys.nginx``."""
    kind, dot, name = text.partition(".")
    if dot and kind in KINDS:
        return f"{kind}.{clean_name(name)}"
    return f"sys.{clean_name(text)}"


def application_of(key: str) -> str | None:
    """The application's name in an ``app.*`` key, else None."""
    return key[4:] if key.startswith("app.") else None


@lru_cache(maxsize=1024)
def _glob_pattern(glob: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(glob))


def key_matches(key: str, globs: Iterable[str]) -> bool:
    """Whether ``key`` matches one of the globs (case matters); no globs match every key."""
    empty = True
    for glob in globs:
        empty = False
        if _glob_pattern(glob).match(key):
            return True
    return empty


def stream_globs(text: str) -> tuple[tuple[str, ...], str | None]:
    """What a user's STREAM means: globs over keys, and an instance or None.

    ``app.web`` and ``sys.*`` are a key and a glob of keys; ``web`` is ``app.web`` and ``sys.web`` (and
    ``event.web``); ``web.3`` and ``app.web.3`` are instance 3 of ``app.web``, or a stream of just that name.

    Raises:
        UsageError: the text is empty or holds characters that no key has.
    """
    if not text or re.search(r"[^A-Za-z0-9._*?\[\]!-]", text):
        raise UsageError(
            f"{text!r} is not a stream: give a key (app.web), a glob (sys.*), a name (web) or an instance (web.3)"
        )
    kind, dot, _ = text.partition(".")
    if dot and kind in KINDS:
        head, _, tail = text.rpartition(".")
        instance = tail if tail.isdigit() and head.startswith("app.") else None
        return ((text,) if instance is None else (text, head), instance)
    if _GLOB.search(text):
        return tuple(f"{kind}.{text}" for kind in KINDS) if "." not in text or not text.startswith("*") else (
            text,
        ), None
    head, dot, tail = text.rpartition(".")
    if dot and tail.isdigit():
        return (f"app.{head}", *(f"{kind}.{text}" for kind in KINDS)), tail
    return tuple(f"{kind}.{text}" for kind in KINDS), None


def partition_of(key: str, partitions: int) -> int:
    """The partition of a stream: CRC-32 of its key modulo the number of partitions."""
    return zlib.crc32(key.encode()) % partitions if partitions > 1 else 0
