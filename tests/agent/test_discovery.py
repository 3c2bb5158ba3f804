"""Finding files: by patterns, once a directory, whatever else lies there."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logyard.agent.discovery import Directory, Tree
from logyard.agent.rules import FileRule, Pattern

MakeTree = Callable[..., tuple[Tree, list[str]]]


@pytest.fixture
def make_tree(tmp_path: Path) -> MakeTree:
    """A tree for patterns below tmp_path, and the list of directories that it wants to be watched."""

    def make(*patterns: str) -> tuple[Tree, list[str]]:
        watched: list[str] = []

        def watch(directory: Directory) -> None:
            if directory.waits:
                watched.append(directory.path)

        return Tree([Pattern(FileRule(f"{tmp_path}/{pattern}")) for pattern in patterns], watch), watched

    return make


def found(directories: list[Directory], root: Path) -> dict[str, str]:
    """Path of each file found, relative to ``root``, and its rule's pattern."""
    return {
        directory.join(name).removeprefix(f"{root}/"): file.pattern.path.removeprefix(f"{root}/")
        for directory in directories
        for name, file in directory.files.items()
    }


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def test_files_belong_to_the_first_pattern_that_means_them(tmp_path: Path, make_tree: MakeTree) -> None:
    touch(tmp_path, "a.log", "b.log", "c.txt")
    tree, _ = make_tree("b.log", "*.log", "a.log")
    assert found(tree.scan(), tmp_path) == {"a.log": "*.log", "b.log": "b.log"}


def test_directories_are_found_by_groups_and_globs(tmp_path: Path, make_tree: MakeTree) -> None:
    touch(tmp_path, "web/0/stdout.log", "web/1/stderr.log", "db/0/stdout.log", "db/x.log", "web/0/deep/no.log")
    tree, _ = make_tree("{app}/{instance}/{source}.log")
    assert set(found(tree.scan(), tmp_path)) == {"web/0/stdout.log", "web/1/stderr.log", "db/0/stdout.log"}


def test_two_stars_mean_any_depth_but_no_links_and_no_hidden_ones(tmp_path: Path, make_tree: MakeTree) -> None:
    touch(tmp_path, "a.log", "x/b.log", "x/y/z/c.log", ".git/d.log")
    (tmp_path / "x" / "circle").symlink_to(tmp_path)
    tree, _ = make_tree("**/*.log")
    assert set(found(tree.scan(), tmp_path)) == {"a.log", "x/b.log", "x/y/z/c.log"}


def test_links_to_files_and_directories_are_followed(tmp_path: Path, make_tree: MakeTree) -> None:
    touch(tmp_path, "real/a.log")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "b.log").symlink_to("real/a.log")
    (tmp_path / "broken.log").symlink_to("nowhere")
    tree, _ = make_tree("*.log", "li*/*.log")
    directories = tree.scan()
    assert set(found(directories, tmp_path)) == {"b.log", "link/a.log"}
    inode = (tmp_path / "real/a.log").stat().st_ino
    assert {file.inode for one in directories for file in one.files.values()} == {inode}


def test_what_is_no_text_file_is_skipped_with_one_warning(
    tmp_path: Path, make_tree: MakeTree, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, "a.log", "a.log.1.gz", "a.log.2.gz", "a.log.3.zst", "a.log.4.xz", "a.log.5.bz2", "sub/x")
    os.mkfifo(tmp_path / "pipe")
    tree, _ = make_tree("*")
    for _ in range(3):
        assert set(found(tree.scan(), tmp_path)) == {"a.log"}
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(messages) == 3
    for what in ("is compressed", "is a directory", "is not a regular file"):
        assert any(what in message for message in messages)


def test_a_look_at_one_directory_finds_what_is_new_in_and_below_it(tmp_path: Path, make_tree: MakeTree) -> None:
    touch(tmp_path, "web/0/stdout.log")
    tree, _ = make_tree("{app}/{instance}/{source}.log")
    tree.scan()
    touch(tmp_path, "web/1/stdout.log", "db/0/stdout.log")
    assert set(found(tree.look(f"{tmp_path}/web"), tmp_path)) == {"web/1/stdout.log"}
    assert set(found(tree.look(f"{tmp_path}/web/1"), tmp_path)) == {"web/1/stdout.log"}
    assert tree.look(f"{tmp_path}/elsewhere") == []


def test_directories_on_a_fixed_way_are_watched_only_while_it_ends_in_nothing(
    tmp_path: Path, make_tree: MakeTree
) -> None:
    tree, watched = make_tree("logs/app/a.log")
    tree.scan()
    assert watched == [str(tmp_path)]
    watched.clear()
    touch(tmp_path, "logs/app/other")
    assert [one.path for one in tree.look(str(tmp_path))][-1] == f"{tmp_path}/logs/app"
    watched.clear()
    tree.scan()
    assert watched == [f"{tmp_path}/logs/app"]


@pytest.mark.needs("root")
def test_a_name_is_found_in_a_directory_that_may_not_be_listed(tmp_path: Path, make_tree: MakeTree) -> None:
    touch(tmp_path, "closed/a.log")
    (tmp_path / "closed").chmod(0o311)
    for parent in [tmp_path, *tmp_path.parents]:
        if parent.stat().st_uid == 0 and parent != Path("/") and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o011)
    tree, _ = make_tree("closed/a.log", "closed/*.txt")
    os.seteuid(65534)
    try:
        assert set(found(tree.scan(), tmp_path)) == {"closed/a.log"}
    finally:
        os.seteuid(0)


names = st.sampled_from(["a", "b", ".c", "a.log", "b.log", "web"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
parts = st.sampled_from(["a", "b", "*", "**", "*.log", "a.log", "{app}", "[ab]", "?"])
patterns = (
    st.lists(parts, min_size=1, max_size=4)
    .filter(lambda made: made[-1] != "**" and made.count("{app}") < 2)
    .map("/".join)
)


@settings(max_examples=60, deadline=None)
@given(st.sets(paths, max_size=8), patterns)
def test_the_tree_finds_exactly_what_the_pattern_matches(
    tmp_path_factory: pytest.TempPathFactory, there: set[str], pattern: str
) -> None:
    root = tmp_path_factory.mktemp("tree")
    made = set()
    for path in sorted(there):
        if not any(other.startswith(path + "/") for other in there):
            touch(root, path)
            made.add(path)
    compiled = Pattern(FileRule(f"{root}/{pattern}"))
    tree = Tree([compiled], lambda directory: None)
    assert set(found(tree.scan(), root)) == {path for path in made if compiled.matches(f"{root}/{path}")}
