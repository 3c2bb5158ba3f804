"""Records as bodies of requests: how many fit into one, and what is known when one of several fails. No IO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from logyard.errors import DrainError, PartialFailure

__all__ = ["Outcome", "Part", "pack"]


@dataclass(frozen=True, slots=True)
class Part:
    """A request's body, in pieces, and how many records it holds. The parts of a send hold its records in order."""

    pieces: Sequence[bytes]
    count: int


def pack(
    documents: Sequence[bytes],
    most: int,
    *,
    before: bytes = b"",
    between: bytes = b"\n",
    after: bytes = b"",
    most_records: int | None = None,
) -> list[Part]:
    """Documents as bodies of at most ``most`` bytes, in order; a document that is larger is alone in its body.

    Args:
        documents: one for each record.
        before, between, after: what a body begins with, what stands between two documents, what it ends with.
        most_records: how many go into a body.
    """
    parts: list[Part] = []
    around = len(before) + len(after)
    size, start = around, 0
    whole = around + sum(map(len, documents)) + len(between) * max(0, len(documents) - 1)
    if whole <= most and (most_records is None or len(documents) <= most_records):
        return [Part([before + between.join(documents) + after], len(documents))] if documents else []
    for index, document in enumerate(documents):
        added = len(document) + (len(between) if index > start else 0)
        if index > start and (size + added > most or index - start == most_records):
            parts.append(Part([before + between.join(documents[start:index]) + after], index - start))
            size, start = around, index
            added = len(document)
        size += added
    parts.append(Part([before + between.join(documents[start:]) + after], len(documents) - start))
    return parts


@dataclass(slots=True)
class Outcome:
    """What became of the parts of one send.

    Attributes:
        refused: positions of records to the reason why the destination will never take them.
        again: positions of records that have to be sent again.
        delivered: how many records the destination has.
        error: the first one.
    """

    refused: dict[int, str] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)
    delivered: int = 0
    error: DrainError | None = None

    def failed(self, positions: range, error: DrainError, *, for_good: bool) -> None:
        """A part failed; ``for_good``: it is one record, which the destination will never take."""
        self.error = self.error or error
        if for_good:
            self.refused[positions.start] = str(error)
        else:
            self.again.update(positions)

    def raise_failure(self) -> None:
        """Tell what did not arrive.

        Raises:
            PartialFailure: when something arrived or was refused for good.
            DrainError: what the server, or the way to it, answered, when nothing did.
        """
        if self.error is None:
            return
        if self.again and not self.delivered and not self.refused:
            raise self.error
        raise PartialFailure(str(self.error), self.refused, frozenset(self.again))
