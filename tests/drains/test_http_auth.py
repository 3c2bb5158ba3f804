"""Headers that are sent, and those that cannot be."""

from __future__ import annotations

from base64 import b64decode

import pytest

from logyard.drain import DrainURI
from logyard.errors import UsageError
from logyard_drains.http_auth import authorization, own_headers


def of(text: str, **params: str) -> DrainURI:
    return DrainURI.parse(text, params)


def test_user_and_password_are_sent_in_utf8() -> None:
    found = authorization(of("https://j%C3%B6rg:p%3Ass@h"))
    assert found is not None
    kind, encoded = found.reveal().split(" ")
    assert kind == "Basic"
    assert b64decode(encoded).decode() == "jörg:p:ss"
    assert "Basic" not in repr(found)


def test_a_user_alone_has_an_empty_password_as_api_keys_are_sent() -> None:
    found = authorization(of("https://key@h"))
    assert found is not None
    assert b64decode(found.reveal().split(" ")[1]) == b"key:"


def test_a_token_is_sent_as_it_is_and_none_is_none() -> None:
    found = authorization(of("https://h", bearer="abc.DEF-1_2=="))
    assert found is not None
    assert found.reveal() == "Bearer abc.DEF-1_2=="
    assert authorization(of("https://h")) is None


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("https://u:p@h?bearer=x", "not both"),
        ("https://u%3Ax:p@h", "must not hold a colon"),
        ("https://h?bearer=a%20b", "visible ASCII characters"),
        ("https://h?bearer=a%0D%0AX-Evil:%201", "visible ASCII characters"),
        ("https://h?bearer=", "visible ASCII characters"),
    ],
)
def test_credentials_that_cannot_be_sent_are_refused_without_being_shown(uri: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        authorization(of(uri))
    assert "Evil" not in str(caught.value)


def test_headers_are_taken_from_parameters() -> None:
    found = own_headers(of("https://h?header.X-Api-Key=abc&header.x-scope=a%20b&format=json"))
    assert {name: value.reveal() for name, value in found.items()} == {"X-Api-Key": "abc", "x-scope": "a b"}
    assert "abc" not in repr(found)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("X-A", "evil\r\nX-B: 1", "one line of ASCII text"),
        ("X-A", "evil\nx", "one line of ASCII text"),
        ("X-A", "evil\x00", "one line of ASCII text"),
        ("X-A", "evilé", "one line of ASCII text"),
        ("X A", "evil", "cannot be a header's name"),
        ("X-A:", "evil", "cannot be a header's name"),
        ("", "evil", "cannot be a header's name"),
        ("Content-Type", "evil", "write content_type= instead"),
        ("content-encoding", "evil", "write compression= instead"),
        ("Content-Length", "evil", "logyard sets it itself"),
        ("Transfer-Encoding", "evil", "logyard sets it itself"),
        ("Host", "evil", "it is the address's host"),
        ("Connection", "evil", "it belongs to the connection"),
        ("Proxy-Authorization", "evil", "it belongs to the connection"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused_without_their_value(name: str, value: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        own_headers(DrainURI("https", "h", params={f"header.{name}": value}))
    assert "evil" not in str(caught.value)


def test_a_header_given_twice_in_different_spelling_is_refused() -> None:
    with pytest.raises(UsageError, match="given twice"):
        own_headers(of("https://h?header.X-A=1&header.x-a=2"))
