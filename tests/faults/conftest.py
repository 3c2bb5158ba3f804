"""A pipeline whose parts die, and destinations that go away."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.pipeline import Pipeline
from tests.servers.processes import Processes
from tests.servers.redis import RedisServer


@pytest.fixture
def pipeline(own_valkey: RedisServer, processes: Processes, tmp_path: Path) -> Pipeline:
    """A server of its own and nothing else running yet."""
    return Pipeline(own_valkey, processes, tmp_path)
