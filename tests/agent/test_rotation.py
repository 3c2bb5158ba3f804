"""Which files a rotation made, and which of them hold something to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from logyard.agent.position import Position
from logyard.agent.rotation import Age, Candidate, Listing, Sibling, by_age, is_newer, is_rotated, original_name, plan


@pytest.mark.parametrize(
    ("name", "original", "rotated"),
    [
        ("app.log.1", "app.log", True),
        ("app.log.12", "app.log", True),
        ("app.log-20240131", "app.log", True),
        ("app.log-20240131-1706659200", "app.log", True),
        ("app.log.2024-01-31", "app.log", True),
        ("app.log.2024-01-31_12-00-05", "app.log", True),
        ("app.log.old", "app.log", True),
        ("app.1.log", "app.log", True),
        ("app-2024-01-31-1.log", "app.log", True),
        ("app-20240131.log", "app.log", True),
        ("syslog.1", "syslog", True),
        ("app.log", "app.log", False),
        ("app.log.lock", "app.log", False),
        ("app.log.1.tmp", "app.log", False),
        ("app.log-errors", "app.log", False),
        ("app-errors.log", "app.log", False),
        ("app-1.log", "app.log", False),
        ("app2.log", "app.log", False),
        ("worker-1", "worker", False),
    ],
)
def test_names_that_rotations_make(name: str, original: str, rotated: bool) -> None:
    assert is_rotated(name, original) is rotated


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("app.log.1", "app.log"),
        ("app.log-20240131", "app.log"),
        ("syslog.2024-01-31", "syslog"),
        ("app.log", None),
        ("app-20240131.log", None),
        ("worker-1", None),
    ],
)
def test_the_name_that_a_rotated_file_had(name: str, original: str | None) -> None:
    assert original_name(name) == original


def test_a_listing_finds_the_files_beside_a_path(tmp_path: Path) -> None:
    for name in ["app.log", "app.log.1", "app.log.2.gz", "app.log.save", "app2.log", "app.1.log", "apple.log", "zzz"]:
        (tmp_path / name).write_text("x")
    (tmp_path / "app.log.d").mkdir()
    (tmp_path / "app.log.3").symlink_to("app.log.1")
    found = Listing(str(tmp_path)).siblings("app.log")
    assert {one.name: one.rotated for one in found} == {"app.log.1": True, "app.log.save": False, "app.1.log": True}


def test_a_directory_that_is_gone_has_no_siblings(tmp_path: Path) -> None:
    assert Listing(str(tmp_path / "nowhere")).siblings("app.log") == []


def sibling(number: int, *, age: int, size: int = 100, rotated: bool = True) -> Sibling:
    return Sibling(f"app.log.{number}", 1, number, size, 1000 - age, rotated=rotated)


def at(offset: int) -> Position:
    return Position(0, offset, 0, "0" * 16)


def chosen(candidates: list[Candidate], read: list[Age], *, rotated: bool) -> list[tuple[str, int | None]]:
    made = plan(candidates, read, rotated=rotated, recent_ns=10_000)
    return [(one.sibling.name, None if place is None else place.offset) for one, place in made]


def test_the_rest_of_known_files_is_read_oldest_first() -> None:
    candidates = [
        Candidate(sibling(1, age=1), known=at(40)),
        Candidate(sibling(2, age=2), known=at(100)),
        Candidate(sibling(3, age=3), known=at(50)),
    ]
    assert chosen(candidates, [], rotated=False) == [("app.log.3", 50), ("app.log.1", 40)]


def test_a_known_file_that_may_get_late_lines_is_followed() -> None:
    old, recent = sibling(2, age=10), sibling(1, age=5)
    candidates = [Candidate(old, known=at(100)), Candidate(recent, known=at(100))]
    made = plan(candidates, [], rotated=False, recent_ns=recent.mtime_ns)
    assert [one.sibling for one, _ in made] == [recent]


def test_files_that_came_and_went_between_two_looks_are_read_from_the_beginning() -> None:
    candidates = [
        Candidate(sibling(1, age=1)),
        Candidate(sibling(2, age=2)),
        Candidate(sibling(3, age=3), known=at(100)),
        Candidate(sibling(4, age=4)),
    ]
    assert chosen(candidates, [], rotated=True) == [("app.log.2", None), ("app.log.1", None)]


def test_of_files_of_the_same_time_the_lower_number_is_newer() -> None:
    candidates = [
        Candidate(sibling(1, age=5)),
        Candidate(sibling(2, age=5), known=at(100)),
        Candidate(sibling(3, age=5)),
    ]
    assert chosen(candidates, [], rotated=True) == [("app.log.1", None)]


def test_old_files_are_not_read_when_nobody_has_read_any_of_them() -> None:
    assert chosen([Candidate(sibling(1, age=1)), Candidate(sibling(2, age=2))], [], rotated=True) == []


def test_unknown_files_are_not_read_when_nothing_was_rotated() -> None:
    candidates = [Candidate(sibling(1, age=1)), Candidate(sibling(2, age=2), known=at(50))]
    assert chosen(candidates, [], rotated=False) == [("app.log.2", 50)]


def test_unknown_files_newer_than_one_that_is_followed_are_read() -> None:
    candidates = [Candidate(sibling(1, age=1)), Candidate(sibling(2, age=9))]
    assert chosen(candidates, [Age(1000 - 5)], rotated=True) == [("app.log.1", None)]


def test_copies_of_known_files_strange_names_and_empty_files_are_not_read() -> None:
    candidates = [
        Candidate(sibling(1, age=1), double=True),
        Candidate(sibling(2, age=2, rotated=False)),
        Candidate(sibling(3, age=3, size=0)),
        Candidate(sibling(4, age=4), known=at(100)),
    ]
    assert chosen(candidates, [], rotated=True) == []


def test_a_copy_of_an_emptied_file_is_followed_from_where_that_was_read() -> None:
    candidates = [
        Candidate(sibling(1, age=1)),
        Candidate(sibling(2, age=2), copied=at(100)),
        Candidate(sibling(3, age=3)),
    ]
    assert chosen(candidates, [], rotated=True) == [("app.log.2", 100), ("app.log.1", None)]


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (Age(2, "app.log.1"), Age(1, "app.log.2")),
        (Age(1, "app.log.1"), Age(2, "app.log.2")),
        (Age(1, "app.log.9"), Age(2, "app.log.10")),
        (Age(1, "app.1.log"), Age(2, "app.2.log")),
        (Age(1, "app.log-20240131"), Age(2, "app.log-20240130")),
        (Age(1, "app.log.2024-01-31"), Age(2, "app.log.2024-01-30")),
        (Age(2, "app.log.old"), Age(1, "app.log.1")),
        (Age(2, "app.log.1"), Age(1)),
        (Age(2), Age(1, "app.log.1")),
    ],
)
def test_names_say_more_about_the_age_than_times(newer: Age, older: Age) -> None:
    assert is_newer(newer, older)
    assert not is_newer(older, newer)
    assert sorted([newer, older], key=by_age) == [older, newer]
