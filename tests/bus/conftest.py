from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from logyard.server import Server, connect
from tests.servers.redis import RedisServer


@pytest.fixture
async def server(valkey: RedisServer) -> AsyncIterator[Server]:
    async with connect(valkey.url) as connected:
        yield connected
