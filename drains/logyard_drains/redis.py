"""``redis://host:port``: the newest records as a list of limited length, the newest last."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logyard.batch import Selection
from logyard.drain import Context, DrainURI, Limits, Receipt
from logyard.errors import DrainError, NotConnected, Permanent, RetryLater, UsageError
from logyard.formats import make_format
from logyard.secret import Secret
from logyard_drains.stream_socket import CONNECT_TIMEOUT, address_text

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    from logyard.formats import Format

__all__ = ["Config", "configure", "open"]

PORT = 6379
LIMIT = 1500
_ANSWER_TIMEOUT = 20.0
_PASSING = ("BUSY", "MISCONF", "NOREPLICAS")
"""Codes of answers that pass, beside those that redis-py has classes for."""


@dataclass(frozen=True, slots=True)
class Config:
    """Attributes:
    host, port, db: the server and the number of its database.
    user, password: None when the server asks for none.
    key: the list, "" for the drain's name.
    limit: how many records it keeps.
    format: how a record is written.
    """

    host: str
    port: int
    format: Format
    db: int = 0
    key: str = ""
    limit: int = LIMIT
    user: str | None = None
    password: Secret | None = None


def configure(uri: DrainURI) -> Config:
    """Settings from ``redis://[user:password@]host[:port][/db]?...`` (docs/drains.md)."""
    uri.refuse_unknown("key", "limit", "db", "format")
    if not uri.host:
        raise UsageError("redis:// needs a host: write redis://host:port?key=NAME")
    in_path = uri.path.strip("/")
    if in_path and ("db" in uri.params or not in_path.isdecimal()):
        raise UsageError(f"redis://{uri.host}{uri.path}: the path is the number of the database, and given once")
    if uri.user is not None and uri.password is None:
        raise UsageError(
            "redis:// has a user and no password: write redis://user:password@host or redis://:password@host"
        )
    return Config(
        host=uri.host,
        port=uri.port or PORT,
        format=make_format(uri.text("format", "json")),
        db=int(in_path) if in_path else uri.number("db", 0),
        key=uri.text("key"),
        limit=uri.number("limit", LIMIT, minimum=1, maximum=10_000_000),
        user=uri.user or None,
        password=None if uri.password is None else Secret(uri.password),
    )


@asynccontextmanager
async def open(config: Config, context: Context) -> AsyncIterator[RedisDrain]:  # noqa: A001 - the contract's name
    """Connect, and look whether the key can be such a list.

    Raises:
        NotConnected: nobody answers.
        Permanent: wrong user or password, no permission, or the key holds something else.
    """
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    key = config.key or context.name
    client = Redis(
        host=config.host,
        port=config.port,
        db=config.db,
        username=config.user,
        password=None if config.password is None else config.password.reveal(),
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=_ANSWER_TIMEOUT,
        # The client must not repeat on its own what may have been carried out.
        retry=Retry(NoBackoff(), 0),
        single_connection_client=True,
    )
    drain = RedisDrain(client, config, key)
    try:
        await drain.check()
        yield drain
    finally:
        await client.aclose()


class RedisDrain:
    """An open connection."""

    limits = Limits()

    def __init__(self, client: Redis, config: Config, key: str) -> None:
        self._client = client
        self._format = config.format
        self._key = key
        self._limit = config.limit
        self._name = address_text(config.host, config.port)

    async def check(self) -> None:
        """Raise what `open` raises."""
        from redis.exceptions import RedisError

        try:
            kind = await self._client.type(self._key)
        except (RedisError, OSError) as error:
            raise self._translate(error) from None
        held = kind.decode() if isinstance(kind, bytes) else kind
        if held not in ("none", "list"):
            raise Permanent(f"{self._name}: the key {self._key!r} holds a {held} and no list: give another key=")

    async def send(self, records: Sequence[Selection]) -> Receipt | None:
        """Append the records and shorten the list, in one step.

        Raises:
            NotConnected: the connection broke; sent again, the records may be in the list twice.
            RetryLater: the server is out of memory, busy, cannot save, ...
            Permanent: the server refuses for good.
        """
        from redis.exceptions import RedisError

        # What would fall out at once is not even sent: only the last selections count.
        newest: list[list[bytes]] = []
        count = 0
        for selection in reversed(records):
            if count >= self._limit:
                break
            left = self._limit - count
            part = selection if selection.count <= left else selection.part(selection.count - left, selection.count)
            newest.append(self._format.encode(part))
            count += part.count
        values = [value for part in reversed(newest) for value in part]
        if not values:
            return None
        try:
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.rpush(self._key, *values)
                pipeline.ltrim(self._key, -self._limit, -1)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            raise self._translate(error) from None
        return None

    def confirmed(self) -> None:
        """Returning from `send` says so."""

    async def finish(self) -> None:
        """Every answer has been waited for."""

    def _translate(self, error: RedisError | OSError) -> DrainError:
        from redis import exceptions

        if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
            return Permanent(f"{self._name}: the server refuses this user or password")
        if isinstance(error, exceptions.ResponseError):
            answer = _answer(error)
            text = f"{self._name}: {answer}"
            if isinstance(error, exceptions.ReadOnlyError | exceptions.MasterDownError):
                return NotConnected(text)  # connecting again may lead to the new primary
            passing = exceptions.OutOfMemoryError | exceptions.TryAgainError | exceptions.ClusterDownError
            if isinstance(error, passing) or answer.startswith(_PASSING):
                return RetryLater(text)
            return Permanent(text)
        if isinstance(error, exceptions.TimeoutError):
            return NotConnected(f"{self._name}: no answer in time")
        return NotConnected(f"{self._name}: {error}")


def _answer(error: RedisError) -> str:
    """What the server said. In a transaction the client puts the whole command before it, records and all."""
    _, annotated, answer = str(error).rpartition("caused error: ")
    if annotated:
        with suppress(ValueError, SyntaxError, IndexError):
            return str(literal_eval(answer)[0])
    return answer
