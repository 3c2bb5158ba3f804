"""The records around those that were looked for, as ``grep -B -A`` shows them. Pure.

Context comes from the same source: the same stream, node, instance and file. Records are numbered in each source in the
order in which they come, so that whoever shows them knows which follow each other directly (`Neighbours`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from logyard.batch import Batch, Selection

__all__ = ["Chosen", "Context", "Neighbours", "Source", "source_of"]

Source = tuple[str, str, str | None, str]


def source_of(batch: Batch) -> Source:
    """What tells the sources of batches apart."""
    return batch.key, batch.node, batch.instance, batch.source


@dataclass(frozen=True, slots=True)
class Chosen:
    """Records to show.

    Attributes:
        selection: matches and their context.
        matched: which of them are matches.
        numbers: of each, in its source.
    """

    selection: Selection
    matched: Sequence[bool]
    numbers: Sequence[int]


@dataclass(slots=True)
class _Seen:
    """A source: how many records have come, the last ones that were not shown, and how many more are to be shown."""

    number: int = 0
    held: deque[Batch] = field(default_factory=deque)
    owed: int = 0


class Context:
    """Adds the records before and after each match; remembers what it must from batch to batch.

    Args:
        before, after: how many records.
    """

    def __init__(self, before: int, after: int) -> None:
        self._before = before
        self._after = after
        self._seen: dict[Source, _Seen] = {}

    def around(self, everything: Selection, matches: Sequence[int]) -> list[Chosen]:
        """What to show of the next records of their source, and of those held back before them.

        Args:
            everything: the records, matching or not: the batch, or all of it from a record on.
            matches: positions in the batch of those that match, ascending; a subset of ``everything``.

        Raises:
            WireError: the batch is damaged.
        """
        batch = everything.batch
        start = everything.positions[0] if everything.positions else 0
        count = batch.count - start
        seen = self._seen.setdefault(source_of(batch), _Seen())
        first = seen.number
        seen.number += count
        hits = [position - start for position in matches]
        out: list[Chosen] = []
        if hits and hits[0] < self._before and not seen.owed:
            out = self._from_held(seen, first, self._before - hits[0])
        shown = self._shown(seen, hits, count)
        if shown:
            found = set(hits)
            selection = Selection(batch, [start + at for at in shown])
            out.append(Chosen(selection, [at in found for at in shown], [first + at for at in shown]))
            seen.held.clear()
        if self._before:
            kept = max(shown[-1] + 1 if shown else 0, count - self._before)
            if kept < count:
                self._hold(seen, batch, start + kept)
        return out

    def _shown(self, seen: _Seen, hits: Sequence[int], count: int) -> list[int]:
        """Which of ``count`` records are shown; notes how many of those to come are owed."""
        shown: list[int] = list(range(min(seen.owed, count)))
        seen.owed -= len(shown)
        end = len(shown)  # behind the last one that is shown
        for hit in hits:
            stop = min(count, hit + self._after + 1)
            shown += range(max(end, hit - self._before), stop)
            end = max(end, stop)
            seen.owed = max(0, hit + self._after + 1 - count)
        return shown

    def _from_held(self, seen: _Seen, first: int, wanted: int) -> list[Chosen]:
        """The last ``wanted`` of the records that were held back."""
        out: list[Chosen] = []
        number = first
        for kept in reversed(seen.held):
            taken = min(wanted, kept.count)
            if not taken:
                break
            number -= taken
            wanted -= taken
            selection = Selection(kept, list(range(kept.count - taken, kept.count)))
            out.append(Chosen(selection, [False] * taken, range(number, number + taken)))
        seen.held.clear()
        return out[::-1]

    def _hold(self, seen: _Seen, batch: Batch, start: int) -> None:
        """Hold back the batch's records from ``start`` on: copies, so that a line pins no block."""
        lines = batch.lines[start:]
        offset = batch.first if not start else batch.last - sum(len(line) + 1 for line in lines) + batch.partial
        held = seen.held
        held.append(_copy(batch, lines, offset))
        count = sum(kept.count for kept in held)
        while count - held[0].count >= self._before:
            count -= held.popleft().count


def _copy(batch: Batch, lines: Sequence[bytes], offset: int) -> Batch:
    return Batch(
        key=batch.key,
        node=batch.node,
        source=batch.source,
        time_ns=batch.time_ns,
        count=len(lines),
        origin=batch.origin,
        first=offset,
        last=batch.last,
        block=batch.separator.join(lines),
        app=batch.app,
        instance=batch.instance,
        separator=batch.separator,
        cut=batch.cut,
        partial=batch.partial,
        entry=batch.entry,
        total=batch.total,
    )


class Neighbours:
    """Where a line belongs between two records that are shown one after the other: they are no neighbours."""

    def __init__(self) -> None:
        self._last: tuple[Source, int] | None = None

    def apart(self, source: Source, number: int) -> bool:
        """Whether this record, shown next, does not directly follow the one shown before it."""
        last, self._last = self._last, (source, number)
        return last is not None and (last[0] != source or last[1] + 1 != number)
