"""What an address of an Elasticsearch may say."""

from __future__ import annotations

import base64

import pytest

from logyard.drain import DrainURI
from logyard.errors import UsageError
from logyard_drains.elasticsearch import Config, configure


def config(uri: str) -> Config:
    return configure(DrainURI.parse(uri))


def test_several_hosts_have_ports_of_their_own() -> None:
    made = config("elasticsearch+https://a:1,b,[::1]:3/es?namespace=prod")
    assert made.hosts == (("a", 1), ("b", 9200), ("::1", 3))
    assert made.path == "/es"
    assert made.tls is not None
    assert made.index.text == "logs-{app}-prod"


@pytest.mark.parametrize(
    ("uri", "header"),
    [
        ("elasticsearch://me:p%40ss@a,b", "Basic " + base64.b64encode(b"me:p@ss").decode()),
        ("elasticsearch://a?api_key=abc==", "ApiKey abc=="),
        ("elasticsearch://a?api_key=id:key", "ApiKey " + base64.b64encode(b"id:key").decode()),
        ("elasticsearch://a?bearer=abc", "Bearer abc"),
    ],
)
def test_each_way_of_saying_who_we_are(uri: str, header: str) -> None:
    made = config(uri)
    assert made.authorization is not None
    assert made.authorization.reveal() == header
    assert header not in repr(made)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("elasticsearch://", "needs a host"),
        ("elasticsearch://a,", "names an empty host"),
        ("elasticsearch://a:x,b", "is not a drain's address"),
        ("elasticsearch://a,b:y", "is not a drain's address"),
        ("elasticsearch://me@a", "a user and no password"),
        ("elasticsearch://me:x@a?bearer=y", "give only one of bearer, user:password@"),
        ("elasticsearch://a?bearer=a%20b", "visible ASCII"),
        ("elasticsearch://a?index=a&namespace=b", "give either index= or namespace="),
        ("elasticsearch://a?format=json", "a data stream needs ECS documents"),
        ("elasticsearch://a?format=raw", "is not one of ecs, json"),
        ("elasticsearch://a?index=x-{app}&format=json&template=install", "template=install is for format=ecs"),
        ("elasticsearch://a?index={app}-{yyyy}&template=install", "must begin with a fixed word"),
        ("elasticsearch://a?ca=/x", "has no parameter 'ca'"),
        ("elasticsearch+https://a?ca=x", "absolute path"),
        ("elasticsearch://a?timeout=1s", "at least 2s"),
        ("elasticsearch://a?compression=zstd", "is not one of none, gzip"),
    ],
)
def test_what_cannot_be_meant_is_refused(uri: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        config(uri)
    assert said in str(caught.value)
