"""Drains from the command line: checked before they are stored, told without secrets, refused with a hint."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from logyard.bus.drains import get_drains
from logyard.server import Server, keys
from tests.cli.conftest import Finished, Run
from tests.servers.publishing import Publisher

Drain = Callable[..., Finished]


@pytest.fixture
def drain(logyard: Run) -> Drain:
    return lambda *args, **options: logyard("drain", *args, **options)


@pytest.fixture
def archive(tmp_path: Path) -> str:
    return f"file://{tmp_path}/all.log"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def refused_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


async def test_a_drain_is_added_listed_shown_and_removed(server: Server, drain: Drain, archive: str) -> None:
    done = drain("add", "archive", archive, "--key", "web", "-k", "sys.*", "--format", "raw")
    assert (done.code, done.out) == (0, f"drain archive added: {archive}?format=raw\n")
    assert "no stream matches" in done.err
    spec = (await get_drains(server))["archive"]
    assert spec.keys == ("app.web", "sys.web", "event.web", "sys.*")
    assert spec.params == {"format": "raw"}
    assert "archive" in drain("list").out
    (listed,) = json.loads(drain("list", "--json").out)
    assert (listed["name"], listed["uri"], listed["start"], listed["paused"]) == (
        "archive", f"{archive}?format=raw", "now", False,
    )  # fmt: skip
    shown = drain("show", "archive")
    assert shown.code == 0 and "destination" in shown.out and "last error" in shown.out
    assert drain("rm", "archive").out == "drain archive removed\n"
    assert await get_drains(server) == {}


async def test_status_tells_state_lag_and_counters(
    server: Server, publisher: Publisher, drain: Drain, archive: str
) -> None:
    drain("add", "archive", archive, "--from", "beginning")
    await publisher.publish("app.web", b"1", b"2", b"3")
    status = await server.call("p00", "HINCRBY", keys.drain_key("p00", "archive"), "dead", 7)
    assert status == 7
    (told,) = json.loads(drain("status", "--json").out)
    expected: dict[str, Any] = {
        "name": "archive", "state": "unserved", "lag_records": 3, "delivered": 0, "filtered": 0, "dead": 7,
        "dropped": 0, "resent": 0, "last_error": "", "workers": 0,
    }  # fmt: skip
    assert {name: told[name] for name in expected} == expected
    assert told["lag_seconds"] >= 0
    lines = drain("status").out.splitlines()
    assert " ".join(lines[0].split()) == "NAME STATE LAG BEHIND DELIVERED FILTERED DEAD DROPPED RESENT WORKERS"
    assert lines[1].startswith("archive  unserved    3")
    assert len(drain("status", "--not-running", "archive").out.splitlines()) == 2
    assert "3 records had not been delivered" in drain("rm", "archive").out


async def test_where_a_drain_begins(server: Server, drain: Drain, archive: str) -> None:
    drain("add", "now", archive, "--no-test")
    drain("add", "beginning", archive, "--no-test", "--from", "beginning")
    drain("add", "moment", archive, "--no-test", "--from", "2026-01-01T00:00:00Z")
    drains = await get_drains(server)
    assert [drains[name].start for name in ("now", "beginning", "moment")] == ["now", "beginning", "1767225600000"]
    assert drain("add", "x", archive, "--from", "soon").code == 2


async def test_a_name_that_is_taken_is_refused_and_can_be_replaced(server: Server, drain: Drain, archive: str) -> None:
    drain("add", "archive", archive)
    done = drain("add", "archive", archive + ".2")
    assert done.code == 2
    assert "there is a drain 'archive' already" in done.err and "--replace" in done.err
    assert (await get_drains(server))["archive"].uri == archive
    done = drain("add", "archive", archive + ".2", "--replace")
    assert (done.code, done.out) == (0, f"drain archive changed: {archive}.2\n")
    assert (await get_drains(server))["archive"].uri == archive + ".2"


@pytest.mark.parametrize("command", ["show", "test", "pause", "resume", "rm", "status"])
def test_an_unknown_name_is_refused_with_near_ones(drain: Drain, archive: str, command: str) -> None:
    drain("add", "archive", archive, "--no-test")
    done = drain(command, "archvie")
    assert (done.code, done.out) == (2, "")
    assert done.err == "logyard: there is no drain 'archvie'; did you mean archive?\n"


async def test_a_destination_that_does_not_answer_is_not_added(server: Server, drain: Drain) -> None:
    address = refused_address()
    done = drain("add", "away", address)
    assert done.code == 3
    assert address in done.err and "--no-test" in done.err and done.err.count("\n") == 1
    assert await get_drains(server) == {}
    assert drain("add", "away", address, "--no-test").code == 0
    assert list(await get_drains(server)) == ["away"]
    done = drain("test", "away")
    assert done.code == 1 and address in done.err


def test_a_test_sends_one_marked_record(drain: Drain, archive: str, tmp_path: Path) -> None:
    drain("add", "archive", archive, "--format", "raw")
    assert not (tmp_path / "all.log").exists()  # trying the address changes nothing
    done = drain("test", "archive")
    assert done.code == 0
    (line,) = (tmp_path / "all.log").read_text().splitlines()
    mark = done.out.partition("the mark ")[2].split()[0]
    assert mark and mark in line and "test of drain archive" in line


def test_a_listening_destination_is_added(drain: Drain, listener: socket.socket) -> None:
    assert drain("add", "there", f"tcp://127.0.0.1:{listener.getsockname()[1]}").code == 0


async def test_secrets_are_never_shown(server: Server, drain: Drain) -> None:
    secret = "hunter2-very-secret"
    uri = f"redis://logs:{secret}@127.0.0.1:1/0"
    outputs = [drain("add", "r", uri, "--no-test"), drain("add", "r", uri, "--no-test")]
    assert (await get_drains(server))["r"].uri == uri
    outputs += [
        drain("list"), drain("list", "--json"), drain("show", "r"), drain("show", "r", "--json"), drain("test", "r"),
        drain("status", "--json"), drain("add", "q", uri), drain("rm", "r"),
    ]  # fmt: skip
    assert all(secret not in done.out + done.err for done in outputs)
    assert any("****" in done.out for done in outputs)


async def test_a_secret_that_only_the_router_has_is_no_hindrance(server: Server, drain: Drain) -> None:
    done = drain("add", "r", "redis://logs:${env:NOT_SET_HERE}@127.0.0.1:1/0")
    assert done.code == 0
    assert "not tried" in done.err and "NOT_SET_HERE" in done.err
    assert "${env:NOT_SET_HERE}" in drain("list").out


def test_pausing_and_resuming(drain: Drain, archive: str) -> None:
    drain("add", "a", archive, "--no-test")
    assert drain("pause", "a").out == "drain a paused; what comes in waits in its streams\n"
    assert "was paused already" in drain("pause", "a").out
    assert json.loads(drain("list", "--json").out)[0]["paused"] is True
    assert json.loads(drain("status", "--json").out)[0]["state"] == "paused"
    assert "(paused)" in drain("list").out
    assert drain("resume", "a").out == "drain a resumed\n"
    assert json.loads(drain("status", "--json").out)[0]["state"] == "unserved"


def test_an_instance_cannot_be_drained(drain: Drain, archive: str) -> None:
    done = drain("add", "a", archive, "--key", "web.3")
    assert done.code == 2 and "whole streams" in done.err


def test_where_there_is_none_it_says_how_to_add_one(drain: Drain) -> None:
    for command in ("list", "status"):
        done = drain(command)
        assert (done.code, done.out) == (0, "") and "logyard drain add --help" in done.err
        assert json.loads(drain(command, "--json").out) == []
