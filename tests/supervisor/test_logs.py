"""What processes say about themselves is one line each, whatever is in it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest

from logyard.logs import log_to_stderr


@pytest.fixture(autouse=True)
def _loggers_as_they_were() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("logyard")
    before = (root.handlers[:], root.level, ours.level, logging.raiseExceptions)
    yield
    root.handlers[:], logging.raiseExceptions = before[0], before[3]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def test_a_message_has_time_level_and_process(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("router")
    logging.getLogger("logyard.router").warning("drain %s: away", "archive")
    error = capsys.readouterr().err
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning logyard router: drain archive: away\n", error)


def test_foreign_text_stays_on_its_line_and_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr()
    logging.getLogger("logyard").error("it said: a\nb\x1b[31m é")
    error = capsys.readouterr().err
    assert error.endswith("error logyard: it said: a\\nb\\x1b[31m é\n")
    assert error.count("\n") == 1


def test_other_libraries_are_heard_only_when_they_warn(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr()
    logging.getLogger("other").info("no")
    logging.getLogger("logyard.agent").info("yes")
    logging.getLogger("other").warning("yes")
    assert capsys.readouterr().err.count("yes") == 2


def test_a_bug_shows_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr()
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        logging.getLogger("logyard").exception("a bug")
    assert "Traceback" in capsys.readouterr().err
