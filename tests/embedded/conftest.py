"""The embedded server under a supervisor, as ``logyard up`` runs it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from logyard.datadir import claim, prepare
from logyard.server.embedded import embedded_url, server_child
from logyard.settings import EmbeddedSettings
from logyard.supervisor import Supervisor, supervise

SETTINGS = EmbeddedSettings(maxmemory=64 << 20)


@pytest.fixture(autouse=True)
def runtime_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short XDG_RUNTIME_DIR of the test's own."""
    folder = Path(tempfile.mkdtemp(prefix="ly-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    shutil.rmtree(folder)


@contextlib.asynccontextmanager
async def embedded(data_dir: Path, settings: EmbeddedSettings = SETTINGS) -> AsyncIterator[tuple[str, Supervisor]]:
    """The address of a server in ``data_dir``, and its supervisor."""
    data_dir = prepare(data_dir)
    with claim(data_dir) as lock:
        async with supervise() as supervisor:
            await supervisor.start(server_child(data_dir, settings, lock))
            yield embedded_url(data_dir), supervisor
