"""From batches to what is shown of them: the selected records, their times, and the records around them.

The same for history and for what comes live, so that context goes on where the two meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from logyard.batch import Batch, Selection
from logyard.errors import WireError
from logyard_cli.context import Chosen, Context, Source, source_of
from logyard_cli.renderers import Part

__all__ = ["Picking"]


@dataclass(slots=True)
class Picking:
    """What is picked out of batches.

    Attributes:
        accepts: whether a batch is shown at all.
        part: makes a part of records (raises `WireError` when the batch is damaged).
        since_ns, until_ns: only records from then on, and before then; None for no limit.
        unreadable: told about each batch that cannot be read.
        select: which records of a selection; None for all.
        context: adds the records around; None for none.
        first: for each stream the entry and the position of the first record that may count as a match; earlier ones
            are at best context.
        read: how many records were looked at.
    """

    accepts: Callable[[Batch], bool]
    part: Callable[[Selection], Part]
    since_ns: int | None
    unreadable: Callable[[WireError], None]
    until_ns: int | None = None
    select: Callable[[Selection], Selection | None] | None = None
    context: Context | None = None
    first: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    read: int = 0
    _groups: dict[Source, tuple[int, int]] = field(default_factory=dict)

    def matches(self, selection: Selection) -> Part | None:
        """The records that are looked for, None when there are none or they cannot be read."""
        try:
            return self._matches(selection)
        except WireError as error:
            self.unreadable(error)
            return None

    def parts(self, selection: Selection) -> list[Part]:
        """The records that are shown: those looked for, and those around them."""
        if self.context is None:
            part = self.matches(selection)
            return [] if part is None else [part]
        try:
            if not self.accepts(selection.batch):
                return []
            part = self._matches(selection)
            around = self.context.around(selection, [] if part is None else self._counted(part.selection))
            return [self._grouped(chosen) for chosen in around]
        except WireError as error:
            self.unreadable(error)
            return []

    def _matches(self, selection: Selection) -> Part | None:
        if not self.accepts(selection.batch):
            return None
        self.read += selection.count
        found = selection if self.select is None else self.select(selection)
        return None if found is None else self._within(self.part(found))

    def _within(self, part: Part) -> Part | None:
        """The records within the limits of time."""
        since, until = self.since_ns, self.until_ns
        if (since is None or min(part.order) >= since) and (until is None or max(part.order) < until):
            return part
        kept = [
            at
            for at, moment in enumerate(part.order)
            if (since is None or moment >= since) and (until is None or moment < until)
        ]
        if not kept:
            return None
        positions = part.selection.positions
        return Part(
            Selection(part.selection.batch, kept if positions is None else [positions[at] for at in kept]),
            [part.times[at] for at in kept],
            [part.order[at] for at in kept],
        )

    def _counted(self, selection: Selection) -> Sequence[int]:
        batch = selection.batch
        positions = range(batch.count) if selection.positions is None else selection.positions
        first = self.first.get(batch.key)
        if first is None:
            return positions
        if _order(batch.entry) < _order(first[0]):
            return []
        return [position for position in positions if position >= first[1]] if batch.entry == first[0] else positions

    def _grouped(self, chosen: Chosen) -> Part:
        """A part in which records that follow each other directly are merged as one, at the time of the first."""
        part = self.part(chosen.selection)
        source = source_of(chosen.selection.batch)
        number, moment = self._groups.get(source, (-2, 0))
        order = []
        for own, at in zip(part.order, chosen.numbers, strict=True):
            if at != number + 1:
                moment = own
            number = at
            order.append(moment)
        self._groups[source] = (number, moment)
        return Part(part.selection, part.times, order, chosen.matched, chosen.numbers)


def _order(entry: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry.partition("-")
    return int(milliseconds or 0), int(sequence or 0)
