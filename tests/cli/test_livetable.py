"""The table that stands still while its numbers change: drawn over itself on a terminal, written anew elsewhere."""

from __future__ import annotations

import json
import re
from datetime import UTC

import pytest

from logyard.batch import Selection
from logyard.errors import UsageError
from logyard.filters import columns, parse_pipes
from logyard.pipes import make_plan
from logyard_cli.livetable import REDRAW_EVERY, SNAPSHOT_EVERY, LiveTable, clipped
from tests.servers.publishing import SECOND, START, make_batch

MINUTE = 60 * SECOND
BEGIN = START // MINUTE * MINUTE


def live(pipes: str, *, terminal: bool = True, output: str = "pretty", colour: bool = False) -> LiveTable:
    plan = make_plan(parse_pipes(pipes)[1])
    return LiveTable(plan, columns, output=output, terminal=terminal, colour=colour, zone=UTC)


def feed(table: LiveTable, *paths: str, at: int = BEGIN) -> None:
    batch = make_batch("app.web", [json.dumps({"path": path}).encode() for path in paths])
    table.feed(Selection(batch), [at] * len(paths))


class Screen:
    """What a terminal shows of what is written to it: as much of it as a table needs."""

    def __init__(self) -> None:
        self.lines = [""]
        self.row = 0

    def write(self, data: bytes) -> list[str]:
        for token in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|\n|\r|[^\x1b\n\r]+", data.decode()):
            self._obey(token)
        return [line for line in self.lines if line]

    def _obey(self, token: str) -> None:
        if token.startswith("\x1b["):
            if token.endswith("A"):
                self.row -= int(token[2:-1])
            elif token == "\x1b[J":
                del self.lines[self.row :]
                self.lines.append("")
            elif token == "\x1b[H":
                self.row = 0
            elif token == "\x1b[2J":
                self.lines = [""]
        elif token == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append("")
        elif token != "\r":
            self.lines[self.row] = token


def test_the_table_is_drawn_over_itself() -> None:
    table, screen = live("| count by path"), Screen()
    feed(table, "/a", "/b", "/b")
    first = screen.write(table.draw(0, BEGIN, 80, 24))
    assert first[:3] == ["path  count", "/b        2", "/a        1"]
    feed(table, "/a", "/a", "/c")
    second = screen.write(table.draw(1, BEGIN, 80, 24))
    assert second[:4] == ["path  count", "/a        3", "/b        2", "/c        1"]
    assert len(second) == 5
    assert second[-1].startswith("6 records")
    assert screen.write(table.final(BEGIN, 80, 24)) == second[:4]


def test_something_else_can_be_said_in_between() -> None:
    table, screen = live("| count by path"), Screen()
    feed(table, "/a")
    screen.write(table.draw(0, BEGIN, 80, 24))
    assert screen.write(table.clear()) == []
    screen.write(b"logyard: reconnected\n")
    assert table.due(0)
    assert screen.write(table.draw(0, BEGIN, 80, 24))[:2] == ["logyard: reconnected", "path  count"]
    assert live("| count").clear() == b""


def test_after_a_resize_the_screen_is_drawn_afresh() -> None:
    table, screen = live("| count by path"), Screen()
    feed(table, "/a")
    screen.write(table.draw(0, BEGIN, 80, 24))
    assert len(screen.write(table.draw(1, BEGIN, 40, 24))) == 3


def test_a_frame_fits_the_screen() -> None:
    table, screen = live("| count by path"), Screen()
    feed(table, *(f"/{'x' * 300}{number}" for number in range(100)))
    shown = screen.write(table.draw(0, BEGIN, 40, 12))
    assert len(shown) < 12
    assert max(map(len, shown)) < 40
    assert any(line.startswith("... and 9") for line in shown)


def test_over_time_the_last_buckets_that_fit_are_shown_up_to_now() -> None:
    table, screen = live("| count by path every 1m"), Screen()
    for minute in range(30):
        feed(table, "/a", at=BEGIN + minute * MINUTE)
    now = BEGIN + 31 * MINUTE
    shown = screen.write(table.draw(0, now, 80, 12))
    assert len(shown) < 12
    assert shown[-2].split()[1:] == ["0"]  # nothing came in the present minute
    assert shown[-4].split()[1:] == ["1"]


def test_buckets_before_the_first_record_are_not_shown_as_empty() -> None:
    table, screen = live("| count every 1m"), Screen()
    feed(table, "/a")
    shown = screen.write(table.draw(0, BEGIN + MINUTE, 80, 24))
    assert [line.split()[1] for line in shown[1:3]] == ["1", "0"]
    assert len(shown) == 4


def test_old_buckets_are_forgotten() -> None:
    table = live("| count every 1m")
    feed(table, "/a")
    table.draw(0, BEGIN + 3000 * MINUTE, 80, 24)
    assert table.table().rows == []


def test_it_is_due_when_something_came_and_not_too_often() -> None:
    table = live("| count")
    assert table.due(0)
    table.draw(0, BEGIN, 80, 24)
    assert not table.due(100)
    feed(table, "/a")
    assert not table.due(REDRAW_EVERY / 2)
    assert table.due(REDRAW_EVERY)


def test_elsewhere_the_whole_table_is_written_from_time_to_time() -> None:
    table = live("| count by path", terminal=False)
    feed(table, "/a")
    first = table.draw(0, BEGIN, 80, 24).decode().splitlines()
    assert first == ["--- 2026-09-21T14:13:00Z", "path  count", "/a        1"]
    feed(table, "/a")
    assert not table.due(SNAPSHOT_EVERY - 1)
    assert table.due(SNAPSHOT_EVERY)
    assert table.draw(SNAPSHOT_EVERY, BEGIN, 80, 24).decode().splitlines()[-1] == "/a        2"
    assert b"\x1b" not in table.final(BEGIN, 80, 24)


def test_programs_get_the_rows_that_changed() -> None:
    table = live("| count by path", terminal=False, output="json")
    feed(table, "/a", "/b")
    assert rows(table.draw(0, BEGIN, 80, 24)) == [{"path": "/a", "count": 1}, {"path": "/b", "count": 1}]
    feed(table, "/b")
    assert rows(table.draw(20, BEGIN, 80, 24)) == [{"path": "/b", "count": 2}]
    assert table.final(BEGIN, 80, 24) == b""


def rows(data: bytes) -> list[object]:
    return [json.loads(line) for line in data.splitlines()]


def test_comma_separated_values_have_their_names_once() -> None:
    table = live("| count by path", terminal=False, output="csv")
    feed(table, "/a")
    written = table.draw(0, BEGIN, 80, 24)
    feed(table, "/a")
    written += table.final(BEGIN, 80, 24)
    assert written.decode().split() == ["path,count", "/a,1", "/a,2"]


def test_a_wrong_column_is_told_before_anything_is_drawn() -> None:
    with pytest.raises(UsageError, match="did you mean count"):
        live("| count by path | sort cuont")


@pytest.mark.parametrize(
    ("line", "width", "expected"),
    [
        ("plain", 10, "plain"),
        ("plain", 3, "pla"),
        ("\x1b[1mbold\x1b[0m text", 6, "\x1b[1mbold\x1b[0m t"),
        ("\x1b[1mbold\x1b[0m", 2, "\x1b[1mbo\x1b[0m"),
        ("日本語", 5, "日本"),
    ],
)
def test_lines_are_cut_without_breaking_their_colours(line: str, width: int, expected: str) -> None:
    assert clipped(line, width) == expected
