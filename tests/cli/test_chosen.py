"""Which fields are shown: asked for by name or path, hidden likewise."""

from __future__ import annotations

import pytest

from logyard.errors import UsageError
from logyard_cli.chosen import Fields, field_value, make_fields

RECORD = {"time": "t", "level": "warn", "text": "m", "user": {"id": 7, "name": "x"}, "a.b": 1, "level_": "odd", "n": 0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("level", "warn"), ("json.level", "odd"), ("user.id", 7), ("json.user.id", 7), ("a.b", 1), ("json.text", "m"),
        ("nope", None), ("user.nope", None), ("n", 0),
    ],
)  # fmt: skip
def test_a_field_is_found_by_its_name_in_the_filter_language(name: str, value: object) -> None:
    assert field_value(RECORD, name) == value


def test_fields_come_in_the_order_asked_for_and_missing_ones_are_left_out() -> None:
    assert make_fields(["n,user.id", "nope"], []).of(RECORD) == {"n": 0, "user.id": 7}
    assert list(make_fields(["user.id,n"], []).of(RECORD)) == ["user.id", "n"]


def test_hidden_fields_are_left_out_also_inside_others() -> None:
    shown = make_fields([], ["json.user.name,level_", "text"]).of(RECORD)
    assert shown == {"time": "t", "level": "warn", "user": {"id": 7}, "a.b": 1, "n": 0}
    assert RECORD["user"] == {"id": 7, "name": "x"}


def test_nothing_chosen_is_everything() -> None:
    assert Fields().everything and Fields().of(RECORD) is RECORD
    assert not make_fields(["a"], []).everything and not make_fields([], ["a"]).everything


@pytest.mark.parametrize(
    ("only", "hidden", "message"),
    [
        (["a,,b"], [], "write names divided by commas"),
        ([""], [], "write names divided by commas"),
        (["a b"], [], "write names divided by commas"),
        ([], [" "], "--hide ' '"),
        (["a,b"], ["json.b"], "--fields and --hide both name b"),
    ],
)
def test_a_wrong_choice_is_refused(only: list[str], hidden: list[str], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        make_fields(only, hidden)
    assert message in str(refused.value)
