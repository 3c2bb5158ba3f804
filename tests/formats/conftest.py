"""Formats are tested with the part of logyard that is in C, and without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from logyard import native
from tests.servers.requirements import require


@pytest.fixture(params=["native", "python"], scope="module", autouse=True)
def writer(request: pytest.FixtureRequest) -> Iterator[None]:
    """Who writes documents around lines."""
    if request.param == "native":
        require("native")
        yield
    else:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(native, "module", None)
            yield
