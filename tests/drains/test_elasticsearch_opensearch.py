"""Servers that do not say that they are Elasticsearch: a stand-in for OpenSearch, and what is no such server at all.

The stand-in says what a real one is not made to say; a real one is in test_elasticsearch_drain.py.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from logyard.drain import Context, DrainURI
from logyard.errors import NotConnected, Permanent, RetryLater
from logyard_drains import elasticsearch as drain_module
from tests.drains.records import numbered

CONTEXT = Context(name="os", node="router1")
EMPTY = {"type": "action_request_validation_exception", "reason": "Validation Failed: 1: no requests added;"}


class StandIn:
    """Attributes:
    ids: of the documents, in order.
    templates: by name.
    status: answered to everything when it is not 0.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.templates: dict[str, dict[str, object]] = {}
        self.status = 0
        self.port = 0

    async def start(self) -> web.AppRunner:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/_bulk", self._bulk)
        app.router.add_get("/_index_template/{name}", self._get)
        app.router.add_put("/_index_template/{name}", self._put)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        return runner

    async def _bulk(self, request: web.Request) -> web.Response:
        if self.status:
            return web.Response(status=self.status, text="<html>busy</html>", headers={"Retry-After": "3"})
        assert request.headers["Content-Type"] == "application/x-ndjson"
        body = await request.read()
        lines = [json.loads(line) for line in (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).split()]
        if not lines:
            return web.json_response({"error": EMPTY, "status": 400}, status=400)
        self.ids += [action["create"]["_id"] for action in lines[::2]]
        items = b",".join([b'{"create":{"status":201}}'] * (len(lines) // 2))
        return web.Response(body=b'{"errors":false,"items":[' + items + b"]}", content_type="application/json")

    async def _get(self, request: web.Request) -> web.Response:
        found = self.templates.get(request.match_info["name"])
        return web.json_response({"index_templates": [{"index_template": found}]}, status=200 if found else 404)

    async def _put(self, request: web.Request) -> web.Response:
        self.templates[request.match_info["name"]] = await request.json()
        return web.json_response({"acknowledged": True})


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    made = StandIn()
    runner = await made.start()
    yield made
    await runner.cleanup()


async def send(scheme: str, stand_in: StandIn, **params: str) -> None:
    config = drain_module.configure(DrainURI.parse(f"{scheme}://127.0.0.1:{stand_in.port}", params))
    async with drain_module.open(config, CONTEXT) as drain:
        # Without blanks: the stand-in takes a body apart at them.
        await drain.send([numbered(0, 10)])


async def test_opensearch_gets_the_same_documents(stand_in: StandIn) -> None:
    await send("opensearch", stand_in)
    batch = numbered(0, 10).batch
    assert stand_in.ids == [batch.identity(offset) for offset in batch.offsets()]


async def test_opensearch_gets_a_template_that_it_knows(stand_in: StandIn) -> None:
    await send("opensearch", stand_in, template="install")
    (made,) = stand_in.templates.values()
    text = json.dumps(made)
    assert "flat_object" in text
    assert "flattened" not in text


async def test_what_is_no_elasticsearch_is_told_what_to_write(stand_in: StandIn) -> None:
    with pytest.raises(Permanent, match=r"is no Elasticsearch; for an OpenSearch write opensearch://"):
        await send("elasticsearch", stand_in)
    assert not stand_in.ids


@pytest.mark.parametrize(("status", "said"), [(200, "is no OpenSearch"), (404, "is no OpenSearch"), (501, "is no")])
async def test_another_server_is_told(stand_in: StandIn, status: int, said: str) -> None:
    stand_in.status = status
    with pytest.raises(Permanent, match=said):
        await send("opensearch", stand_in)


async def test_a_proxy_that_is_busy_is_waited_for_as_long_as_it_says(stand_in: StandIn) -> None:
    stand_in.status = 503
    with pytest.raises(RetryLater, match="answered 503") as caught:
        await send("elasticsearch", stand_in)
    assert caught.value.delay == 3.0


async def test_something_that_does_not_speak_http_is_told() -> None:
    import asyncio

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.net ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        made = StandIn()
        made.port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotConnected):
            await send("elasticsearch", made)
