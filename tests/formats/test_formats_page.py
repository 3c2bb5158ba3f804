"""docs/formats.md shows what the formats really write."""

from __future__ import annotations

from pathlib import Path

import pytest

from logyard.batch import Selection
from logyard.derive.severity import level_value
from logyard.formats import make_format
from logyard.formats.syslog import SyslogFormat
from tests.formats.sample_batches import SYSTEM, whole

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
BLOCKS = [part.removeprefix("json").strip("\n") for part in PAGE.split("```")[1::2]]
RECORDS = whole(*BLOCKS[0].encode().splitlines())


@pytest.mark.parametrize(
    "name",
    [
        "json",
        "ecs",
        "loggly",
        "nested",
        "logfmt",
        "text",
        "template={time} {app}.{instance} {level} {json.msg|text} user={json.user.id}",
    ],
)
def test_the_page_shows_what_a_format_writes(name: str) -> None:
    assert make_format(name).block(RECORDS).decode().strip("\n") in BLOCKS


@pytest.mark.parametrize("arguments", [{"sd_json": ("user.id", "ms")}, {"rfc": 3164}])
def test_the_page_shows_what_syslog_messages_are(arguments: dict[str, object]) -> None:
    each = [Selection(RECORDS.batch, [position]) for position in (0, 1)]
    lines = b"".join(SyslogFormat(**arguments).frames(one, "lf") for one in each)  # type: ignore[arg-type]
    assert lines.decode().strip("\n") in BLOCKS


def test_the_page_shows_the_named_formats() -> None:
    line = make_format("systail").encode(whole(b"2026/11/22 09:30:02 [error] 7#7: *1 open() failed", **SYSTEM))[0]
    assert f"`{line.decode()}`" in PAGE
    event = whole(b'{"desc":"app crashed","process":"dea"}', key="event.crash", app=None, source="sieve")
    assert f"`{make_format('event').encode(event)[0].decode()}`" in PAGE


def test_the_pages_table_of_severities_is_right() -> None:
    rows = [row.strip("| ").split(" | ") for row in PAGE.splitlines() if row.count("|") == 4]
    start = next(index for index, row in enumerate(rows) if row[0] == "severity")
    for name, names, numbers in rows[start + 2 : start + 11]:
        level = level_value(name)
        assert level is not None
        words = names.replace("; in JSON and pairs", ",").replace(";", ",").split(", ")
        assert all(level_value(word) is level for word in words)
        assert all(level_value(int(number)) is level for number in numbers.split("; "))
