"""What is made with the part in C held against what is made without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from logyard import native
from logyard.batch import Selection
from tests.formats.sample_batches import SYSTEM, batch_of, whole

__all__ = ["both", "selections"]


def both(make: Callable[[], Any]) -> tuple[Any, Any]:
    """What is made with the part in C, and without."""
    with_it = make()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "module", None)
        return with_it, make()


def selections(records: list[bytes]) -> list[Selection]:
    """All records of a batch, and some of them; of an application, and of a file."""
    odd = list(range(1, len(records), 2))
    system = whole(*records, **SYSTEM, partial=True)
    return [whole(*records), Selection(batch_of(*records), odd), system, Selection(system.batch, odd)]
