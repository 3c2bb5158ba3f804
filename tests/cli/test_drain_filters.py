"""Drains with filters from the command line: checked, tried, shown, tapped, and explained."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from logyard.bus.drains import DrainSpec, add_drain, get_drains, set_paused
from logyard.server import Server, keys
from tests.cli.conftest import Run
from tests.cli.dead_letters import bury
from tests.servers.publishing import Publisher

Start = Callable[..., subprocess.Popen[bytes]]


async def test_a_filter_is_stored_and_shown(server: Server, logyard: Run, tmp_path: Path) -> None:
    done = logyard("drain", "add", "a", f"file://{tmp_path}/x", "--filter", "app:web level:>=warn", "--no-test")
    assert done.code == 0, done.err
    assert (await get_drains(server))["a"].filter == "app:web level:>=warn"
    assert "all | app:web level:>=warn" in logyard("drain", "list").out
    assert json.loads(logyard("drain", "list", "--json").out)[0]["filter"] == "app:web level:>=warn"
    assert "filter        app:web level:>=warn" in logyard("drain", "show", "a").out


async def test_a_wrong_filter_is_refused_with_a_caret(server: Server, logyard: Run, tmp_path: Path) -> None:
    done = logyard("drain", "add", "a", f"file://{tmp_path}/x", "--filter", "app:web levl:>=(")
    assert (done.code, done.out) == (2, "")
    assert "  app:web levl:>=(\n" in done.err and "^^^" in done.err
    assert await get_drains(server) == {}
    assert "^" in logyard("drain", "replay", "a", "--since", "1h", "--filter", "level:>=(").err


async def test_a_dry_run_shows_what_would_be_sent_and_stores_nothing(
    server: Server, publisher: Publisher, logyard: Run, tmp_path: Path
) -> None:
    for number in range(10):
        await publisher.publish("app.web", *(b"%s web %d" % (b"WARN" if n else b"INFO", number) for n in range(2)))
        await publisher.publish("sys.cron", b"WARN cron \x1b[31m %d" % number)
    add = ("drain", "add", "a", f"file://{tmp_path}/x", "--dry-run")
    done = logyard(*add, "--filter", "WARN", "--key", "app.*")
    assert (done.code, done.err) == (0, "nothing was stored: --dry-run\n")
    first, *examples = done.out.splitlines()
    assert first == "of the last 20 records in 1 stream 10 would be sent (50.0%)"
    assert examples == [f"  app.web  WARN web {number}" for number in range(5, 10)]
    assert "of the last 30 records in 2 streams 30 would be sent" in logyard(*add).out
    assert "\x1b" not in logyard(*add).out
    assert logyard(*add, "--filter", "nosuchword").code == 1
    assert await get_drains(server) == {}
    assert not (tmp_path / "x").exists()


async def test_a_tap_shows_what_a_drain_gets_from_now_on(
    server: Server, publisher: Publisher, start_logyard: Start, tmp_path: Path
) -> None:
    await add_drain(server, DrainSpec("a", f"file://{tmp_path}/x", ("app.*",), params={"format": "raw"}, filter="WARN"))
    await publisher.publish("app.web", b"WARN before")
    process = start_logyard("drain", "tap", "a")
    assert process.stdout is not None
    # Whatever is published once it reads is shown: it says nothing of when that is to a pipe.
    lines: list[bytes] = []
    number = 0
    reader = threading.Thread(target=lambda: lines.append(process.stdout.readline()))  # type: ignore[union-attr]
    reader.start()
    while reader.is_alive() and number < 2000:
        await publisher.publish("app.web", b"INFO no %d" % number, b"WARN yes %d" % number)
        await publisher.publish("sys.cron", b"WARN other")
        number += 1
        reader.join(0.02)
    assert lines and lines[0].startswith(b"WARN yes ")
    process.send_signal(2)
    rest = process.stdout.read()
    assert process.wait(30) == 130
    assert b"INFO" not in rest and b"other" not in rest and b"before" not in rest


@pytest.fixture
async def drains(server: Server, publisher: Publisher, tmp_path: Path) -> None:
    """One drain of each kind of verdict over a record of app.web at offset 0."""
    await add_drain(server, DrainSpec("elsewhere", f"file://{tmp_path}/1", ("sys.*",)))
    await add_drain(server, DrainSpec("picky", f"file://{tmp_path}/2", filter="app:web error"))
    await publisher.publish("app.web", b"WARN first", b"INFO second")
    await add_drain(server, DrainSpec("late", f"file://{tmp_path}/3"))
    for name in ("waiting", "has", "refusing"):
        await add_drain(server, DrainSpec(name, f"file://{tmp_path}/{name}", start="beginning"))
    ((entry, _),) = await server.call("p00", "XRANGE", keys.stream_key("p00", "app.web"), "-", "+")
    await server.call("p00", "HSET", keys.drain_key("p00", "has"), "at:app.web", f"2 {entry.decode()}")
    await set_paused(server, "waiting", paused=True)


@pytest.mark.usefixtures("drains")
async def test_explain_tells_each_drains_verdict_on_a_record_and_why(server: Server, logyard: Run) -> None:
    await bury(server, "refusing", (b"x", "too odd"))
    letter = "logyard:{p00}:dead:refusing"
    ((entry, fields),) = await server.call("p00", "XRANGE", letter, "-", "+")
    told = dict(zip(fields[::2], fields[1::2], strict=True)) | {b"id": b"app.web/None.0:0"}
    await server.call("p00", "XDEL", letter, entry)
    await server.call("p00", "XADD", letter, "*", *(part for item in told.items() for part in item))
    done = logyard("explain", "app.web/None.0:0", "--json")
    assert done.code == 0, done.err
    verdicts = {one["drain"]: (one["verdict"], one["why"]) for one in json.loads(done.out)}
    assert verdicts["elsewhere"] == ("not taken", "its --key is sys.*, and the stream is app.web")
    assert verdicts["picky"] == ("filtered", "it does not pass error")
    assert verdicts["late"] == ("not sent", "stored before the drain began; late can replay it")
    assert verdicts["waiting"] == ("pending", "0 records of app.web come first; the drain is paused")
    assert verdicts["has"][0] == "delivered"
    assert verdicts["refusing"][0] == "dead" and "too odd" in verdicts["refusing"][1]
    assert "VERDICT" in logyard("explain", "app.web/None.0:0").out


@pytest.mark.usefixtures("drains")
def test_explain_tells_which_drains_take_a_stream(logyard: Run) -> None:
    verdicts = {one["drain"]: one for one in json.loads(logyard("explain", "web", "--json").out)}
    assert verdicts["elsewhere"]["verdict"] == "not taken"
    assert verdicts["picky"]["why"].startswith("those that pass app:web error")
    assert verdicts["waiting"]["why"] == "all of its records; 2 records behind"


@pytest.mark.usefixtures("drains")
def test_explain_says_what_it_does_not_find(logyard: Run) -> None:
    assert "did you mean app.web?" in logyard("explain", "app.wbe").err
    done = logyard("explain", "app.web/None.0:5")
    assert done.code == 2 and "no stream holds a record" in done.err


async def test_a_drain_keeps_what_a_saved_filter_means_now(logyard: Run, tmp_path: Path) -> None:
    logyard("filter", "save", "noise", "path:/healthz")
    add = ("drain", "add", "a", f"file://{tmp_path}/x", "--no-test", "--filter")
    assert logyard(*add, "app:web -@noise").code == 0
    assert json.loads(logyard("drain", "show", "a", "--json").out)["filter"] == "app:web -path:/healthz"
    logyard("filter", "save", "noise", "path:/other")
    assert json.loads(logyard("drain", "show", "a", "--json").out)["filter"] == "app:web -path:/healthz"
    unknown = logyard("drain", "add", "b", f"file://{tmp_path}/x", "--no-test", "--filter", "@nois")
    assert unknown.code == 2
    assert "there is no saved filter @nois" in unknown.err
    assert "noise" in unknown.err
