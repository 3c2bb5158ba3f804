"""Every answer that a ``_bulk`` request gets from a real Elasticsearch and OpenSearch, and where each record ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from logyard.batch import Selection
from logyard.drain import Context, DrainURI
from logyard.errors import DrainError, PartialFailure, Permanent
from logyard_drains import elasticsearch as drain_module
from tests.drains.records import batch_of, numbered, numbers_in
from tests.servers.elasticsearch import Server

pytestmark = pytest.mark.needs("elasticsearch", "opensearch")

CONTEXT = Context(name="es", node="router1")


def address(server: Server) -> str:
    return f"{server.product}://{server.host}:{server.port}"


async def send(server: Server, records: Sequence[Selection], **params: str) -> None:
    config = drain_module.configure(DrainURI.parse(address(server), params))
    async with drain_module.open(config, CONTEXT) as drain:
        await drain.send(records)


async def failure(server: Server, records: Sequence[Selection], **params: str) -> PartialFailure:
    with pytest.raises(PartialFailure) as caught:
        await send(server, records, **params)
    return caught.value


def with_app(app: str, lines: list[bytes]) -> Selection:
    return batch_of(lines, app=app, key=f"app.{app}")


def numbers(server: Server, index: str) -> list[int]:
    return numbers_in("\n".join(hit["_source"]["message"] for hit in server.documents(index)).encode())


async def test_records_arrive_once_however_often_they_are_sent(cluster: Server, index_name: str) -> None:
    for records in ([numbered(0, 5)], [numbered(0, 5), numbered(5, 5)], [numbered(0, 10)]):
        await send(cluster, records, index=index_name)
    assert numbers(cluster, index_name) == list(range(10))
    ids = {hit["_id"] for hit in cluster.documents(index_name)}
    batch = numbered(0, 10).batch
    assert ids == {batch.identity(offset) for offset in batch.offsets()}


async def test_compressed_requests_hold_the_same_documents(cluster: Server, index_name: str) -> None:
    records = [numbered(0, 1000, 100)]
    await send(cluster, records, index=index_name)
    await send(cluster, records, index=f"{index_name}z", compression="gzip")
    plain, packed = (cluster.documents(index) for index in (index_name, f"{index_name}z"))
    assert [hit["_source"] for hit in plain] == [hit["_source"] for hit in packed]
    assert len(plain) == 1000


async def test_an_applications_fields_of_any_type_can_be_searched_and_counted(cluster: Server, index_name: str) -> None:
    lines = [b'{"instance_index":%d,"value":%b}' % (number % 3, b"{}" if number % 2 else b'"x"') for number in range(9)]
    await send(cluster, [with_app(index_name, lines)], namespace=index_name, template="install")
    stream = f"logs-{index_name}-{index_name}"
    cluster.call("POST", f"/{stream}/_refresh")
    for instance in ("0", "1", "2"):
        found = cluster.call("POST", f"/{stream}/_count", {"query": {"term": {"json.instance_index": instance}}})
        assert found["count"] == 3
    query = {"size": 0, "aggs": {"instances": {"terms": {"field": "json.instance_index"}}}}
    answer = cluster.call("POST", f"/{stream}/_search", query)
    counts = {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["instances"]["buckets"]}
    # OpenSearch's flat_object is searched by its parts, but not counted: docs/elasticsearch.md says so.
    assert counts == ({} if cluster.product == "opensearch" else {"0": 3, "1": 3, "2": 3})
    assert all(hit["_index"].startswith(f".ds-{stream}-") for hit in cluster.documents(stream))


async def test_a_batch_that_spans_days_goes_to_the_index_of_each_day(cluster: Server, index_name: str) -> None:
    days = ("2026-03-13T23:59:59.999Z", "2026-03-14T00:00:00.000Z", "2026-03-13T12:00:00.000Z")
    lines = [b'{"time":"%b","msg":"record-%d-"}' % (day.encode(), number) for number, day in enumerate(days)]
    await send(cluster, [with_app("web", lines)], index=f"{index_name}-{{app}}-{{yyyy.MM.dd}}")
    assert numbers(cluster, f"{index_name}-web-2026.03.13") == [0, 2]
    assert numbers(cluster, f"{index_name}-web-2026.03.14") == [1]


async def test_applications_have_data_streams_of_their_own(cluster: Server, index_name: str) -> None:
    nginx = batch_of([b"record-2-"], key="sys.nginx", app=None, instance=None)
    records = [with_app("My-App", [b"record-1-"]), nginx]
    await send(cluster, records, namespace=index_name, template="install")
    assert numbers(cluster, f"logs-my_app-{index_name}") == [1]
    assert numbers(cluster, f"logs-sys.nginx-{index_name}") == [2]


async def test_a_name_twice_in_an_object_is_made_one_and_arrives(cluster: Server, index_name: str) -> None:
    lines = [b'{"n":1}', b'{"a":{"b":1,"b":2}}', b'{"n":2}', b'{"c":1,"c":2}']
    await send(cluster, [with_app("web", lines)], index=index_name)
    assert [hit["_source"]["json"] for hit in by_offset(cluster, index_name)] == [
        {"n": 1}, {"a": {"b": 2}}, {"n": 2}, {"c": 2},
    ]  # fmt: skip


def by_offset(server: Server, index: str) -> list[dict[str, Any]]:
    return sorted(server.documents(index), key=lambda hit: int(hit["_id"].rpartition(":")[2]))


@pytest.mark.parametrize(
    ("mapping", "line", "reason"),
    [
        ({"n": {"type": "long"}}, b'{"n":"abc"}', "field 'json.n' is long in the index, and string in this record"),
        ({"n": {"type": "long"}}, b'{"n":{"a":1}}', "field 'json.n' is long in the index, and object in this record"),
        (
            {"n": {"properties": {"a": {"type": "long"}}}},
            b'{"n":5}',
            "field 'json.n' is object in the index, and number in this record",
        ),
        ({"n": {"type": "date"}}, b'{"n":"soon"}', "field 'json.n' is date in the index, and string in this record"),
    ],
)
async def test_a_mapping_conflict_names_the_field_and_both_types(
    cluster: Server, index_name: str, mapping: dict[str, Any], line: bytes, reason: str
) -> None:
    put_index(cluster, index_name, mapping)
    error = await failure(cluster, [with_app("web", [b'{"fine":1}', line, b"text"])], index=index_name)
    assert list(error.refused) == [1]
    kind = "mapper" if cluster.product == "opensearch" else "document"
    assert error.refused[1].startswith(f"{reason}: {kind}_parsing_exception: ")
    assert not error.again
    assert cluster.count(index_name) == 2


def put_index(server: Server, index: str, fields: dict[str, Any], **settings: object) -> None:
    mappings = {"properties": {"json": {"properties": fields}}} if fields else {}
    server.call("PUT", f"/{index}", {"mappings": mappings, "settings": settings})


async def test_more_fields_than_the_index_may_have_are_refused(cluster: Server, index_name: str) -> None:
    put_index(cluster, index_name, {}, **{"index.mapping.total_fields.limit": 40})
    many = json.dumps({f"field{number}": number for number in range(50)}).encode()
    error = await failure(cluster, [with_app("web", [many, b"text"])], index=index_name)
    assert list(error.refused) == [0]
    assert "Limit of total fields [40]" in error.refused[0]


async def test_a_field_that_a_strict_mapping_does_not_know_is_refused(cluster: Server, index_name: str) -> None:
    mappings = {"properties": {"json": {"dynamic": "strict", "properties": {"known": {"type": "long"}}}}}
    cluster.call("PUT", f"/{index_name}", {"mappings": mappings})
    error = await failure(cluster, [with_app("web", [b'{"known":1}', b'{"new":1}'])], index=index_name)
    assert list(error.refused) == [1]
    assert "strict_dynamic_mapping_exception" in error.refused[1]


async def test_a_key_that_flattened_cannot_hold_is_refused(elasticsearch: Server, index_name: str) -> None:
    lines = [b'{"a\\u0000b":1}', b'{"ab":1}']
    error = await failure(elasticsearch, [with_app("web", lines)], namespace=index_name, template="install")
    assert list(error.refused) == [0]
    assert "reserved character" in error.refused[0]


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("index.blocks.write", "index write (api)"),
        ("index.blocks.read_only", "index read-only (api)"),
        ("index.blocks.read_only_allow_delete", "disk usage exceeded flood-stage watermark"),
    ],
)
async def test_a_blocked_index_is_waited_for_and_costs_no_record(
    cluster: Server, index_name: str, block: str, said: str
) -> None:
    put_index(cluster, index_name, {}, **{block: True})
    error = await failure(cluster, [numbered(0, 3)], index=index_name)
    assert not error.refused
    assert error.again == {0, 1, 2}
    assert said in str(error)
    cluster.call("PUT", f"/{index_name}/_settings", {block: False})
    await send(cluster, [numbered(0, 3)], index=index_name)
    assert numbers(cluster, index_name) == [0, 1, 2]


async def test_a_closed_index_is_waited_for(cluster: Server, index_name: str) -> None:
    put_index(cluster, index_name, {})
    cluster.call("POST", f"/{index_name}/_close")
    error = await failure(cluster, [numbered(0, 1)], index=index_name)
    assert (error.refused, set(error.again)) == ({}, {0})
    assert "index_closed_exception" in str(error)


async def test_shards_that_are_nowhere_are_waited_for_and_no_record_is_shown(cluster: Server, index_name: str) -> None:
    settings = {"index.routing.allocation.require._name": "nobody", "number_of_replicas": 0}
    cluster.call("PUT", f"/{index_name}?wait_for_active_shards=0", {"settings": settings})
    error = await failure(cluster, [batch_of([b"confidential"])], index=index_name, timeout="2s")
    assert (error.refused, set(error.again)) == ({}, {0})
    assert "unavailable_shards_exception" in str(error)
    assert "primary shard is not active" in str(error)
    assert "confidential" not in str(error)
    cluster.call("DELETE", f"/{index_name}")


@pytest.mark.parametrize("whose", ["index", "drain"])
async def test_a_pipeline_that_does_not_exist_fails_the_drain(
    elasticsearch: Server, index_name: str, whose: str
) -> None:
    params = {"index": index_name}
    if whose == "index":
        put_index(elasticsearch, index_name, {}, **{"index.default_pipeline": "missing"})
    else:
        params["pipeline"] = "missing"
    said = r"pipeline with id \[missing\] does not exist: create the ingest pipeline"
    with pytest.raises(Permanent, match=said):
        await send(elasticsearch, [numbered(0, 1)], **params)


async def test_an_alias_without_a_write_index_fails_the_drain(cluster: Server, index_name: str) -> None:
    for number in range(2):
        put_index(cluster, f"{index_name}-{number}", {})
    actions = [{"add": {"index": f"{index_name}-{number}", "alias": index_name}} for number in range(2)]
    cluster.call("POST", "/_aliases", {"actions": actions})
    with pytest.raises(Permanent, match="no write index is defined for alias"):
        await send(cluster, [numbered(0, 1)], index=index_name)


async def test_each_record_of_a_mixed_answer_ends_where_it_belongs(cluster: Server, index_name: str) -> None:
    apps = {kind: f"{index_name}-{kind}" for kind in ("fine", "blocked", "flooded", "typed")}
    put_index(cluster, apps["blocked"], {}, **{"index.blocks.write": True})
    put_index(cluster, apps["flooded"], {}, **{"index.blocks.read_only_allow_delete": True})
    put_index(cluster, apps["typed"], {"n": {"type": "long"}})
    fine = with_app(apps["fine"], [b"record-%d-" % number for number in range(4)])
    await send(cluster, [Selection(fine.batch, [0, 2])], index="{app}")
    typed = with_app(apps["typed"], [b'{"n":1}', b'{"n":"x"}', b'{"n":1,"n":3}'])
    records = [fine, with_app(apps["blocked"], [b"b"]), typed, with_app(apps["flooded"], [b"f", b"f"])]
    error = await failure(cluster, records, index="{app}")
    assert list(error.refused) == [6], "the mapping conflict"
    assert error.again == {4, 8, 9}, "the blocked and the flooded ones"
    assert numbers(cluster, apps["fine"]) == [0, 2, 1, 3]
    assert [hit["_source"]["json"] for hit in by_offset(cluster, apps["typed"])] == [{"n": 1}, {"n": 3}]
    # What is left, as the router sends it again, gets in once the blocks are gone.
    for kind, block in (("blocked", "index.blocks.write"), ("flooded", "index.blocks.read_only_allow_delete")):
        cluster.call("PUT", f"/{apps[kind]}/_settings", {block: False})
    await send(cluster, [records[1], records[3]], index="{app}")
    assert [cluster.count(app) for app in apps.values()] == [4, 1, 2, 2]


async def test_several_sends_at_once_arrive_completely(cluster: Server, index_name: str) -> None:
    config = drain_module.configure(DrainURI.parse(address(cluster), {"index": index_name}))
    async with drain_module.open(config, CONTEXT) as drain:
        await asyncio.gather(*(drain.send([numbered(start, 500, 200)]) for start in range(0, 5000, 500)))
    assert sorted(numbers(cluster, index_name)) == list(range(5000))


async def test_a_large_request_is_sent_whole(cluster: Server, index_name: str) -> None:
    await send(cluster, [numbered(0, 40, 100_000)], index=index_name)
    assert numbers(cluster, index_name) == list(range(40))


async def test_hosts_that_are_down_are_passed_over(cluster: Server, index_name: str) -> None:
    uri = f"{cluster.product}://127.0.0.1:1,{cluster.host}:{cluster.port},127.0.0.1:2/"
    config = drain_module.configure(DrainURI.parse(uri, {"index": index_name}))
    async with drain_module.open(config, CONTEXT) as drain:
        for start in range(0, 50, 10):
            await drain.send([numbered(start, 10)])
    assert numbers(cluster, index_name) == list(range(50))


async def test_flat_documents_go_to_an_index_of_ones_own_mapping(cluster: Server, index_name: str) -> None:
    lines = [b'{"time":"2026-03-14T00:00:00Z","status":500}']
    await send(cluster, [with_app("web", lines)], index=f"{index_name}-{{yyyy}}", format="json")
    (hit,) = cluster.documents(f"{index_name}-2026")
    assert (hit["_source"]["app"], hit["_source"]["status"]) == ("web", 500)


async def test_opening_for_a_trial_installs_nothing(cluster: Server, index_name: str) -> None:
    params = {"namespace": index_name, "template": "install"}
    config = drain_module.configure(DrainURI.parse(address(cluster), params))
    name = f"/_index_template/logyard-logs-any-{index_name}"
    async with drain_module.open(config, Context("es", "n", testing=True)):
        assert cluster.ask("GET", name)[0] == 404
    async with drain_module.open(config, CONTEXT):
        assert cluster.ask("GET", name)[0] == 200


async def test_an_older_template_is_replaced_and_a_later_or_foreign_one_left(cluster: Server, index_name: str) -> None:
    target = f"/_index_template/logyard-logs-any-{index_name}"

    async def opened() -> DrainError | None:
        params = {"namespace": index_name, "template": "install"}
        try:
            async with drain_module.open(drain_module.configure(DrainURI.parse(address(cluster), params)), CONTEXT):
                return None
        except DrainError as error:
            return error

    def put(version: int, by: str) -> None:
        body = {"index_patterns": [f"logs-*-{index_name}"], "priority": 150, "version": version}
        cluster.call("PUT", target, {**body, "_meta": {"managed_by": by}})

    def found() -> dict[str, Any]:
        template = cluster.call("GET", target)["index_templates"][0]["index_template"]
        assert isinstance(template, dict)
        return template

    put(0, "logyard")
    assert await opened() is None
    assert found()["version"] == 1
    assert found()["template"]["mappings"]["properties"]["json"]["type"] == (
        "flat_object" if cluster.product == "opensearch" else "flattened"
    )
    put(99, "logyard")
    assert await opened() is None
    assert found()["version"] == 99
    put(0, "somebody")
    assert "that logyard has not written" in str(await opened())
    assert found()["version"] == 0


async def test_an_object_nested_deeper_than_flattened_takes_arrives_as_text(
    elasticsearch: Server, index_name: str
) -> None:
    deep = b'{"a":' * 150 + b"1" + b"}" * 150
    await send(elasticsearch, [with_app("web", [deep, b'{"n":1}'])], namespace=index_name, template="install")
    first, second = by_offset(elasticsearch, f"logs-web-{index_name}")
    assert first["_source"]["message"] == deep.decode()
    assert "json" not in first["_source"]
    assert second["_source"]["json"] == {"n": 1}
