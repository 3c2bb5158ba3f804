from __future__ import annotations

import io

import pytest

from logyard_cli import progress
from logyard_cli.progress import Progress, progress_line


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_how_far_it_is() -> None:
    assert progress_line(250_000, 1_000_000, 12, 0.5) == (
        "25 %  250,000 records read, 12 matched, 500,000 a second, about 1.5 s left"
    )
    assert progress_line(10, 0, 0, 0) == "100 %  10 records read, 0 matched, 0 a second"


def test_nothing_is_said_in_the_first_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    stream = Tty()
    told = Progress(wanted=True, stream=stream)
    now[0] += 0.9
    told.tell(1, 2, 0)
    assert stream.getvalue() == ""
    now[0] += 0.2
    told.tell(1, 2, 0)
    told.tell(2, 2, 0)  # too soon for another one
    assert stream.getvalue().count("records read") == 1
    told.end()
    assert stream.getvalue().endswith("\r\x1b[K")
    now[0] += 10
    told.tell(2, 2, 0)
    assert stream.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize("stream", [io.StringIO(), Tty()])
def test_nothing_is_said_where_nobody_looks(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PATIENCE", 0)
    told = Progress(wanted=not stream.isatty(), stream=stream)
    told.tell(1, 2, 0)
    told.end()
    assert stream.getvalue() == ""
