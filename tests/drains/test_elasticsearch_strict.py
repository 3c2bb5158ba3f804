"""A cluster with accounts, TLS and low limits: what is refused as a whole, and what a new drain is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from logyard.batch import Selection
from logyard.drain import Context, DrainURI
from logyard.errors import DrainError, NotConnected, PartialFailure, Permanent, RetryLater, TooLarge
from logyard.router.backoff import Backoff
from logyard.router.sending import Outcome, Sender
from logyard_drains import elasticsearch as drain_module
from tests.drains.records import batch_of, numbered
from tests.servers.certificates import Certificates
from tests.servers.elasticsearch import ADMIN, WRITER, Server
from tests.servers.processes import free_port

pytestmark = pytest.mark.needs("elasticsearch-node", "openssl")

CONTEXT = Context(name="es", node="router1")


def address(server: Server, account: tuple[str, str] | None = ADMIN, scheme: str = "elasticsearch+https") -> str:
    user = f"{':'.join(account)}@" if account else ""
    ca = f"?ca={server.ca}" if scheme.endswith("https") else ""
    return f"{scheme}://{user}localhost:{server.port}{ca}"


async def send(uri: str, *sends: list[Selection], testing: bool = False, **params: str) -> None:
    config = drain_module.configure(DrainURI.parse(uri, params))
    async with drain_module.open(config, dataclasses.replace(CONTEXT, testing=testing)) as drain:
        for records in sends:
            await drain.send(records)


async def failure(uri: str, *sends: list[Selection], **params: str) -> DrainError:
    with pytest.raises(DrainError) as caught:
        await send(uri, *sends, testing=False, **params)
    for secret in (ADMIN[1], WRITER[1]):
        assert secret not in f"{caught.value!r}"
    return caught.value


async def test_an_account_that_may_only_create_documents_will_do(strict_elasticsearch: Server, index_name: str) -> None:
    await send(address(strict_elasticsearch, WRITER), [numbered(0, 3)], index=f"may-{index_name}")
    assert strict_elasticsearch.count(f"may-{index_name}") == 3


async def test_an_index_that_the_role_does_not_cover_fails_the_drain_and_costs_no_record(
    strict_elasticsearch: Server, index_name: str
) -> None:
    error = await failure(address(strict_elasticsearch, WRITER), [numbered(0, 1)], index=index_name)
    assert isinstance(error, Permanent)
    assert "security_exception" in str(error)
    assert "is unauthorized for user [writer]" in str(error)
    assert "give the user a role" in str(error)
    # Beside others that are refused for good or got in, too: all of them are sent again once the role is right.
    app = batch_of([b"{"], app=f"may-{index_name}")
    error = await failure(address(strict_elasticsearch, WRITER), [app, numbered(0, 1)], index="{app}")
    assert isinstance(error, Permanent)


@pytest.mark.parametrize(
    ("params", "account"),
    [({}, ("admin", "wrong")), ({}, ("nobody", "x")), ({}, None), ({"api_key": "abcd"}, None), ({"bearer": "x"}, None)],
)
async def test_wrong_credentials_are_told_when_the_address_is_tried(
    strict_elasticsearch: Server, params: dict[str, str], account: tuple[str, str] | None
) -> None:
    with pytest.raises(Permanent, match=r"answered 401: security_exception: .*; check user and password, api_key="):
        await send(address(strict_elasticsearch, account), testing=True, **params)


async def test_a_template_that_may_not_be_installed_is_told_when_the_address_is_tried(
    strict_elasticsearch: Server,
) -> None:
    with pytest.raises(Permanent, match="needs the cluster privilege manage_index_templates"):
        await send(address(strict_elasticsearch, WRITER), testing=True, template="install")
    await send(address(strict_elasticsearch), testing=True, template="install")


async def test_a_certificate_that_is_not_trusted_is_refused(
    strict_elasticsearch: Server, certificates: Certificates
) -> None:
    error = await failure(f"elasticsearch+https://localhost:{strict_elasticsearch.port}?ca={certificates.other_ca}")
    assert isinstance(error, Permanent)
    assert "not signed by an authority we trust" in str(error)


async def test_a_port_without_or_with_tls_is_told(strict_elasticsearch: Server) -> None:
    error = await failure(address(strict_elasticsearch, scheme="elasticsearch"))
    assert isinstance(error, NotConnected | Permanent)
    assert f"localhost:{strict_elasticsearch.port}" in str(error)


async def test_a_request_above_the_pressure_limit_is_halved_until_it_passes(
    strict_elasticsearch: Server, index_name: str
) -> None:
    uri = address(strict_elasticsearch)
    error = await failure(uri, [numbered(0, 40, 10_000)], index=index_name)
    assert isinstance(error, TooLarge)
    outcome = await sent_as_the_router_does(uri, [numbered(0, 40, 10_000)], index=index_name)
    assert outcome.dead == 0
    assert strict_elasticsearch.count(index_name) == 40


async def test_a_request_that_http_does_not_take_is_halved_until_it_passes(
    strict_elasticsearch: Server, index_name: str
) -> None:
    error = await failure(address(strict_elasticsearch), [numbered(0, 20, 100_000)], index=index_name)
    assert isinstance(error, TooLarge)
    assert "answered 413" in str(error)


async def test_pressure_of_others_is_waited_for(strict_elasticsearch: Server, index_name: str) -> None:
    import asyncio

    config = drain_module.configure(DrainURI.parse(address(strict_elasticsearch), {"index": index_name}))
    async with drain_module.open(config, CONTEXT) as drain:
        for _ in range(50):
            sends = [drain.send([numbered(start, 20, 10_000)]) for start in range(0, 160, 20)]
            results = await asyncio.gather(*sends, return_exceptions=True)
            refused = [result for result in results if result is not None]
            if refused:
                break
    assert refused, "the limit was never reached"
    for result in refused:
        assert isinstance(result, RetryLater | PartialFailure), result
        assert "es_rejected_execution_exception" in str(result)
        if isinstance(result, PartialFailure):
            assert not result.refused


@pytest.fixture
def settings(strict_elasticsearch: Server) -> Iterator[dict[str, object]]:
    """Settings of the whole cluster, put back after the test."""
    changed: dict[str, object] = {}
    yield changed
    strict_elasticsearch.call("PUT", "/_cluster/settings", {"persistent": dict.fromkeys(changed)})


def change(server: Server, settings: dict[str, object], name: str, value: object) -> None:
    settings[name] = value
    server.call("PUT", "/_cluster/settings", {"persistent": {name: value}})


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("cluster.max_shards_per_node", 1, "maximum normal shards open"),
        ("action.auto_create_index", "false", "[action.auto_create_index] is [false]"),
    ],
)
async def test_an_index_that_cannot_be_made_is_waited_for_and_costs_no_record(
    strict_elasticsearch: Server, index_name: str, settings: dict[str, object], setting: str, value: object, said: str
) -> None:
    strict_elasticsearch.call("PUT", f"/{index_name}-there", {"settings": {"number_of_replicas": 0}})
    change(strict_elasticsearch, settings, setting, value)
    there, new = batch_of([b"a"], app=f"{index_name}-there"), batch_of([b"b", b"c"], app=f"{index_name}-new")
    error = await failure(address(strict_elasticsearch), [there, new], index="{app}")
    assert isinstance(error, PartialFailure)
    assert (error.refused, set(error.again)) == ({}, {1, 2})
    assert said in str(error)
    assert strict_elasticsearch.count(f"{index_name}-there") == 1
    change(strict_elasticsearch, settings, setting, None)
    await send(address(strict_elasticsearch), [new], index="{app}")
    assert strict_elasticsearch.count(f"{index_name}-new") == 2


class Buried:
    """Dead letters that nobody expects."""

    async def bury(self, records: object, refused: dict[int, str]) -> int:
        raise AssertionError(f"a record was refused: {refused}")


async def sent_as_the_router_does(uri: str, records: list[Selection], **params: str) -> Outcome:
    async def sleep(seconds: float) -> None:
        raise AssertionError("it should not wait")

    config = drain_module.configure(DrainURI.parse(uri, params))
    async with drain_module.open(config, CONTEXT) as drain:
        sender = Sender(drain, Buried(), Backoff(), sleep, print, lambda: 0.5)  # type: ignore[arg-type]
        return await sender.send(records)


async def test_nobody_there_is_told_with_the_host(tmp_path: Path) -> None:
    port = free_port()
    error = await failure(f"elasticsearch://127.0.0.1:{port}")
    assert isinstance(error, NotConnected)
    assert str(error) == f"127.0.0.1:{port}: Connection refused"
