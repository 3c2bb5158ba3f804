"""``http://`` and ``https://``: records to any endpoint that takes them as lines, as an array or one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from logyard.batch import Selection
from logyard.drain import Context, DrainURI
from logyard.errors import UsageError
from logyard.formats import make_format
from logyard.formats.framing import one_by_one
from logyard_drains import http_client
from logyard_drains.http_answer import StatusCodes
from logyard_drains.http_auth import HEADER
from logyard_drains.http_client import Endpoint, open_endpoint
from logyard_drains.http_drain import HttpDrain, limits
from logyard_drains.http_parts import Part, pack

if TYPE_CHECKING:
    from logyard.formats import Format

__all__ = ["Config", "configure", "open"]

Body = Literal["ndjson", "array", "single"]
BODIES: tuple[Body, ...] = ("ndjson", "array", "single")
QUERY = "query."
"""How the names of parameters begin that belong to the endpoint."""
MAX_BYTES = 1024 * 1024
MAX_RECORDS = 50_000
LINGER = 0.2
_RECORDS_OF_SINGLES = 100
"""What one send brings where each record is a request: what is repeated when the process is killed meanwhile."""
_PARAMETERS = (
    *http_client.PARAMETERS, "format", "body", "method", "bearer", "success", "max_bytes", "max_records", "linger",
    "content_type", "header.NAME", "query.NAME",
)  # fmt: skip
_JSON = frozenset({"json", "nested", "ecs", "loggly"})
"""Formats whose records are JSON values."""


@dataclass(frozen=True, slots=True)
class Config:
    """Attributes:
    endpoint: where to.
    format: how a record is written.
    body: how records make a request's body.
    max_bytes: of a body, before it is compressed.
    max_records: in a body.
    linger: seconds that records wait for company.
    """

    endpoint: Endpoint
    format: Format
    body: Body = "ndjson"
    max_bytes: int = MAX_BYTES
    max_records: int = MAX_RECORDS
    linger: float = LINGER


def configure(uri: DrainURI) -> Config:
    """Settings from ``https://host/path?...`` (docs/drains.md)."""
    tls = uri.scheme == "https"
    _refuse_unknown(uri, (*_PARAMETERS, *(http_client.TLS_PARAMETERS if tls else ())))
    body = cast("Body", uri.text("body", "ndjson", choices=BODIES))
    written = make_format(uri.text("format", "json"))
    is_json = written.name in _JSON
    if body == "array" and not is_json:
        raise UsageError(f"body=array needs records that are JSON: leave out format={written.name}")
    typed = "text/plain; charset=utf-8"
    if is_json:
        typed = "application/x-ndjson" if body == "ndjson" else "application/json"
    content_type = uri.text("content_type", typed)
    if not content_type.isascii() or not content_type.isprintable():
        raise UsageError("content_type= is one line of ASCII text: write application/json")
    endpoint = Endpoint.of(
        uri,
        tls=tls,
        path=uri.path,
        query={name.removeprefix(QUERY): value for name, value in uri.params.items() if name.startswith(QUERY)},
        content_type=content_type,
        method=uri.text("method", "POST", choices=("POST", "PUT")),
        success=StatusCodes.parse(uri.text("success", "200-299")),
        # One by one the records keep their order, unless it is asked otherwise.
        in_flight=1 if body == "single" else http_client.IN_FLIGHT,
    )
    return Config(
        endpoint=endpoint,
        format=written,
        body=body,
        max_bytes=uri.number("max_bytes", MAX_BYTES, minimum=1024, maximum=256 * 1024 * 1024),
        max_records=1 if body == "single" else uri.number("max_records", MAX_RECORDS, minimum=1),
        linger=0.0 if body == "single" else uri.seconds("linger", LINGER),
    )


def _refuse_unknown(uri: DrainURI, known: Sequence[str]) -> None:
    for name in uri.params:
        if name in {HEADER, QUERY}:
            raise UsageError(f"{name}= needs a name: write {name}NAME=value")
        if name not in known and not name.startswith((HEADER, QUERY)):
            try:
                uri.refuse_unknown(*known, *(other for other in uri.params if other.startswith((HEADER, QUERY))))
            except UsageError as error:
                raise type(error)(f"{error}. The endpoint's own are written {QUERY}{name}=...") from None


@asynccontextmanager
async def open(config: Config, context: Context) -> AsyncIterator[HttpDrain]:  # noqa: A001 - the contract's name
    """Connect.

    Raises:
        NotConnected: nobody answers.
        Permanent: a certificate is refused.
    """
    async with open_endpoint(config.endpoint) as client:
        encode = _Encoder(config)
        if config.body == "single":
            bounds = limits(client, config.max_bytes, _RECORDS_OF_SINGLES, 0, in_flight=1)
            yield HttpDrain(client, encode.singles, bounds, at_once=config.endpoint.in_flight)
            return
        # Text becomes longer when it is written as JSON; a body that would be too large is divided.
        text = config.max_bytes if config.format.name == "raw" else config.max_bytes // 2
        bounds = limits(client, text, config.max_records, config.linger)
        yield HttpDrain(client, encode.array if config.body == "array" else encode.lines, bounds)


class _Encoder:
    """Bodies for selections; no record is ever cut."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def lines(self, records: Sequence[Selection]) -> tuple[list[Part], int]:
        """Newline-delimited, a newline at the end."""
        config = self._config
        pieces = [piece for selection in records for piece in config.format.pieces(selection)]
        count = sum(selection.count for selection in records)
        if sum(map(len, pieces)) <= config.max_bytes and count <= config.max_records:
            return [Part(pieces, count)] if count else [], 0
        return pack(one_by_one(pieces), config.max_bytes, after=b"\n", most_records=config.max_records), 0

    def array(self, records: Sequence[Selection]) -> tuple[list[Part], int]:
        """JSON arrays."""
        config = self._config
        return pack(
            self._documents(records), config.max_bytes,
            before=b"[", between=b",", after=b"]", most_records=config.max_records,
        ), 0  # fmt: skip

    def singles(self, records: Sequence[Selection]) -> tuple[list[Part], int]:
        """Each record alone."""
        return [Part([document], 1) for document in self._documents(records)], 0

    def _documents(self, records: Sequence[Selection]) -> list[bytes]:
        return [document for selection in records for document in self._config.format.encode(selection)]
