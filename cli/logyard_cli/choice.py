"""Which streams, and which instances in them, the user's STREAM arguments select. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logyard.names import key_matches, stream_globs
from logyard_cli.near import did_you_mean

if TYPE_CHECKING:
    from logyard.batch import Batch

__all__ = ["StreamChoice", "known_names"]


@dataclass(frozen=True, slots=True)
class _One:
    """One argument: as it was written, its globs and its instance."""

    text: str
    globs: tuple[str, ...]
    instance: str | None

    def selects(self, key: str) -> bool:
        return key_matches(key, self.globs)

    def whole(self, key: str) -> bool:
        """Whether all of the stream is selected, not only an instance's records."""
        return self.instance is None or key.endswith(f".{self.instance}")

    @property
    def plain(self) -> bool:
        return not re.search(r"[*?\[]", self.text)


class StreamChoice:
    """The streams that any of the arguments selects; all streams when there are none.

    Args:
        texts: see `logyard.names.stream_globs`.
        excluded: the same for what is taken away again.

    Raises:
        UsageError: one of them is no stream.
    """

    def __init__(self, texts: Sequence[str], excluded: Sequence[str] = ()) -> None:
        self._ones = tuple(_One(text, *stream_globs(text)) for text in texts)
        self._excluded = tuple(_One(text, *stream_globs(text)) for text in excluded)
        self._instances: dict[str, frozenset[str] | None] = {}

    def selects(self, key: str) -> bool:
        """Whether the stream, or a part of it, is selected."""
        if any(one.selects(key) and one.whole(key) for one in self._excluded):
            return False
        return not self._ones or any(one.selects(key) for one in self._ones)

    def accepts(self, batch: Batch) -> bool:
        """Whether the batch, of a selected stream, is of a selected instance."""
        key = batch.key
        if self._excluded and any(one.selects(key) and one.instance == batch.instance for one in self._excluded):
            return False
        try:
            instances = self._instances[key]
        except KeyError:
            instances = self._instances[key] = self._instances_of(key)
        return instances is None or batch.instance in instances

    def _instances_of(self, key: str) -> frozenset[str] | None:
        selecting = [one for one in self._ones if one.selects(key)]
        if not selecting or any(one.whole(key) for one in selecting):
            return None
        return frozenset(one.instance for one in selecting if one.instance is not None)

    def unmatched(self, keys: Iterable[str], *, plain: bool = False) -> list[str]:
        """The arguments that select none of ``keys``.

        Args:
            plain: only those that are names, not globs.
        """
        known = list(keys)
        return [one.text for one in self._ones if not (plain and not one.plain) and not any(map(one.selects, known))]

    def hint(self, keys: Sequence[str]) -> str:
        """What to say about arguments that select nothing: one sentence with near names; "" when all select some."""
        missing = self.unmatched(keys)
        if not missing:
            return ""
        if not keys:
            return f"no stream matches {' or '.join(map(repr, missing))}: there are no streams yet"
        return "; ".join(f"no stream matches {text!r}{did_you_mean(text, known_names(keys, text))}" for text in missing)


def known_names(keys: Iterable[str], like: str = "") -> list[str]:
    """What a user may write for these streams: names without their kind, unless ``like`` has a kind itself."""
    if like.partition(".")[0] in {"app", "sys", "event"} and "." in like:
        return list(keys)
    return list(dict.fromkeys(key.partition(".")[2] or key for key in keys))
