"""What an Elasticsearch holds when it and the router die at random moments, and when it refuses some records."""

from __future__ import annotations

import http.client
import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.faults.pipeline import LINE_BYTES, STREAM, Pipeline, make_lines
from tests.servers.elasticsearch import ElasticsearchNode, Server

LINES = 100_000
ROUTER_KILLS = 10
SERVER_KILLS = 2
PER_KILL = LINES // (ROUTER_KILLS + SERVER_KILLS)


@pytest.mark.needs("elasticsearch-node")
def test_twelve_kills_in_a_hundred_thousand_lines_leave_each_line_once(
    pipeline: Pipeline, own_elasticsearch: ElasticsearchNode, tmp_path: Path
) -> None:
    seed = int(os.environ.get("LOGYARD_TEST_SEED", "4"))
    chosen = random.Random(seed)
    print(f"LOGYARD_TEST_SEED={seed}")
    victims = ["router"] * ROUTER_KILLS + ["elasticsearch"] * SERVER_KILLS
    chosen.shuffle(victims)
    node, index = own_elasticsearch, "kills"
    source = tmp_path / "web.log"
    source.touch()
    # Small requests, several at once: each kill comes while some are on their way.
    uri = f"elasticsearch://127.0.0.1:{node.port}?index={index}&bulk_records=500&linger=0&compression=gzip"
    pipeline.add_drain("es", uri)
    pipeline.start_router()
    pipeline.start_agent(f"{STREAM}={source}")

    written = 0
    for number, victim in enumerate(victims):
        done = count(node, index)
        more = PER_KILL if number + 1 < len(victims) else LINES - written
        with source.open("ab") as output:
            output.write(make_lines(written, written + more))
        written += more
        due = done + chosen.randrange(max(1, (written - done) * 9 // 10))
        pipeline.wait(lambda: count(node, index) >= due, f"line {due} to be there (kill {number + 1})")  # noqa: B023
        if victim == "router":
            assert pipeline.router is not None
            pipeline.router.kill()
            pipeline.start_router()
        else:
            node.kill()
            node.start()
        print(f"kill {number + 1}: {victim} at line {due}, {count(node, index)} are there")

    pipeline.wait(lambda: count(node, index) >= LINES, "all lines", lambda: count(node, index))
    status = pipeline.wait(lambda: caught_up(pipeline, "es"), "the drain to know that it has caught up")
    found = [(hit["_id"], hit["_source"]["json"]["seq"]) for hit in node.documents(index, "json.seq")]
    first = min(number for _, number in found)
    assert sorted(number for _, number in found) == list(range(first, first + LINES))
    places = {int(id_.rpartition(":")[2]): number - first for id_, number in found}
    assert places == {number * LINE_BYTES: number for number in range(LINES)}, "each under its place in the file"
    assert (status["delivered"], status["dead"], status["dropped"]) == (LINES, 0, 0)


@pytest.mark.needs("elasticsearch")
def test_every_record_of_refused_blocked_and_repeated_ones_is_accounted_for(
    pipeline: Pipeline, elasticsearch: Server, index_name: str, tmp_path: Path
) -> None:
    blocks = {"blocked": "index.blocks.write", "flooded": "index.blocks.read_only_allow_delete"}
    for app, block in blocks.items():
        elasticsearch.call("PUT", f"/{index_name}-{app}", {"settings": {block: True}})
    mappings = {"properties": {"json": {"properties": {"n": {"type": "long"}}}}}
    elasticsearch.call("PUT", f"/{index_name}-typed", {"mappings": mappings})
    lines = {
        "fine": [b'{"n":%d}' % number for number in range(700)],
        "typed": [b'{"n":"odd"}' if number % 7 == 0 else b'{"n":%d}' % number for number in range(700)],
        "blocked": [b"text"] * 50,
        "flooded": [b"text"] * 30,
    }
    published, odd = sum(map(len, lines.values())), 100
    for app, texts in lines.items():
        (tmp_path / f"{app}.log").write_bytes(b"\n".join([*texts, b""]))
    uri = f"elasticsearch://127.0.0.1:{elasticsearch.port}?index={index_name}-{{app}}"
    pipeline.add_drain("first", uri, "--key", "app.fine")
    pipeline.start_router()
    pipeline.start_agent(*(f"app.{app}={tmp_path / app}.log" for app in lines))
    pipeline.wait(lambda: caught_up(pipeline, "first").get("delivered") == 700, "the first drain to have delivered")

    # To the second drain everything of the first is there already.
    pipeline.add_drain("all", uri)
    there = {"fine": 700, "typed": 600, "blocked": 0, "flooded": 0}
    pipeline.wait(lambda: counts(elasticsearch, index_name, lines) == there, "what gets in to be there")
    status = pipeline.wait(lambda: retrying(pipeline, "all"), "the drain to say that it waits")
    assert "cluster_block_exception" in status["last_error"]
    assert accounted(status) == published
    assert status["lag_records"] >= 80

    for app, block in blocks.items():
        elasticsearch.call("PUT", f"/{index_name}-{app}/_settings", {block: False})
    status = pipeline.wait(lambda: caught_up(pipeline, "all"), "everything to be delivered")
    assert counts(elasticsearch, index_name, lines) == {**there, "blocked": 50, "flooded": 30}
    assert (status["delivered"], status["dead"]) == (published - odd, odd)
    assert accounted(status) == published
    letters = pipeline.server.call("XRANGE", "logyard:{p00}:dead:all", "-", "+")
    assert len(letters) == odd
    for _, fields in letters:
        assert fields[b"text"] == b'{"n":"odd"}'
        assert fields[b"reason"].startswith(b"field 'json.n' is long in the index, and string in this record")


def count(node: Server, index: str) -> int:
    """How many documents there are; -1 while nobody answers."""
    try:
        return node.count(index)
    except (OSError, http.client.HTTPException, AssertionError):
        return -1


def counts(server: Server, index: str, apps: dict[str, list[bytes]]) -> dict[str, int]:
    return {app: server.count(f"{index}-{app}") for app in apps}


def accounted(status: dict[str, Any]) -> int:
    return int(status["delivered"] + status["dead"] + status.get("filtered", 0) + status["lag_records"])


def caught_up(pipeline: Pipeline, name: str) -> dict[str, Any]:
    """The drain's status once nothing is left to deliver, else {}."""
    status = pipeline.status(name)
    return status if status["lag_records"] == 0 else {}


def retrying(pipeline: Pipeline, name: str) -> dict[str, Any]:
    """The drain's status when it waits for its destination, else {}."""
    status = pipeline.status(name)
    return status if status["state"] == "retrying" else {}
