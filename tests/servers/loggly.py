"""A stand-in for Loggly's bulk endpoint, which cannot be run here.

Written from what Loggly documents (https://documentation.solarwinds.com/en/success_center/loggly/content/admin/,
http-bulk-endpoint.htm and tags.htm), not from our client: ``POST /bulk/TOKEN/tag/TAG,TAG/``, events divided by
newlines, at most 5 MB a request and 1 MB an event, ``{"response":"ok"}``. What Loggly answers to what it refuses is
documented only in part; the stand-in is strict: 403 for a wrong token, 404 for a wrong path, 405 for a wrong method,
400 for wrong tags and 413 for a request or an event that is too large. Events that are JSON objects are stored as
such, and their fields are found as ``json.<field>``; others are stored as text, as Loggly does.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.servers.http_sink import HttpSink, Reply, Request

__all__ = ["BLACK_HOLE", "OK", "Event", "Loggly", "Misbehaviour"]

OK = b'{"response" : "ok"}'
_PATH = re.compile(r"/bulk/([^/]+)/(?:tag/([^/]*)/?)?")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Event:
    """Attributes:
    text: as it was sent.
    tags: of its request.
    fields: of an event that is a JSON object, else None.
    connection: which one it came over, counted from 1.
    """

    text: bytes
    tags: tuple[str, ...]
    fields: dict[str, Any] | None
    connection: int = 0

    def find(self, name: str) -> Any:
        """What a search for ``name`` looks at: ``json.`` and a field, with dots for those within; None for none."""
        kind, _, path = name.partition(".")
        value: Any = self.fields if kind == "json" else None
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """Attributes:
    reply: instead of the right one.
    stores: whether the events are kept all the same.
    """

    reply: Reply
    stores: bool = False


BLACK_HOLE = Misbehaviour(Reply(breaks="silence"))


class Loggly:
    """See the module.

    Attributes:
        token: the only one that is let in.
        max_request, max_event: bytes.
        events: all that it has, in the order of their coming; those that came twice are there twice.
        next: what to do with the next requests, the first one first; beyond them everything is as it should be.
        always: what to do with each request once ``next`` is empty; None for what is right.
        refused: how many requests were not answered with ok.
        sink: the server itself.
    """

    def __init__(self, token: str = "0d1e2f30-aaaa-bbbb-cccc-0123456789ab") -> None:
        self.token = token
        self.max_request = 5_000_000
        self.max_event = 1_000_000
        self.events: list[Event] = []
        self.next: deque[Misbehaviour] = deque()
        self.always: Misbehaviour | None = None
        self.refused = 0
        self.sink = HttpSink(self._answer)
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        return self.sink.port

    def up(self) -> None:
        self.sink.up()

    def down(self) -> None:
        self.sink.down()

    def misbehave(self, replies: Iterable[Reply], *, stores: bool = False) -> None:
        """Answer the next requests with these."""
        with self._lock:
            self.next.extend(Misbehaviour(reply, stores) for reply in replies)

    def values(self, name: str) -> list[Any]:
        """What the events have at ``name``, those that have it."""
        return [value for event in list(self.events) if (value := event.find(name)) is not None]

    def _answer(self, request: Request) -> Reply:
        with self._lock:
            wrong = self.next.popleft() if self.next else self.always
        if wrong is not None and not wrong.stores:
            self.refused += 1
            return wrong.reply
        reply = self._take(request)
        if reply.status != 200:
            self.refused += 1
        return wrong.reply if wrong is not None and reply.status == 200 else reply

    def _take(self, request: Request) -> Reply:
        found = _PATH.fullmatch(request.target)
        if found is None:
            return Reply(404, b"Not Found")
        if request.method != "POST":
            return Reply(405, b"Method Not Allowed", {"Allow": "POST"})
        if found[1] != self.token:
            return Reply(403, b"Forbidden")
        tags = tuple(found[2].split(",")) if found[2] else ()
        if not all(map(_TAG.fullmatch, tags)):
            return Reply(400, b"Bad tag")
        if len(request.body) > self.max_request:
            return Reply(413, b"Request Entity Too Large")
        texts = [text for text in request.body.split(b"\n") if text]
        if any(len(text) > self.max_event for text in texts):
            return Reply(413, b"Event Too Large")
        self.events += [Event(text, tags, _fields(text), request.connection) for text in texts]
        return Reply(200, OK, {"Content-Type": "application/json"})


def _fields(text: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
