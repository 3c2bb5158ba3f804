"""Addresses of Redis."""

from __future__ import annotations

import pytest

from logyard.errors import UsageError
from logyard.server.url import ServerURL


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://h", {"hosts": (("h", 6379),), "db": 0, "user": None, "tls": False}),
        ("redis://u:p%40ss@h:1/2", {"hosts": (("h", 1),), "db": 2, "user": "u", "password": "p@ss"}),
        ("redis://:pw@[::1]:7", {"hosts": (("::1", 7),), "user": None, "password": "pw"}),
        ("rediss://h?ca=/ca.crt&servername=x", {"tls": True, "ca": "/ca.crt", "servername": "x"}),
        ("unix:///run/r%20s.sock?db=3", {"path": "/run/r s.sock", "db": 3, "hosts": ()}),
        ("unix://u:pw@/run/s", {"path": "/run/s", "user": "u", "password": "pw"}),
        ("redis+sentinel://a,b:2/main?db=1&sentinel_password=s",
         {"hosts": (("a", 26379), ("b", 2)), "service": "main", "db": 1, "sentinel_password": "s"}),
        ("redis+cluster://u:p@a,b:2?tls=1", {"hosts": (("a", 6379), ("b", 2)), "tls": True}),
    ],
)  # fmt: skip
def test_an_address_is_taken_apart(text: str, expected: dict[str, object]) -> None:
    url = ServerURL.parse(text)
    assert {name: getattr(url, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "write redis://"),
        ("localhost:6379", "write redis://"),
        ("http://h", "'http' is no Redis address"),
        ("redis://h:x", "'h:x' is not host:port"),
        ("redis://h:0", "is not host:port"),
        ("redis://", "is not host:port"),
        ("redis://a,b", "several hosts"),
        ("redis://h/x", "'x' is not the number"),
        ("redis://h?tls=1", "no parameter 'tls'"),
        ("redis+sentinel://a,b", "name the Sentinel's service"),
        ("unix://relative/path", "write a unix socket"),
        ("unix://", "write a unix socket"),
    ],
)
def test_a_wrong_address_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        ServerURL.parse(text)


@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+sentinel", "redis+cluster"])
def test_what_is_shown_holds_no_secret(scheme: str) -> None:
    text = f"{scheme}://u:hunter2@h:1" + ("/main?sentinel_password=hunter2" if "sentinel" in scheme else "")
    url = ServerURL.parse(text)
    assert "hunter2" not in url.shown + repr(url)
    assert "h:1" in url.shown
