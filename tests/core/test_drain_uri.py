"""A drain's address: taken apart once, checked, and never shown with its secrets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from logyard.drain import DrainURI, mask_uri, secret_parts
from logyard.errors import UsageError


def test_an_address_is_taken_apart() -> None:
    uri = DrainURI.parse("Syslog+TLS://us%40er:pa%2Fss@[::1]:6514/a%20b?ca=/etc/ca.crt&rfc=3164", {"max_size": "2KiB"})
    assert (uri.scheme, uri.host, uri.port, uri.path) == ("syslog+tls", "::1", 6514, "/a b")
    assert (uri.user, uri.password) == ("us@er", "pa/ss")
    assert uri.text("ca") == "/etc/ca.crt"
    assert uri.number("max_size", 1) == 2048
    assert uri.number("absent", 7) == 7


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "write scheme://"),
        ("nonsense", "write scheme://"),
        ("tcp:host", "write scheme://"),
        ("tcp://host:99999", "is not a drain's address"),
        ("tcp://host:port", "is not a drain's address"),
        ("tcp://[::1", "is not a drain's address"),
        ("tcp://host?a=1&a=2", "given twice"),
        ("tcp://host#x", "has no #fragment"),
    ],
)
def test_a_wrong_address_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        DrainURI.parse(text)


def test_a_parameter_given_in_both_places_is_refused() -> None:
    with pytest.raises(UsageError, match="given twice"):
        DrainURI.parse("tcp://host?a=1", {"a": "2"})


@pytest.mark.parametrize(
    ("method", "value", "expected"),
    [
        ("number", "64", 64), ("number", "1k", 1024), ("number", "1 MiB".replace(" ", ""), 1 << 20),
        ("number", "2G", 2 << 30), ("seconds", "500ms", 0.5), ("seconds", "10s", 10), ("seconds", "2h", 7200),
        ("seconds", "1.5", 1.5), ("seconds", "1d", 86400), ("flag", "yes", True), ("flag", "", True),
        ("flag", "off", False),
    ],
)  # fmt: skip
def test_parameters_are_typed(method: str, value: str, expected: object) -> None:
    uri = DrainURI.parse("tcp://host", {"p": value})
    assert (uri.flag("p") if method == "flag" else getattr(uri, method)("p", 0)) == expected


@pytest.mark.parametrize(
    ("method", "value"),
    [("number", "x"), ("number", "-1"), ("number", "1.5"), ("number", ""), ("seconds", "soon"), ("seconds", "m"),
     ("flag", "perhaps")],
)  # fmt: skip
def test_a_wrong_parameter_is_named(method: str, value: str) -> None:
    uri = DrainURI.parse("tcp://host", {"p": value})
    read: dict[str, Callable[[], object]] = {
        "number": lambda: uri.number("p", 0),
        "seconds": lambda: uri.seconds("p", 0),
        "flag": lambda: uri.flag("p"),
    }
    with pytest.raises(UsageError, match=r"^p="):
        read[method]()


def test_bounds_and_choices_are_told() -> None:
    uri = DrainURI.parse("tcp://host?n=5&c=x")
    with pytest.raises(UsageError, match="at least 6"):
        uri.number("n", 1, minimum=6)
    with pytest.raises(UsageError, match="at most 4"):
        uri.number("n", 1, maximum=4)
    with pytest.raises(UsageError, match="one of a, b"):
        uri.text("c", "a", ("a", "b"))
    with pytest.raises(UsageError, match="no parameter 'n'; it has: c, d"):
        uri.refuse_unknown("d", "c")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://u:hunter2@h/0?key=k", "redis://u:****@h/0?key=k"),
        ("loggly://hunter2@logs.example?tag=a", "loggly://****@logs.example?tag=a"),
        ("http://h/?api_key=hunter2&Token=hunter2&x=1", "http://h/?api_key=****&Token=****&x=1"),
        ("http://u:${env:PW}@h", "http://u:${env:PW}@h"),
        (
            "http://h?query.key=hunter2&query.sig=hunter2&query.web=1",
            "http://h?query.key=****&query.sig=****&query.web=1",
        ),
        ("syslog+tls://h?key=/etc/me.key", "syslog+tls://h?key=/etc/me.key"),
        ("file:///var/log/x", "file:///var/log/x"),
        ("hunter2 is no address", "hunter2 is no address"),
        ("http://${file:/run/user}:hunter2@h/x", "http://${file:/run/user}:****@h/x"),
        ("http://hunter2@${file:/run/host}/x?a=b", "http://****@${file:/run/host}/x?a=b"),
        ("http://u:${file:/run/p?w}@h/", "http://u:${file:/run/p?w}@h/"),
        ("http://u:hunter2${env:X}@h", "http://u:****@h"),
        ("redis://u:hun/ter2@h:1/0", "redis://u:****@h:1/0"),
        ("redis://u:hun?ter2@h", "redis://u:****@h"),
        ("http://h/?header.X-Key=hunter2&header.Y=${env:Y}", "http://h/?header.X-Key=****&header.Y=${env:Y}"),
        ("http://h/?header.A=Bearer%20${env:Y}&%74oken=hunter2", "http://h/?header.A=Bearer%20${env:Y}&%74oken=****"),
        ("elasticsearch://h:9200,g:9200/x", "elasticsearch://h:9200,g:9200/x"),
        ("http://h/users/@me", "http://h/users/@me"),
        # keys in paths, made up in the manner of Slack, Datadog, Sumo Logic, Discord, Teams and a store of secrets
        (
            "https://h/services/T02AB3CDE/B04F5GH67JK/x9Kq2LmZ7vWbT4nRcY8sHd1P",
            "https://h/services/T02AB3CDE/B04F5GH67JK/****",
        ),
        ("https://h/v1/input/9f86d081884c7d659a2feaa0c55ad015?x=1", "https://h/v1/input/****?x=1"),
        (
            "https://h/receiver/v1/http/ZaVnC4dhaV3k9TzQ0sLmXbYw-_7RfE2uHj8NpGcB1oKdIv5A%3D%3D",
            "https://h/receiver/v1/http/****",
        ),
        ("https://h/api/webhooks/815162342/kX9_bTq-4LmZ7vWbT4nRcY8sHd1Pw", "https://h/api/webhooks/815162342/****"),
        ("https://h/1b4e28ba-2fa1-11d2-883f-0016d3cca427/in", "https://h/****/in"),
        ("https://h/in/7Q3ZK2LMB6XW4TNR", "https://h/in/****"),
        # names in paths
        (
            "http://h/logs-web-production-2026.11.29-eu-west-1/_bulk",
            "http://h/logs-web-production-2026.11.29-eu-west-1/_bulk",
        ),
        (
            "http://h/api/v1/IncomingWebhook/815162342108990815/x",
            "http://h/api/v1/IncomingWebhook/815162342108990815/x",
        ),
        ("http://h/services/collector/event/1.0", "http://h/services/collector/event/1.0"),
        ("http://h/in/${env:HOOK}/x", "http://h/in/${env:HOOK}/x"),
        ("file:///srv/9f86d081884c7d659a2feaa0c55ad015/x.log", "file:///srv/9f86d081884c7d659a2feaa0c55ad015/x.log"),
    ],
)
def test_secrets_are_masked(text: str, shown: str) -> None:
    assert mask_uri(text) == shown


def test_parameters_are_masked_one_by_one() -> None:
    params = {"password": "hun&ter2=?", "header.A": "Bearer hunter2", "header.B": "Bearer ${env:T}", "format": "a&b"}
    shown = "http://h/x?password=****&header.A=****&header.B=Bearer ${env:T}&format=a&b"
    assert mask_uri("http://h/x", params) == shown
    assert mask_uri("http://h/x?y=1", {"token": "t"}) == "http://h/x?y=1&token=****"


def test_what_is_masked_of_an_address_is_known_as_a_secret_elsewhere() -> None:
    uri = DrainURI.parse("https://u:hun%20ter2@h/in/9f86d081884c7d659a2feaa0c55ad015%3D?bearer=hunter3&tag=web")
    assert set(secret_parts(uri)) == {"hun ter2", "ter2", "hunter3", "9f86d081884c7d659a2feaa0c55ad015="}
    assert secret_parts(DrainURI.parse("file:///srv/9f86d081884c7d659a2feaa0c55ad015/x")) == []


def test_errors_and_representations_hold_no_secret() -> None:
    assert "hunter2" not in repr(DrainURI.parse("http://u:hunter2@h?token=hunter2"))
    with pytest.raises(UsageError) as caught:
        DrainURI.parse("http://u:hunter2@h:port")
    assert "hunter2" not in str(caught.value)


def test_further_hosts_are_taken_apart_and_refused_by_drains_that_take_one() -> None:
    uri = DrainURI.parse("x://me:a,b@first:1,second,third:3/path?a=1")
    assert (uri.host, uri.port, uri.user, uri.password, uri.path) == ("first", 1, "me", "a,b", "/path")
    assert uri.others == (("second", None), ("third", 3))
    uri.refuse_unknown("a", several=True)
    with pytest.raises(UsageError, match="x:// takes one host, and 3 are given"):
        uri.refuse_unknown("a")
