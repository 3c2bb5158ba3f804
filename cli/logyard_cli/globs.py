"""What ``--key`` options select, as globs over keys. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from logyard.errors import UsageError
from logyard.names import stream_globs

__all__ = ["stream_choice"]


def stream_choice(texts: Sequence[str]) -> tuple[str, ...]:
    """The globs that the texts of ``--key`` mean; drains take whole streams.

    Raises:
        UsageError: one of them is no stream, or a single instance.
    """
    globs: list[str] = []
    for text in texts:
        found, instance = stream_globs(text)
        if instance is not None and not text.startswith(("app.", "sys.", "event.")):
            raise UsageError(f"--key {text}: a drain takes whole streams, not single instances")
        globs += (text,) if instance is not None else found
    return tuple(dict.fromkeys(globs))
