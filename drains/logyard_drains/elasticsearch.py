"""``elasticsearch://host:9200``: records as documents of Elasticsearch or OpenSearch, each of them once."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from logyard.batch import Selection
from logyard.drain import Context, DrainURI, Limits, Receipt
from logyard.errors import PartialFailure, Permanent, TooLarge, UsageError
from logyard.formats.splice import Columns, Documents, offsets
from logyard.secret import Secret
from logyard_drains.elasticsearch_answers import all_created, judge
from logyard_drains.elasticsearch_bulk import bulk_lines
from logyard_drains.elasticsearch_cluster import Cluster, open_cluster
from logyard_drains.elasticsearch_conflicts import explained
from logyard_drains.elasticsearch_names import IndexName, data_stream, index_pattern
from logyard_drains.elasticsearch_template import is_ours, needs_installing, template, template_name
from logyard_drains.http_compression import compressed
from logyard_drains.tls_socket import TlsSettings, make_context

if TYPE_CHECKING:
    from logyard.formats import Format

__all__ = ["Config", "configure", "open"]

PORT = 9200
TIMEOUT = 60.0
_FILTER = "filter_path=errors,items.*.status,items.*.error"
_PARAMETERS = (
    "api_key", "bearer", "bulk_bytes", "bulk_records", "compression", "format", "in_flight", "index", "linger",
    "namespace", "pipeline", "template", "timeout",
)  # fmt: skip
_TLS_PARAMETERS = ("ca", "cert", "key")
_CREDENTIAL = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Config:
    """Attributes:
    hosts: names and ports of the nodes.
    index: where records go; ``stream``: to data streams.
    limits: of one send.
    tls: certificates, None without TLS.
    path: in front of every request's own.
    authorization: the header's value.
    format: ``ecs`` or ``json``.
    pipeline: the ingest pipeline, "" for the index's own.
    install: whether the index template is to be installed.
    gzip: whether requests are compressed.
    opensearch: it is one.
    """

    hosts: tuple[tuple[str, int], ...]
    index: IndexName
    stream: bool
    limits: Limits
    tls: TlsSettings | None = None
    path: str = ""
    authorization: Secret | None = None
    format: str = "ecs"
    pipeline: str = ""
    install: bool = False
    gzip: bool = False
    opensearch: bool = False


def configure(uri: DrainURI) -> Config:
    """Settings from ``elasticsearch[+https]://[user:password@]host[:port][,host...][/path]?...`` (docs/drains.md)."""
    product, _, transport = uri.scheme.partition("+")
    uri.refuse_unknown(*_PARAMETERS, *(_TLS_PARAMETERS if transport else ()), several=True)
    if not uri.host:
        raise UsageError(f"{uri.scheme}:// needs a host: write {uri.scheme}://host:{PORT}")
    index, stream = _target(uri)
    written = uri.text("format", "ecs", choices=("ecs", "json"))
    if stream and written != "ecs":
        raise UsageError(f"format={written}: a data stream needs ECS documents; give an index= for this format")
    install = uri.text("template", "none", choices=("none", "install")) == "install"
    if install and written != "ecs":
        raise UsageError(f"template=install is for format=ecs; install a template of your own for {written}")
    if install and not re.match(r"[a-z0-9]{2}", index.wildcard):
        raise UsageError(f"template=install: index={index.text!r} must begin with a fixed word, as it would be for all")
    timeout = uri.seconds("timeout", TIMEOUT)
    if timeout < 2:
        raise UsageError("timeout: give at least 2s")
    return Config(
        hosts=tuple((host, port or PORT) for host, port in ((uri.host, uri.port), *uri.others)),
        index=index,
        stream=stream,
        limits=Limits(
            max_bytes=uri.number("bulk_bytes", 1 << 20, minimum=1024, maximum=64 << 20),
            max_records=uri.number("bulk_records", 10_000, minimum=1, maximum=100_000),
            linger=uri.seconds("linger", 0.2),
            timeout=timeout,
            in_flight=uri.number("in_flight", 4, minimum=1, maximum=64),
        ),
        tls=TlsSettings.of(uri) if transport else None,
        path=uri.path.rstrip("/"),
        authorization=_authorization(uri),
        format=written,
        pipeline=uri.text("pipeline"),
        install=install,
        gzip=uri.text("compression", "none", choices=("none", "gzip")) == "gzip",
        opensearch=product == "opensearch",
    )


def _target(uri: DrainURI) -> tuple[IndexName, bool]:
    """Where records go, and whether these are data streams."""
    pattern = uri.params.get("index")
    if pattern is None:
        return data_stream(uri.text("namespace", "default")), True
    if "namespace" in uri.params:
        raise UsageError("give either index= or namespace=: a data stream has a namespace, an index has none")
    return index_pattern(pattern), False


def _authorization(uri: DrainURI) -> Secret | None:
    from base64 import b64encode

    given = [name for name in ("api_key", "bearer") if name in uri.params]
    if uri.user is not None:
        if uri.password is None:
            raise UsageError(f"{uri.scheme}:// has a user and no password: write {uri.scheme}://user:password@host")
        given.append("user:password@")
    if len(given) > 1:
        raise UsageError(f"give only one of {', '.join(given)}")
    if uri.user is not None:
        return Secret(f"Basic {b64encode(f'{uri.user}:{uri.password}'.encode()).decode()}")
    for name, word in (("api_key", "ApiKey"), ("bearer", "Bearer")):
        if (value := uri.params.get(name)) is not None:
            if name == "api_key" and ":" in value:  # as "id:key", before encoding
                value = b64encode(value.encode()).decode()
            if not _CREDENTIAL.fullmatch(value):
                raise UsageError(f"{name}= must be visible ASCII characters without blanks")
            return Secret(f"{word} {value}")
    return None


@asynccontextmanager
async def open(config: Config, context: Context) -> AsyncIterator[ElasticsearchDrain]:  # noqa: A001 - the contract's name
    """Look whether the servers take our requests, and install the template if that is asked for.

    Raises:
        NotConnected: no node can be reached.
        RetryLater: they are too busy.
        Permanent: credentials or certificates are refused, it is something else, or the template is refused.
    """
    tls = None if config.tls is None else await asyncio.to_thread(make_context, config.tls)
    async with open_cluster(
        config.hosts,
        tls,
        path=config.path,
        authorization=config.authorization,
        connections=config.limits.in_flight,
        timeout=0.9 * config.limits.timeout,
        opensearch=config.opensearch,
    ) as cluster:
        await cluster.check()
        if config.install:
            await _install(cluster, config, dry=context.testing)
        yield ElasticsearchDrain(cluster, config)


async def _install(cluster: Cluster, config: Config, *, dry: bool) -> None:
    """Install the template unless the servers have it; ``dry``: only look whether we may."""
    name = template_name(config.index)
    target = f"/_index_template/{quote(name)}"
    answer = await cluster.request("GET", target)
    found = None
    if answer.status == 200:
        found = json.loads(answer.body)["index_templates"][0]["index_template"]
        if not is_ours(found):
            raise Permanent(
                f"{cluster.name}: there is a template {name} that logyard has not written: rename or remove it,"
                " or leave template=install away"
            )
    elif answer.status == 403:
        raise Permanent(
            f"{cluster.failure(answer)}: template=install needs the cluster privilege manage_index_templates;"
            " or install the template by hand, and leave template=install away"
        )
    elif answer.status != 404:
        raise cluster.failure(answer)
    if dry or not needs_installing(found):
        return
    body = json.dumps(template(config.index, stream=config.stream, opensearch=config.opensearch)).encode()
    answer = await cluster.request("PUT", target, [body])
    if answer.status != 200:
        error = cluster.failure(answer)
        raise Permanent(f"{error}; the template {name} was not installed") if answer.status < 429 else error


class _Encoder(Protocol):
    def documents(self, selection: Selection, normalise: bool = False) -> Documents:
        """One JSON object for each record; ``normalise``: no name occurs twice in any of them."""


def _encoder(name: str) -> _Encoder:
    if name == "json":
        from logyard.formats.json import JsonFormat

        return _Json(JsonFormat())
    from logyard.formats.ecs import EcsFormat

    return EcsFormat()


@dataclass(frozen=True, slots=True)
class _Json:
    """The flat format, in which no name ever occurs twice on the top level."""

    format: Format

    def documents(self, selection: Selection, normalise: bool = False) -> Documents:
        del normalise
        made = self.format.encode(selection)
        # Each begins with the record's time.
        stamps = [document[len(b'{"time":"') :].partition(b'"')[0] for document in made]
        return Columns(len(made), (made,), stamps, offsets(selection))


class ElasticsearchDrain:
    """Servers that have answered."""

    def __init__(self, cluster: Cluster, config: Config) -> None:
        self.limits = config.limits
        self._cluster = cluster
        self._name = config.index
        self._encoder = _encoder(config.format)
        self._gzip = config.gzip
        # The servers give up before we do, so that they can still say what they were waiting for.
        wait = f"timeout={max(1, int(config.limits.timeout * 0.6))}s"
        pipeline = f"&pipeline={quote(config.pipeline, safe='')}" if config.pipeline else ""
        self._target = f"/_bulk?{_FILTER}&{wait}{pipeline}"

    async def send(self, records: Sequence[Selection]) -> Receipt | None:
        """Hand over the records, and read what became of each.

        Raises:
            PartialFailure: some are refused for good, or have to be sent again.
            DrainError: the request was refused as a whole, or the connection broke; sent again, what has arrived is
                not stored a second time.
        """
        records = [selection for selection in records if selection.count]
        if not records:
            return None
        outcome = await self._bulk(records, normalise=False)
        if outcome is None:
            return None
        refused, again, rewritable = outcome
        if rewritable:
            # Names that occur twice in an application's object are valid JSON; being told costs less than looking.
            positions = sorted(rewritable)
            outcome = await self._bulk(_picked(records, positions), normalise=True)
            if outcome is not None:
                for late, early in zip(outcome, (refused, again, refused), strict=True):
                    early.update({positions[position]: reason for position, reason in late.items()})
        if not refused and not again:
            return None
        summary = next(iter(again.values()), f"{len(refused)} records were refused; their reasons are with them")
        raise PartialFailure(f"{self._cluster.name}: {summary}", refused, frozenset(again))

    async def _bulk(
        self, records: Sequence[Selection], *, normalise: bool
    ) -> tuple[dict[int, str], dict[int, str], dict[int, str]] | None:
        """One request: None when it took everything, else the refused, those for another time, and the rewritable."""
        documents = [self._encoder.documents(selection, normalise) for selection in records]
        body = [
            part
            for selection, made in zip(records, documents, strict=True)
            for part in bulk_lines(selection.batch, made, self._name)
        ]
        packed = await compressed(body, "gzip") if self._gzip else body
        answer = await self._cluster.bulk(self._target, packed, "gzip" if self._gzip else "")
        counts = [selection.count for selection in records]
        if all_created(answer, sum(counts)):
            return None
        verdicts = judge(answer, counts, self._cluster.name)
        if verdicts.failing is not None:
            raise Permanent(f"{self._cluster.name}: {verdicts.failing}")
        if verdicts.too_large is not None:
            raise TooLarge(f"{self._cluster.name}: {verdicts.too_large}")
        flat = [document for made in documents for document in made.written()] if verdicts.refused else []
        refused = {at: explained(reason, flat[at]) for at, reason in verdicts.refused.items()}
        return refused, verdicts.again, verdicts.rewritable

    def confirmed(self) -> None:
        """Returning from `send` says so."""

    async def finish(self) -> None:
        """Every answer has been waited for."""


def _picked(records: Sequence[Selection], positions: Sequence[int]) -> list[Selection]:
    """The records at ``positions``, ascending and counted over all selections."""
    wanted = set(positions)
    picked, start = [], 0
    for selection in records:
        own = range(selection.batch.count) if selection.positions is None else selection.positions
        mine = [own[at] for at in range(selection.count) if start + at in wanted]
        if mine:
            picked.append(replace(selection, positions=mine))
        start += selection.count
    return picked
