"""Completion offers what there is, and never prints an error into the line that is being typed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from logyard.bus.filters import save_filter
from logyard.server import Server
from tests.cli.conftest import PATIENT
from tests.servers.publishing import Publisher
from tests.servers.redis import RedisServer

Complete = Callable[..., list[str]]


def completed(url: str, *words: str) -> list[str]:
    """What bash offers for the last of these words."""
    done = subprocess.run(
        PATIENT,
        env={
            **os.environ, "_LOGYARD_COMPLETE": "bash_complete", "LOGYARD_REDIS_URL": url,
            "COMP_WORDS": " ".join(f"'{word}'" if " " in word else word for word in ("logyard", *words)),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.fixture
def complete(valkey: RedisServer) -> Complete:
    return lambda *words: completed(valkey.url, *words)


async def test_fields_of_recent_records_are_offered_behind_the_envelopes(
    publisher: Publisher, complete: Complete
) -> None:
    await publisher.publish("app.web", b'{"msg":"m","status":200,"user":{"id":1}}', b'{"status":1}', b"plain")
    assert complete("tail", "--fields", "s") == ["source", "status"]
    assert complete("tail", "--fields", "time,us") == ["time,user.id"]
    assert "level" in complete("tail", "--hide", "")


async def test_words_of_a_filter_are_offered(server: Server, publisher: Publisher, complete: Complete) -> None:
    await publisher.publish("app.web", b'{"status":200}')
    await save_filter(server, "bad", "level:>=error")
    assert complete("tail", "-e", "st") == ["status:"]
    assert complete("tail", "-e", "level:>=w") == ["level:>=warn"]
    assert complete("tail", "-e", "app:") == ["app:web"]
    assert complete("tail", "-e", "key:app.w") == ["key:app.web"]
    assert complete("tail", "-e", "@") == ["@bad"]
    assert complete("tail", "-e", "level:error -st") == ["level:error -status:"]


async def test_streams_and_zones_are_offered(publisher: Publisher, complete: Complete) -> None:
    await publisher.publish("app.web", b"x")
    assert complete("tail", "--exclude-stream", "app.") == ["app.web"]
    assert complete("tail", "--timezone", "europe/berl") == ["Europe/Berlin"]
    assert "Europe/" in complete("tail", "--tz", "")


@pytest.mark.parametrize(
    "words", [("tail", "w"), ("tail", "-e", "sta"), ("drain", "rm", "x"), ("tail", "--fields", "x")]
)
def test_without_an_answer_there_is_nothing_to_offer_and_nothing_said(tmp_path: object, words: tuple[str, ...]) -> None:
    assert completed(f"unix://{tmp_path}/none.sock", *words) == []
    assert completed("nonsense", *words) == []
