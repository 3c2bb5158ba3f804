"""What Elasticsearch's answers mean to a drain: every item of a ``_bulk`` answer, and whole requests. Pure.

An item is *delivered* (2xx; 409, a duplicate), *refused* (the document is at fault: a dead letter), to be sent
*again* (the cluster, or what somebody did to the index, is in the way; no record pays for that), or says that the
drain *fails* until a person acts. docs/elasticsearch.md has the table; each row was provoked on a real server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from logyard.errors import DrainError, NotConnected, Permanent, RetryLater, TooLarge

__all__ = ["Verdicts", "all_created", "judge", "one_line", "request_failure"]

SHOWN = 300
"""Characters of a reason that are shown."""

_DOCUMENT = {
    "document_parsing_exception",
    "mapper_parsing_exception",  # its name before 8.8, and in OpenSearch
    "strict_dynamic_mapping_exception",
    "x_content_parse_exception",
    "parsing_exception",
    "timestamp_error",
    "max_bytes_length_exceeded_exception",
    "mapper_exception",
}
"""Types of errors, all of status 400, that are about what is in the document."""
_DOCUMENT_TEXT = re.compile(
    "cannot be changed from type|Limit of (total fields|mapping depth|nested|field name length)|immense term"
    "|failed to parse|Malformed content|extra data after parsing|mapper \\[.*\\] (cannot|conflicts)"
    "|object mapping|maximum depth limit|reserved character|outside of ranges|field name|is too long"
)
"""What an ``illegal_argument_exception`` says when it is about the document."""
_REWRITABLE = re.compile(r"Duplicate field|exceeds the maximum depth limit")
"""What is said of objects that hold a name twice, or nest deeper than ``flattened`` takes."""
_WAITING = {
    "cluster_block_exception",  # read-only, flood stage, no master: at whatever status it comes
    "validation_exception",  # "maximum normal shards open"
    "index_closed_exception",
    "index_not_found_exception",  # and may not be created just so
    "circuit_breaking_exception",
    "es_rejected_execution_exception",
    "rejected_execution_exception",
    "unavailable_shards_exception",
    "process_cluster_event_timeout_exception",
}
_FAILING = {
    "security_exception": "give the user a role that may create documents there",
    "invalid_index_name_exception": "change index= or namespace=",
}
_FAILING_TEXT = {
    "only write ops with an op_type of create": "it is a data stream",
    "no write index is defined for alias": "give the alias a write index",
    "does not exist": "create the ingest pipeline, or change pipeline= or the index's default",
}
"""What an ``illegal_argument_exception`` says when somebody has to change the index."""
_CONFLICT = "version_conflict_engine_exception"
_PRESSURE = re.compile(
    r"(?:coordinating|primary)_operation_bytes=(\d+).*?max_coordinating(?:_and_primary)?_bytes=(\d+)"
)
_SOURCE = re.compile(r"[,;]? *(?:request: \[|source\[|Preview of field's value|at \[Source:).*", re.DOTALL)
"""Where a reason begins to quote documents."""
_CREATED = b'{"create":{"status":201}}'


class _Cause(msgspec.Struct):
    type: str = ""
    reason: str | None = None
    caused_by: _Cause | None = None


class _Error(msgspec.Struct):
    type: str = ""
    reason: str | None = None
    caused_by: _Cause | None = None
    index: str = ""


class _Result(msgspec.Struct):
    status: int
    error: _Error | None = None


class _Item(msgspec.Struct):
    create: _Result


class _Bulk(msgspec.Struct):
    errors: bool
    items: list[_Item]


class _Whole(msgspec.Struct):
    error: _Error | str | None = None


_bulk = msgspec.json.Decoder(_Bulk)
_whole = msgspec.json.Decoder(_Whole)


@dataclass(slots=True)
class Verdicts:
    """What became of the records of one request.

    Attributes:
        refused: position to the reason.
        again: position to the reason.
        rewritable: positions of documents that may get in when they are written anew, with the reason.
        failing: why the drain cannot go on, None when it can.
        too_large: why it should be less at once, None when it need not.
    """

    refused: dict[int, str] = field(default_factory=dict)
    again: dict[int, str] = field(default_factory=dict)
    rewritable: dict[int, str] = field(default_factory=dict)
    failing: str | None = None
    too_large: str | None = None


def all_created(body: bytes, count: int) -> bool:
    """Whether the answer is, byte for byte, the one that says of ``count`` documents that they were created.

    Saves parsing an answer that is nearly always this; any other is read by `judge`.
    """
    head, tail = b'{"errors":false,"items":[', b"]}"
    size = len(head) + len(tail) + count * (len(_CREATED) + 1) - 1
    return len(body) == size and body == head + ((_CREATED + b",") * count)[:-1] + tail


def judge(body: bytes, counts: Sequence[int], name: str) -> Verdicts:
    """Read every item of an answer of status 200.

    Args:
        body: the answer.
        counts: how many documents were sent of each batch, in order.
        name: of the destination, for messages.

    Raises:
        NotConnected: it is not such an answer; nothing is known of the documents.
    """
    try:
        items = _bulk.decode(body).items
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotConnected(f"{name}: what answered 200 is no answer of _bulk") from None
    if len(items) != sum(counts):
        raise NotConnected(f"{name}: answered for {len(items)} documents of {sum(counts)}")
    verdicts = Verdicts()
    position = 0
    for count in counts:
        _judge_batch(verdicts, position, items[position : position + count])
        position += count
    return verdicts


def _judge_batch(verdicts: Verdicts, start: int, items: Sequence[_Item]) -> None:
    """Judge the records of one batch, the first of which is at ``start`` in the request."""
    unknown: dict[int, str] = {}
    delivered = 0
    for position, item in enumerate(items, start):
        result = item.create
        error = result.error or _Error()
        if result.status < 300 or (result.status == 409 and error.type in ("", _CONFLICT)):
            delivered += 1
        else:
            _judge_error(verdicts, unknown, position, result.status, error)
    # What is not known is the document's fault when others of its batch got in; else it costs no record.
    (verdicts.refused if delivered else verdicts.again).update(unknown)


def _judge_error(verdicts: Verdicts, unknown: dict[int, str], position: int, status: int, error: _Error) -> None:
    kind, text = error.type, " ".join(_reasons(error))
    if kind in _FAILING or (status in (401, 403) and kind != "cluster_block_exception"):
        advice = _FAILING.get(kind, _FAILING["security_exception"])
        verdicts.failing = verdicts.failing or f"{shown(error)}: {advice}"
    elif status == 429 or status >= 500 or kind in _WAITING:
        if passes_never(text):
            verdicts.too_large = shown(error)
        verdicts.again[position] = shown(error)
    elif _REWRITABLE.search(text):
        verdicts.rewritable[position] = _reason(error)
    elif kind in _DOCUMENT or (kind == "illegal_argument_exception" and _DOCUMENT_TEXT.search(text)):
        verdicts.refused[position] = _reason(error)
    elif kind == "illegal_argument_exception" and (advice := _advice(text)):
        verdicts.failing = verdicts.failing or f"{shown(error)}: {advice}"
    else:
        unknown[position] = f"{status} {shown(error)}"


def _advice(text: str) -> str:
    return next((advice for words, advice in _FAILING_TEXT.items() if words in text), "")


def passes_never(text: str) -> bool:
    """Whether the pressure of this one request alone is above the limit, so that waiting does not help."""
    found = _PRESSURE.search(text)
    return found is not None and int(found[1]) > int(found[2])


def _reasons(error: _Error | _Cause) -> Iterator[str]:
    if error.reason:
        yield error.reason
    if error.caused_by is not None:
        yield from _reasons(error.caused_by)


def _reason(error: _Error) -> str:
    """Why a document was refused: for its dead letter, so that it may quote the document."""
    parts = list(dict.fromkeys(one_line(reason) for reason in _reasons(error)))
    return one_line(f"{error.type}: {'; '.join(parts)}", 2 * SHOWN)


def shown(error: _Error) -> str:
    """An error without what it quotes of documents: for messages that are shown beside the drain."""
    return one_line(f"{error.type}: {_SOURCE.sub('', error.reason or '')}".rstrip(": "))


def one_line(text: str, most: int = SHOWN) -> str:
    """``text`` on one line, of at most ``most`` characters."""
    text = "".join(char if char.isprintable() else " " for char in text)
    text = " ".join(text.split())
    return text if len(text) <= most else text[:most].rstrip() + "..."


def request_failure(status: int, body: bytes, name: str, delay: float | None) -> DrainError:
    """What an answer that is not 200 means.

    Args:
        status, body: of the answer.
        name: of the destination, for messages.
        delay: what ``Retry-After`` said.
    """
    try:
        found = _whole.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    error = found if isinstance(found, _Error) else _Error(type=found or "")
    said = shown(error) if error.type else ""
    text = f"{name} answered {status}" + (f": {said}" if said else "")
    if status == 413 or (status == 429 and passes_never(" ".join(_reasons(error)))):
        return TooLarge(text)
    if status in (408, 425, 429) or status >= 500:
        return RetryLater(text, delay)
    if status == 401:
        return Permanent(f"{text}; check user and password, api_key= or bearer=")
    if status == 403:
        return Permanent(f"{text}; the account may not do this")
    if error.type == "media_type_header_exception":
        return Permanent(f"{text}; is this Elasticsearch older than version 8?")
    return Permanent(f"{text}; check host, port and path")
