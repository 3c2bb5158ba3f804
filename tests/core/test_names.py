"""Names of streams and what users write for them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.errors import UsageError
from logyard.names import application_of, clean_name, key_matches, make_key, partition_of, stream_globs


@given(st.text())
def test_a_clean_name_holds_only_what_a_key_may_hold(text: str) -> None:
    try:
        name = clean_name(text)
    except UsageError:
        return
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,200}", name)
    assert clean_name(name) == name


@pytest.mark.parametrize("text", ["", "  ", "///", "---", "ü", ".", ".."])
def test_what_leaves_no_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a name"):
        clean_name(text)


def test_keys_are_made_from_what_users_write() -> None:
    assert make_key("nginx") == "sys.nginx"
    assert make_key("sys.nginx") == "sys.nginx"
    assert make_key("app.my shop") == "app.my-shop"
    assert make_key("nginx.access") == "sys.nginx.access"
    assert application_of("app.web") == "web"
    assert application_of("sys.web") is None


@pytest.mark.parametrize(
    ("text", "key", "instance"),
    [
        ("app.web", "app.web", None),
        ("web", "app.web", None),
        ("web", "sys.web", None),
        ("sys.*", "sys.nginx", None),
        ("*", "event.oom", None),
        ("w*", "app.web", None),
        ("web.3", "app.web", "3"),
        ("app.web.3", "app.web", "3"),
        ("nginx.access", "sys.nginx.access", None),
    ],
)
def test_a_stream_is_a_key_a_glob_a_name_or_an_instance(text: str, key: str, instance: str | None) -> None:
    globs, found = stream_globs(text)
    assert key_matches(key, globs)
    assert found == instance


@pytest.mark.parametrize(("text", "key"), [("web", "app.web2"), ("sys.dea", "sys.dea_ng"), ("sys.*", "app.sys")])
def test_a_stream_is_not_a_prefix(text: str, key: str) -> None:
    assert not key_matches(key, stream_globs(text)[0])


@pytest.mark.parametrize("text", ["", "a b", "app.web;", "x\n"])
def test_what_no_key_can_be_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a stream"):
        stream_globs(text)


def test_no_globs_match_every_key() -> None:
    assert key_matches("app.web", ())
    assert not key_matches("app.web", ("sys.*",))


@given(st.text(min_size=1), st.integers(1, 64))
def test_a_key_stays_in_its_partition(key: str, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions
    assert partition_of(key, partitions) == partition_of(key, partitions)


def test_keys_spread_over_the_partitions() -> None:
    assert {partition_of(f"app.a{number}", 8) for number in range(200)} == set(range(8))
