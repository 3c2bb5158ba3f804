"""``loggly://TOKEN@logs-01.loggly.com?tag=web,prod``: records to Loggly's bulk endpoint.

The protocol is Loggly's "HTTP/S Bulk Endpoint"
(https://documentation.solarwinds.com/en/success_center/loggly/content/admin/http-bulk-endpoint.htm): events
separated by newlines, at most 5 MB a request and 1 MB an event, answered with ``{"response":"ok"}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from logyard.batch import Selection
from logyard.drain import Context, DrainURI
from logyard.errors import DrainError, RetryLater, UsageError
from logyard_drains import http_client
from logyard_drains.http_answer import Answer
from logyard_drains.http_client import Endpoint, open_endpoint
from logyard_drains.http_drain import HttpDrain, limits
from logyard_drains.http_parts import Part, pack

__all__ = ["Config", "configure", "open"]

MAX_BODY = 5_000_000
"""Bytes of a request. Whether a MB is a million bytes or a little more is not said, so the smaller one counts."""
TEXT_BYTES = 2 * 1024 * 1024
"""Bytes of text in a send, which as JSON mostly fit into one request."""
MAX_RECORDS = 50_000
LINGER = 1.0
_HINT = "the customer token or the host is wrong"
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+")
_TAG = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Config:
    """Attributes:
    endpoint: where to; its target holds the token.
    linger: seconds that records wait for company.
    """

    endpoint: Endpoint
    linger: float = LINGER


def configure(uri: DrainURI) -> Config:
    """Settings from ``loggly://TOKEN@host?tag=...`` (docs/drains.md)."""
    tls = uri.scheme == "loggly"
    uri.refuse_unknown(*http_client.PARAMETERS, "tag", "format", "linger", *(http_client.TLS_PARAMETERS if tls else ()))
    if not uri.host or uri.path not in ("", "/"):
        raise UsageError(
            f"{uri.scheme}:// needs a host and nothing behind it: write {uri.scheme}://TOKEN@logs-01.loggly.com"
        )
    token = uri.user or ""
    if uri.password is not None or not _TOKEN.fullmatch(token):
        raise UsageError(
            f"{uri.scheme}:// needs the customer token (letters, digits, -) before the host: "
            f"write {uri.scheme}://TOKEN@{uri.host}, or ${{env:NAME}} in place of TOKEN"
        )
    uri.text("format", "loggly", choices=("loggly",))
    uri.text("compression", "none", choices=("none", "gzip"))
    tags = [tag.strip() for tag in uri.text("tag").split(",")] if uri.text("tag").strip() else []
    for tag in tags:
        if not _TAG.fullmatch(tag):
            raise UsageError(f"tag={tag!r} cannot be a tag of Loggly: up to 64 letters, digits and -._, commas between")
    path = f"/bulk/{token}/" + (f"tag/{','.join(tags)}/" if tags else "")
    return Config(
        endpoint=Endpoint.of(
            replace(uri, user=None),
            tls=tls,
            path=path,
            content_type="text/plain; charset=utf-8",
            hints=dict.fromkeys((401, 403, 404), _HINT),
            secrets=(token,),
        ),
        linger=uri.seconds("linger", LINGER),
    )


@asynccontextmanager
async def open(config: Config, context: Context) -> AsyncIterator[HttpDrain]:  # noqa: A001 - the contract's name
    """Connect; whether the token is right is known with the first record.

    Raises:
        NotConnected: nobody answers.
        Permanent: a certificate is refused.
    """
    async with open_endpoint(config.endpoint) as client:

        def check(answer: Answer) -> DrainError | None:
            if _is_ok(answer.text):
                return None
            said = client.masked(answer.text) or "nothing"
            return RetryLater(f'{client.name} answered {answer.status}, but not {{"response":"ok"}}: {said}')

        yield HttpDrain(client, _encoder(), limits(client, TEXT_BYTES, MAX_RECORDS, config.linger), check=check)


def _encoder() -> Callable[[Sequence[Selection]], tuple[list[Part], int]]:
    from logyard.formats.framing import one_by_one
    from logyard.formats.loggly import LogglyFormat

    written = LogglyFormat()

    def encode(records: Sequence[Selection]) -> tuple[list[Part], int]:
        framed = [written.framed(selection) for selection in records]
        pieces = [piece for some, _ in framed for piece in some]
        cut = sum(shortened for _, shortened in framed)
        if pieces and sum(map(len, pieces)) <= MAX_BODY:
            pieces[-1] = pieces[-1].removesuffix(b"\n")
            return [Part(pieces, sum(selection.count for selection in records))], cut
        return pack(one_by_one(pieces), MAX_BODY), cut

    return encode


def _is_ok(text: str) -> bool:
    try:
        said = json.loads(text)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("response") == "ok"
