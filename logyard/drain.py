"""The contract of a drain: what a destination implements, and what it is given.

A drain is one module, named by an entry point in the group ``logyard.drains`` for each of its URI schemes.
The module has two functions::

    def configure(uri: DrainURI) -> Config           # pure: checks everything, raises UsageError
    def open(config: Config, context: Context) -> AbstractAsyncContextManager[Drain]

``open`` connects (raising a `DrainError` when it cannot) and yields something with `Drain`'s methods; leaving
the context closes the connection. Reconnecting is leaving and entering again. Everything else lives around
drains, written once: selecting records, batching, timeouts, retries, backoff, splitting, dead letters, counters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from logyard.batch import Selection
from logyard.errors import UnknownParameter, UsageError

__all__ = ["Context", "Drain", "DrainModule", "DrainURI", "Limits", "Receipt", "mask_uri", "secret_parts"]

_REFERENCE = re.compile(r"\$\{(?:env|file):[^}]+\}")
_SECRET_NAME = re.compile(
    r"(?i)^header\.|^query\..*(?:key|sig|pass|code)|token|password|passwd|secret|api[-_]?key|auth|credential|bearer"
)
_REFERENCE_ONLY = re.compile(r"(?:[A-Za-z][A-Za-z0-9_-]*(?: |%20|\+))?\$\{(?:env|file):[^}]+\}")
"""A reference, perhaps behind the word that says what kind of credential it is: ``Bearer ${env:TOKEN}``."""
_HELD = re.compile("\0(\\d+)\0")
_KEY_LENGTH = 16
"""Letters and digits that a part of a path has at least when it is taken for a key."""


@dataclass(frozen=True, slots=True)
class DrainURI:
    """A drain's address, taken apart once.

    Attributes:
        scheme, user, password, host, port, path: as in the URI, percent-decoded; "" or None where absent.
        others: further hosts and their ports, where several are divided by commas.
        params: the query's parameters; each may occur once.
    """

    scheme: str
    host: str = ""
    port: int | None = None
    path: str = ""
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    others: tuple[tuple[str, int | None], ...] = ()

    @classmethod
    def parse(cls, text: str, params: Mapping[str, str] | None = None) -> DrainURI:
        """Take a URI apart; ``params`` are added to those of its query.

        Raises:
            UsageError: it is no URI, or names a parameter twice.
        """
        try:
            parts = urlsplit(text)
            account, at, authority = parts.netloc.rpartition("@")
            first, *further = authority.split(",")
            parts = parts._replace(netloc=account + at + first)
            port = parts.port
            others = tuple((host.hostname or "", host.port) for host in (urlsplit(f"//{each}") for each in further))
        except ValueError as error:
            raise UsageError(f"{mask_uri(text)!r} is not a drain's address: {error}") from None
        if not parts.scheme or "://" not in text:
            raise UsageError(f"{mask_uri(text)!r} is not a drain's address: write scheme://host:port or file:///path")
        if parts.fragment:
            raise UsageError("a drain's address has no #fragment: write # as %23")
        merged: dict[str, str] = {}
        for name, value in [*parse_qsl(parts.query, keep_blank_values=True), *(params or {}).items()]:
            if name in merged:
                raise UsageError(f"the parameter {name!r} is given twice")
            merged[name] = value
        return cls(
            scheme=parts.scheme.lower(),
            host=parts.hostname or "",
            port=port,
            path=unquote(parts.path),
            user=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            params=merged,
            others=others,
        )

    def refuse_unknown(self, *known: str, several: bool = False) -> None:
        """Raise UsageError naming the first parameter that is not in ``known`` and what there is.

        Further hosts are refused as well, unless a drain takes ``several``.
        """
        if self.others and not several:
            raise UsageError(f"{self.scheme}:// takes one host, and {len(self.others) + 1} are given")
        if not all(host for host, _ in self.others):
            raise UsageError(f"{self.scheme}:// names an empty host: write host1:port,host2:port")
        for name in self.params:
            if name not in known:
                choices = ", ".join(sorted(known)) or "none"
                raise UnknownParameter(f"{self.scheme}:// has no parameter {name!r}; it has: {choices}")

    def text(self, name: str, default: str = "", choices: Sequence[str] = ()) -> str:
        """A parameter as text, one of ``choices`` when there are any."""
        value = self.params.get(name, default)
        if choices and value not in choices:
            raise UsageError(f"{name}={value!r} is not one of {', '.join(choices)}")
        return value

    def number(self, name: str, default: int, minimum: int = 0, maximum: int | None = None) -> int:
        """A parameter as a whole number; sizes may end in KiB, MiB or GiB (or k, M, G)."""
        text = self.params.get(name)
        if text is None:
            return default
        stripped = text.strip().lower().removesuffix("ib").removesuffix("b")
        factor = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(stripped[-1:], 1)
        digits = stripped[:-1] if factor > 1 else stripped
        if not digits.isdecimal():
            raise UsageError(f"{name}={text!r} is not a whole number (sizes may end in KiB, MiB or GiB)")
        value = int(digits) * factor
        if value < minimum or (maximum is not None and value > maximum):
            upper = "" if maximum is None else f" and at most {maximum}"
            raise UsageError(f"{name}={text!r}: give at least {minimum}{upper}")
        return value

    def seconds(self, name: str, default: float) -> float:
        """A parameter as a duration in seconds: ``500ms``, ``10s``, ``5m``, ``2h``, ``1d`` or a plain number."""
        text = self.params.get(name)
        if text is None:
            return default
        for suffix, factor in (("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400), ("", 1)):
            digits = text.removesuffix(suffix)
            if text.endswith(suffix) and digits.replace(".", "", 1).isdecimal():
                return float(digits) * factor
        raise UsageError(f"{name}={text!r} is not a duration: write 500ms, 10s, 5m, 2h or 1d")

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A parameter that is on or off: 1, yes, true, on, or nothing behind it; 0, no, false, off."""
        text = self.params.get(name)
        if text is None:
            return default
        if text.lower() in {"", "1", "yes", "true", "on"}:
            return True
        if text.lower() in {"0", "no", "false", "off"}:
            return False
        raise UsageError(f"{name}={text!r} is neither yes nor no")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a destination takes at once.

    Attributes:
        max_bytes: bytes of record text in one ``send``.
        max_records: records in one ``send``.
        linger: seconds that records may wait for company; 0 sends what is there.
        timeout: seconds that one ``send`` may take.
        in_flight: how many ``send`` may run at once.
    """

    max_bytes: int = 2 * 1024 * 1024
    max_records: int = 100_000
    linger: float = 0.0
    timeout: float = 30.0
    in_flight: int = 1


@dataclass(frozen=True, slots=True)
class Context:
    """What ``open`` is told about where it runs.

    Attributes:
        name: the drain's name.
        node: the router's node.
        partition, partitions: which part of the streams this worker serves.
        cursor: what the last acknowledged `Receipt` carried, None before the first.
        testing: the address is only being tried: connect, but change nothing at the destination.
    """

    name: str
    node: str
    partition: int = 0
    partitions: int = 1
    cursor: str | None = None
    testing: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a drain reports with a successful ``send``.

    Attributes:
        cursor: state to keep, stored in one step with the acknowledgement and handed to the next ``open``.
        cut: how many records were shortened to fit a limit of the destination.
    """

    cursor: str | None = None
    cut: int = 0


class Drain(Protocol):
    """An open destination."""

    @property
    def limits(self) -> Limits:
        """What it takes at once."""

    async def send(self, records: Sequence[Selection]) -> Receipt | None:
        """Hand over the records, in order. May block until the destination took them.

        Returning means the destination has them (but see `confirmed`); raising a `DrainError` means it has
        not, or may not. Cancellation may leave the connection unusable: the drain is left and entered again.
        """

    def confirmed(self) -> int | None:
        """How many of the ``send`` calls since ``open`` are known to have arrived, in order.

        None (for most drains) when returning from ``send`` says so already. A protocol without answers, such as
        syslog over TCP, confirms later; what is not confirmed is not acknowledged and is sent again after a
        connection broke. Called often; must not block.

        Raises:
            NotConnected: the connection is over, sends are outstanding and no more of them will be confirmed.
        """

    async def finish(self) -> None:
        """Called before leaving in good order: wait (bounded by ``limits.timeout``) for outstanding confirmations."""


class DrainModule(Protocol):
    """The face of a drain's module."""

    def configure(self, uri: DrainURI) -> Any:
        """The drain's own frozen settings. Pure; raises `UsageError` for what is wrong or unknown."""

    def open(self, config: Any, context: Context) -> AbstractAsyncContextManager[Drain]:
        """Connect. Raises a `DrainError` when it cannot."""


def mask_uri(text: str, params: Mapping[str, str] | None = None) -> str:
    """``text`` with everything secret in it replaced by ``****``, and ``params`` added to its query.

    Secret are a password, a user name that stands alone (Loggly's token), header lines, parameters whose name says so,
    and what looks like a key between the slashes of a path on a server (as in addresses of web hooks). References to
    secrets (``${env:NAME}``, ``${file:PATH}``) are shown as they are.
    """
    # The marks in a reference to a file must not be taken for those that divide the address.
    references: list[str] = []

    def hold(match: re.Match[str]) -> str:
        references.append(match[0])
        return f"\0{len(references) - 1}\0"

    def show(part: str) -> str:
        return _HELD.sub(lambda match: references[int(match[1])], part)

    scheme, sep, rest = _REFERENCE.sub(hold, text.replace("\0", "")).partition("://")
    if not sep:
        rest, scheme = scheme, ""
    head, mark, query = rest.partition("?")
    authority, slash, path = head.partition("/")
    user, at, host = authority.rpartition("@")
    name, colon, password = user.partition(":")
    if not at and "@" in rest and _odd_port(authority):
        # A password with a mark in it that ends the authority; no address, but shown in the message that says so.
        name, colon, behind = rest.partition(":")
        password, at, host = behind.rpartition("@")
        slash = path = mark = query = ""
    if at:
        user = f"{name}:{_mask(show(password))}" if colon else _mask(show(name))
    if host:
        path = "/".join("****" if _is_like_a_key(part) else part for part in path.split("/"))
    shown = [_mask_parameter(show(part)) for part in query.split("&")] if query else []
    shown += [_masked_pair(param, value) for param, value in (params or {}).items()]
    return show(f"{scheme}{sep}{user}{at}{host}{slash}{path}{mark or '?' * bool(shown)}") + "&".join(shown)


def secret_parts(uri: DrainURI) -> list[str]:
    """What `mask_uri` would hide of an address, and the texts of its parameters that hold secrets, in plain."""
    parts = [uri.password] if uri.password is not None else [uri.user]
    parts += [value for name, value in uri.params.items() if _SECRET_NAME.search(name)]
    parts += [part for part in uri.path.split("/") if uri.host and _is_like_a_key(part)]
    # Of "Bearer abc" the second word is the secret.
    return [word for part in parts if part for word in {part, part.rpartition(" ")[2]} if word]


def _odd_port(authority: str) -> bool:
    _, colon, port = authority.rpartition(":")
    return bool(colon) and not port.isdecimal() and not authority.endswith("]") and "\0" not in port


def _is_like_a_key(text: str) -> bool:
    """Whether nobody would choose such a name: capitals, small letters and digits change places all the time."""
    if "\0" in text:
        return False
    kinds = [
        "digit" if sign.isdigit() else "capital" if sign.isupper() else "small"
        for sign in unquote(text)
        if sign.isalnum()
    ]
    changes = sum(kind != following for kind, following in pairwise(kinds))
    return len(kinds) >= _KEY_LENGTH and 5 * changes >= len(kinds)


def _mask(value: str) -> str:
    return value if not value or _REFERENCE_ONLY.fullmatch(value) else "****"


def _mask_parameter(part: str) -> str:
    name, equals, value = part.partition("=")
    return f"{name}{equals}{_mask(value)}" if _SECRET_NAME.search(unquote(name)) else part


def _masked_pair(name: str, value: str) -> str:
    return f"{name}={_mask(value) if _SECRET_NAME.search(name) else value}"
