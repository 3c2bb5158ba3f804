"""A place to test in as a user whom permissions stop: root may read and write everything."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["unprivileged"]

NOBODY = 65534


@pytest.fixture
def unprivileged(tmp_path: Path) -> Iterator[Path]:
    """A folder of a user other than root, whom this process is during the test."""
    if os.geteuid() != 0:
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="logyard-test-"))  # nobody else may look into `tmp_path`
    os.chown(folder, NOBODY, NOBODY)
    os.setresgid(NOBODY, NOBODY, 0)
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield folder
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        shutil.rmtree(folder)
