"""The checkpoint file: written whole, and never trusted blindly."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logyard.agent.checkpoint import Checkpoint, load, save
from logyard.agent.position import Position
from logyard.agent.source import Remembered

START = Position(3, 0, 0, "0" * 16)
SETTLED = Position(3, 100, 100, "a" * 16, "p")


def make(node: str = "node1") -> Checkpoint:
    path = os.fsdecode(b"/x/\xff.log")
    return Checkpoint(node, 42, frozenset({"/x/*.log"}), {"aa": Remembered("sys.x", path, 7, START, SETTLED, 41)})


def test_a_checkpoint_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "sub" / "agent.json"
    save(file, make())
    assert load(file, "node1") == make()
    assert [path.name for path in file.parent.iterdir()] == ["agent.json"]


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert load(tmp_path / "agent.json", "node1") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"version": 9}',
        '{"version": 1, "node": "node1", "time_ns": 1, "patterns": [], "sources": {"a": []}}',
    ],
)
def test_a_damaged_checkpoint_is_said_and_not_used(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "agent.json"
    file.write_text(text)
    assert load(file, "node1") is None
    assert "damaged" in caplog.text


def test_the_checkpoint_of_another_node_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "agent.json"
    save(file, make("other"))
    assert load(file, "node1") is None
    assert "other" in caplog.text


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "agent.json"
    save(file, make())
    (tmp_path / "agent.json.new").mkdir()
    with pytest.raises(OSError):  # noqa: PT011  # whatever the system says
        save(file, make())
    assert load(file, "node1") == make()
