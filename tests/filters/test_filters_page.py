"""docs/filters.md says what filters really do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from logyard.filters import compile_filter, parse_query
from logyard.filters.lexing import MAX_DEPTH, MAX_LENGTH
from logyard.filters.parsing import MAX_TERMS
from logyard.filters.pipes import PIPES
from tests.formats.sample_batches import batch_of

PAGE = (Path(__file__).parents[2] / "docs" / "filters.md").read_text()
SAVED = {"failed": "level:>=error OR status>=500"}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its first two lines."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]


def code(cell: str) -> list[str]:
    return [text.replace("\\|", "|") for text in re.findall(r"`([^`]+)`", cell)]


EXAMPLES = rows("Examples")


def test_there_are_at_least_thirty_examples() -> None:
    assert len(EXAMPLES) >= 30


@pytest.mark.parametrize(("written", "record", "passes"), EXAMPLES)
def test_the_examples_are_true(written: str, record: str, passes: str) -> None:
    chosen = compile_filter(code(written)[0], SAVED)
    batch = batch_of(code(record)[0].encode())
    assert passes in {"yes", "no"}
    assert (chosen.select(batch) is not None) is (passes == "yes")
    assert chosen.matches(batch, 0) is (passes == "yes")


@pytest.mark.parametrize("form", [form for row in rows("All forms") for form in code(row[0]) if form not in ">=<=( )"])
def test_every_form_of_the_table_is_a_filter(form: str) -> None:
    compile_filter(form, {"name": "x"})


@pytest.mark.parametrize("pipe", [pipe for row in rows("Pipes") for pipe in code(row[0])])
def test_every_pipe_of_the_table_is_one(pipe: str) -> None:
    assert len(parse_query(f"error {pipe}").pipes) == 1


def test_every_pipe_that_there_is_has_a_row() -> None:
    named = {pipe.split()[1] for row in rows("Pipes") for pipe in code(row[0])}
    assert named == set(PIPES)


@pytest.mark.parametrize("line", PAGE.split("```")[1].strip().splitlines())
def test_the_filters_that_open_the_page_are_filters(line: str) -> None:
    compile_filter(line)


def test_the_page_names_the_limits_that_there_are() -> None:
    limits = PAGE.partition("## Limits\n")[2]
    assert all(f"{number:,}" in limits for number in (MAX_DEPTH, MAX_LENGTH, MAX_TERMS))
