"""What the user's STREAM arguments select."""

from __future__ import annotations

import pytest

from logyard.batch import Batch
from logyard.errors import UsageError
from logyard_cli.choice import StreamChoice, known_names

KEYS = ["app.api", "app.web", "sys.nginx", "sys.web", "app.web.3"]


def batch(key: str, instance: str | None) -> Batch:
    return Batch(
        key=key, node="n", source="s", time_ns=1, count=1, origin="x.0", first=0, last=2, block=b"x", instance=instance
    )


def selected(*texts: str) -> list[str]:
    choice = StreamChoice(texts)
    return [key for key in KEYS if choice.selects(key)]


def test_names_keys_and_globs_select_streams() -> None:
    assert selected() == KEYS
    assert selected("web") == ["app.web", "sys.web"]
    assert selected("app.web") == ["app.web"]
    assert selected("sys.*") == ["sys.nginx", "sys.web"]
    assert selected("api", "nginx") == ["app.api", "sys.nginx"]


def test_an_instance_selects_a_part_of_its_application() -> None:
    choice = StreamChoice(("web.3",))
    assert choice.selects("app.web")
    assert choice.accepts(batch("app.web", "3"))
    assert not choice.accepts(batch("app.web", "4"))
    assert not choice.accepts(batch("app.web", None))


def test_a_stream_whose_name_looks_like_an_instance_is_whole() -> None:
    choice = StreamChoice(("web.3",))
    assert choice.selects("app.web.3")
    assert choice.accepts(batch("app.web.3", "0"))


def test_arguments_add_up() -> None:
    choice = StreamChoice(("web.3", "app.web.4"))
    assert choice.accepts(batch("app.web", "3")) and choice.accepts(batch("app.web", "4"))
    assert not choice.accepts(batch("app.web", "5"))
    both = StreamChoice(("web.3", "web"))
    assert both.accepts(batch("app.web", "5"))


def test_what_selects_nothing_is_named_with_near_names() -> None:
    choice = StreamChoice(("wbe", "api", "nope*"))
    assert choice.unmatched(KEYS) == ["wbe", "nope*"]
    assert choice.unmatched(KEYS, plain=True) == ["wbe"]
    assert "no stream matches 'wbe'; did you mean web" in choice.hint(KEYS)
    assert StreamChoice(("api",)).hint(KEYS) == ""
    assert "no streams yet" in StreamChoice(("api",)).hint([])
    assert "did you mean app.web" in StreamChoice(("app.wbe",)).hint(KEYS)


def test_nonsense_is_refused() -> None:
    with pytest.raises(UsageError):
        StreamChoice(("a b",))


def test_known_names_leave_out_the_kind_unless_it_was_given() -> None:
    assert known_names(KEYS) == ["api", "web", "nginx", "web.3"]
    assert known_names(KEYS, "app.w") == KEYS
