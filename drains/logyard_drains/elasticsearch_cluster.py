"""Requests to the nodes of an Elasticsearch or OpenSearch, by the transport of the official client.

The client's own layer above its transport is left out: it makes an object of each action and each item of an
answer, and refuses servers that are no Elasticsearch. Bodies go through as they are, and answers come back as bytes.
"""

from __future__ import annotations

import json
import logging
import os
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from logyard import __version__
from logyard.errors import DrainError, NotConnected, Permanent
from logyard.secret import Secret
from logyard_drains.elasticsearch_answers import one_line, request_failure
from logyard_drains.http_body import body_of
from logyard_drains.stream_socket import address_text
from logyard_drains.tls_socket import tls_failure

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch, TransportError

__all__ = ["Answer", "Cluster", "open_cluster"]

_BULK = "application/x-ndjson"
_JSON = "application/json"
_PRODUCT = "x-elastic-product"


@dataclass(frozen=True, slots=True)
class Answer:
    """Attributes:
    status: the code.
    body: as it came.
    product: the server says that it is Elasticsearch.
    retry_after: seconds that it asks us to wait, or None.
    """

    status: int
    body: bytes
    product: bool
    retry_after: float | None = None

    def json(self) -> Any:
        """What the body holds, None when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Cluster:
    """Some nodes; each request goes to one of them, and to the next when that one cannot be reached.

    Attributes:
        name: for messages.
    """

    def __init__(
        self, client: AsyncElasticsearch, name: str, authorization: Secret | None, *, timeout: float, opensearch: bool
    ) -> None:
        self.name = name
        self._timeout = timeout
        self._transport = client.transport
        self._authorization = authorization
        self._opensearch = opensearch

    async def request(
        self, method: str, target: str, body: Sequence[bytes] = (), *, kind: str = _JSON, encoding: str = ""
    ) -> Answer:
        """One request.

        Args:
            target: path and query.
            body: in pieces; ``kind`` is its media type and ``encoding`` how it is compressed.

        Raises:
            NotConnected: no node can be reached, or the connection broke.
            Permanent: certificates are refused.
        """
        from elasticsearch import TransportError

        headers = {"accept": _JSON, "user-agent": f"logyard/{__version__}"}
        if self._authorization is not None:
            headers["authorization"] = self._authorization.reveal()
        if body:
            headers["content-type"] = kind
        if encoding:
            headers["content-encoding"] = encoding
        try:
            answer = await self._transport.perform_request(
                method, target, body=body_of(body) if body else None, headers=headers, request_timeout=self._timeout
            )
        except TransportError as error:
            failure = error
        else:
            meta = answer.meta
            wait = meta.headers.get("retry-after") or ""
            return Answer(
                meta.status,
                answer.body or b"",
                meta.headers.get(_PRODUCT) == "Elasticsearch",
                float(wait) if wait.isdecimal() else None,
            )
        raise self._translate(failure)

    async def bulk(self, target: str, body: Sequence[bytes], encoding: str) -> bytes:
        """The answer, of status 200, to a ``_bulk`` request.

        Raises:
            DrainError: it was refused as a whole.
        """
        answer = await self.request("POST", target, body, kind=_BULK, encoding=encoding)
        if answer.status != 200:
            raise self.failure(answer)
        return answer.body

    async def check(self) -> None:
        """Look whether this is a server that we can use, by a ``_bulk`` request that holds nothing.

        Neither ``GET /`` nor the cluster's health will do: an account that may only create documents may see neither.

        Raises:
            DrainError: it is not, with what to do.
        """
        answer = await self.request("POST", "/_bulk", [b"\n"], kind=_BULK)
        found = answer.json()
        known = isinstance(found, dict) and "error" in found
        if not known or not (answer.product or self._opensearch):
            if answer.status in (401, 403, 429, 502, 503, 504):
                raise self.failure(answer)  # as a proxy in front answers, too
            hint = "; for an OpenSearch write opensearch://" if known and not self._opensearch else ""
            raise Permanent(f"{self.name}: what answers there ({answer.status}) is no {self._kind}{hint}")
        # The role may allow to create documents in some indices only: a 403 here would be about all of them.
        if answer.status != 400:
            raise self.failure(answer)
        if "media_type" in str(found["error"]):
            raise self.failure(answer)

    def failure(self, answer: Answer) -> DrainError:
        """The error for an answer that is no success."""
        return request_failure(answer.status, answer.body, self.name, answer.retry_after)

    @property
    def _kind(self) -> str:
        return "OpenSearch" if self._opensearch else "Elasticsearch"

    def _translate(self, error: TransportError) -> DrainError:
        from elasticsearch import ConnectionTimeout, SerializationError

        if isinstance(error, SerializationError):
            return Permanent(f"{self.name}: what answers there is no {self._kind}")
        if isinstance(error, ConnectionTimeout):
            return NotConnected(f"{self.name}: no answer in {self._timeout:g} s")
        seen: BaseException | None = error.__context__
        while seen is not None:
            for found in (getattr(seen, "certificate_error", None), getattr(seen, "os_error", None), seen):
                if isinstance(found, ssl.SSLError):
                    return tls_failure(self.name, self._servername(seen), found)
            if isinstance(seen, ssl.CertificateError):
                return Permanent(f"{self.name}: {seen}")
            seen = seen.__cause__ or seen.__context__
        return NotConnected(f"{self.name}: {_reason(error)}")

    def _servername(self, error: BaseException) -> str:
        return str(getattr(error, "host", self.name))


def _reason(error: TransportError) -> str:
    """What went wrong below HTTP."""
    seen = error.__context__
    for found in (getattr(seen, "os_error", None), seen):
        if isinstance(found, OSError) and found.errno:
            return os.strerror(found.errno) if found.errno > 0 else found.strerror or "the name cannot be resolved"
    text = one_line(str(error.message))
    return "the connection broke" if text in ("", "None") else text


@asynccontextmanager
async def open_cluster(
    hosts: Sequence[tuple[str, int]],
    context: ssl.SSLContext | None,
    *,
    path: str,
    authorization: Secret | None,
    connections: int,
    timeout: float,
    opensearch: bool,
) -> AsyncIterator[Cluster]:
    """Nodes to send requests to; connects when the first one is sent.

    Args:
        hosts: names and ports.
        context: for TLS, None without it.
        path: in front of every target, as a proxy may want it.
        authorization: the header's value.
        connections: to one node at once.
        timeout: seconds that an answer may take. A node that lets it pass is not asked again for a while, which is
            why this has to be less than what the caller waits.
        opensearch: the servers need not say that they are Elasticsearch.
    """
    from elasticsearch import AsyncElasticsearch
    from elasticsearch.serializer import Serializer

    from logyard_drains.elasticsearch_node import Node

    class Raw(Serializer):
        """Bodies as they are, both ways."""

        def dumps(self, data: Any) -> bytes:
            return data  # type: ignore[no-any-return]

        def loads(self, data: bytes) -> bytes:
            return data

    # What it has to say is raised; it would tell with a traceback that it tries the next node, and it makes text of
    # each body for a log, whoever reads that.
    own_log = logging.getLogger("elastic_transport")
    own_log.setLevel(logging.CRITICAL)
    own_log.propagate = False
    scheme = "https" if context else "http"
    nodes = [f"{scheme}://{address_text(host, port)}{path}" for host, port in hosts]
    tls: dict[str, Any] = {"ssl_context": context} if context else {}
    # Trying once more is harmless, as each document has an id; a connection that a balancer closed while it was idle
    # is no reason to begin anew.
    client = AsyncElasticsearch(
        nodes,
        connections_per_node=connections,
        node_class=Node,
        serializers=dict.fromkeys((_JSON, _BULK, "application/*", "text/*"), Raw()),
        max_retries=max(1, len(hosts) - 1),
        retry_on_status=(),
        meta_header=False,
        **tls,
    )
    name = ",".join(address_text(host, port) for host, port in hosts)
    try:
        yield Cluster(client, name, authorization, timeout=timeout, opensearch=opensearch)
    finally:
        await client.close()
