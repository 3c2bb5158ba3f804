"""docs/settings.md says what there is, and nothing that there is not."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from logyard.settings import DrainSettings, FileSettings, Settings, examine_settings
from logyard.settings.reading import leaves, parse_file, read_settings

DOCUMENT = (Path(__file__).parents[2] / "docs/settings.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, list[str]]:
    """The table below a heading: first cell to all cells."""
    (section,) = re.findall(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    table = [
        [cell.strip() for cell in line.strip("| ").split(" |")]
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    return {cells[0].strip("`"): cells for cells in table}


SECTIONS = {
    "": "General",
    "redis": "`[redis]`",
    "agent": "`[agent]`",
    "server": "`[server]`",
    "retention": "`[retention]`",
}


@pytest.mark.parametrize("name", leaves())
def test_every_setting_is_described_with_its_variable(name: str) -> None:
    section, _, key = name.rpartition(".")
    cells = rows(SECTIONS[section])[key]
    assert f"`LOGYARD_{name.upper().replace('.', '_')}`" in cells


@pytest.mark.parametrize(
    ("heading", "section"), [("`[[agent.files]]`", FileSettings), ("`[drains.NAME]`", DrainSettings)]
)
def test_every_key_of_a_table_is_described(heading: str, section: type) -> None:
    described = set(rows(heading)) - {row for row in rows(heading) if re.search(r"[/=-]", row)}
    assert described == {each.name for each in dataclasses.fields(section)}


def test_nothing_is_described_that_does_not_exist() -> None:
    for section, heading in SECTIONS.items():
        for key in rows(heading):
            assert f"{section}.{key}".lstrip(".") in leaves()


@pytest.mark.parametrize("name", [name for name in leaves() if name.split(".")[0] in {"agent", "server", "retention"}])
def test_defaults_and_examples_are_as_described(name: str) -> None:
    section, _, key = name.rpartition(".")
    cells = rows(SECTIONS[section])[key]
    default, example = cells[2].strip("`"), cells[-1].strip("`")
    assert value_of(name, example) is not None
    if re.fullmatch(r'".*"|[\d.]+|true|false', default):
        assert value_of(name, default) == getattr(getattr(Settings(), section), key)


def value_of(name: str, toml: str) -> object:
    settings, problems = read_settings(parse_file(Path("x"), f"{name} = {toml}".encode()), {})
    others = [problem for problem in problems if "stream_bytes, which" not in str(problem)]
    assert others == []
    section, _, key = name.rpartition(".")
    return getattr(getattr(settings, section), key)


def test_the_example_is_right(tmp_path: Path) -> None:
    (example,) = re.findall(r"^A whole file:\n\n```toml\n(.*?)```", DOCUMENT, re.MULTILINE | re.DOTALL)
    path = tmp_path / "logyard.toml"
    path.write_text(example)
    settings, problems = examine_settings(path, {}, {"HOME": "/home/someone"})
    assert problems == []
    assert len(settings.agent.files) == len(settings.drains) == 2
