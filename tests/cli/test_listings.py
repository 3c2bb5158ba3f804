"""Streams and nodes from the command line."""

from __future__ import annotations

import json
import time
from dataclasses import replace

from logyard.bus.nodes import NodeReport, report_node
from logyard.server import Server
from tests.cli.conftest import Run
from tests.servers.publishing import Publisher


async def test_streams_are_listed(publisher: Publisher, logyard: Run) -> None:
    await publisher.publish("app.web", b"1", b"2")
    await publisher.publish("sys.nginx", b"x")
    lines = logyard("stream", "list").out.splitlines()
    assert lines[0].split() == ["STREAM", "HELD", "TOTAL", "TEXT", "MEMORY", "LOST", "NEWEST"]
    assert [line.split()[:3] for line in lines[1:]] == [["app.web", "2", "2"], ["sys.nginx", "1", "1"]]
    (told,) = json.loads(logyard("stream", "list", "nginx", "--json").out)
    assert (told["key"], told["records"], told["held"], told["bytes"]) == ("sys.nginx", 1, 1, 1)
    done = logyard("stream", "list", "ngnix")
    assert (done.code, done.out) == (1, "") and "did you mean nginx" in done.err


def test_no_streams_is_no_failure(logyard: Run) -> None:
    done = logyard("stream", "list")
    assert (done.code, done.out, done.err) == (0, "", "no streams yet\n")
    assert logyard("stream", "list", "--json").out == "[]\n"


async def test_nodes_are_listed_with_their_state(server: Server, logyard: Run) -> None:
    now = time.time()
    here = NodeReport(
        node="here", version="1.2", pid=1, started=now - 3600, time=now, source_count=4, counters={"records": 1234}
    )
    gone = NodeReport(node="gone", version="1.2", pid=1, started=now - 3600, time=now - 600)
    for report in (here, gone, replace(gone, node="done", state="stopped")):
        await report_node(server, report)
    lines = logyard("node", "list").out.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["done", "stopped", "0"],
        ["gone", "away", "0"],
        ["here", "running", "4"],
    ]
    assert "1,234" in lines[3]
    states = {told["node"]: told["state"] for told in json.loads(logyard("node", "list", "--json").out)}
    assert states == {"here": "running", "gone": "away", "done": "stopped"}


def test_no_nodes_is_no_failure(logyard: Run) -> None:
    done = logyard("node", "list")
    assert (done.code, done.out) == (0, "") and "no nodes yet" in done.err
