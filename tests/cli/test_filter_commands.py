"""Saved filters: checked, shared, and not taken away from those who use them."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Run


async def test_filters_are_saved_listed_shown_and_removed(logyard: Run) -> None:
    assert "no saved filters yet" in logyard("filter", "list").err
    assert logyard("filter", "save", "noise", "path:/healthz OR ua:*bot*").out == "saved; use it as @noise\n"
    assert logyard("filter", "save", "@noise", "path:/healthz").out.startswith(
        "@noise changed; it was: path:/healthz OR"
    )
    assert logyard("filter", "save", "noise", "path:/healthz").out == "@noise is that already\n"
    assert "path:/healthz" in logyard("filter", "list").out
    (told,) = json.loads(logyard("filter", "list", "--json").out)
    assert (told["name"], told["filter"]) == ("noise", "path:/healthz")
    assert logyard("filter", "show", "noise").out == "path:/healthz\n"
    assert logyard("filter", "rm", "noise").out == "@noise removed; it was: path:/healthz\n"
    assert logyard("filter", "list", "--json").out == "[]\n"


async def test_a_filter_that_others_use_stays(logyard: Run) -> None:
    logyard("filter", "save", "noise", "path:/healthz")
    logyard("filter", "save", "bad", "level:error -@noise")
    refused = logyard("filter", "rm", "noise")
    assert refused.code == 2
    assert "@noise is used by @bad" in refused.err
    shown = json.loads(logyard("filter", "show", "noise", "--json").out)
    assert shown["used_by"] == ["bad"]
    assert json.loads(logyard("filter", "show", "bad", "--json").out)["meaning"] == "level:error -path:/healthz"
    assert logyard("filter", "rm", "noise", "bad").code == 0


async def test_a_filter_can_be_removed_all_the_same(logyard: Run) -> None:
    logyard("filter", "save", "noise", "path:/healthz")
    logyard("filter", "save", "bad", "-@noise")
    assert logyard("filter", "rm", "noise", "--force").code == 0
    assert "there is no saved filter @noise" in logyard("query", "@bad").err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("save", "a b", "x"), "cannot be a filter's name"),
        (("save", "", "x"), "cannot be a filter's name"),
        (("save", "bad", "level:>=wran"), "did you mean warn?"),
        (("save", "bad", "x | count"), "without pipes"),
        (("save", "bad", "@bad"), "@bad"),
        (("save", "bad", "@nope"), "there is no saved filter @nope"),
        (("save", "bad"), "missing argument"),
        (("show", "nope"), "there is no saved filter 'nope'"),
        (("rm", "nope"), "there is no saved filter 'nope'"),
    ],
)
async def test_a_mistake_is_explained_and_nothing_is_stored(
    logyard: Run, arguments: tuple[str, ...], says: str
) -> None:
    done = logyard("filter", *arguments)
    assert done.code == 2
    assert says in done.err
    assert logyard("filter", "list", "--json").out == "[]\n"


async def test_two_filters_cannot_come_to_use_each_other(logyard: Run) -> None:
    logyard("filter", "save", "one", "x")
    logyard("filter", "save", "two", "@one")
    done = logyard("filter", "save", "one", "@two")
    assert done.code == 2
    assert logyard("filter", "show", "one").out == "x\n"


async def test_a_name_is_found_when_it_is_nearly_right(logyard: Run) -> None:
    logyard("filter", "save", "noise", "x")
    assert "did you mean noise?" in logyard("filter", "rm", "nose").err
