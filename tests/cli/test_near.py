"""Hints at mistyped names."""

from __future__ import annotations

from logyard_cli.near import did_you_mean, nearest


def test_the_nearest_names_come_first() -> None:
    assert nearest("wbe", ["web", "api", "webhooks"]) == ["web"]
    assert nearest("NGINX", ["nginx", "sshd"]) == ["nginx"]
    assert nearest("hook", ["web", "webhooks"]) == ["webhooks"]
    assert nearest("x", ["web"]) == []


def test_a_hint_names_near_names_else_what_there_is() -> None:
    assert did_you_mean("wbe", ["web", "api"]) == "; did you mean web?"
    assert did_you_mean("web1", ["web2", "web3", "api"]) == "; did you mean web3 or web2?"
    assert did_you_mean("zzz", ["b", "a"]) == "; there are: a, b"
    assert did_you_mean("zzz", [f"n{number}" for number in range(10)]).endswith("and 2 more")
    assert did_you_mean("zzz", []) == ""
