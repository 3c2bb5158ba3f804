"""What all tests share: the ``needs`` marker, and the output of started programs beside a failure."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.servers.processes import Processes, running
from tests.servers.requirements import missing, require

# The same examples each time, on any machine; `LOGYARD_TEST_EXPLORE=1 make test` looks for new ones.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.load_profile("explore" if os.environ.get("LOGYARD_TEST_EXPLORE") else "same")

# A module comes after those that it imports: pytest rewrites assertions only in what is not yet imported.
pytest_plugins = [
    "tests.servers.certificates",
    "tests.servers.elasticsearch",
    "tests.servers.home",
    "tests.servers.old_redis",
    "tests.servers.redis",
    "tests.servers.syslog_peers",
    "tests.servers.syslog_receiver",
    "tests.servers.topologies",
    "tests.servers.users",
]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Starts programs for one test and stops them after it."""
    started = Processes(tmp_path)
    yield started
    started.end()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A misspelt requirement stops the run instead of skipping a test for ever."""
    for item in items:
        for marker in item.iter_markers("needs"):
            for what in marker.args:
                missing(what)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        require(*marker.args)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for process in running():
            state = "runs" if process.alive else f"ended with {process.exit_code}"
            report.sections.append((f"{process.name} (pid {process.pid}, {state})", process.output()))
    return report
