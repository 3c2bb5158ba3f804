"""Who we are to an HTTP server: the Authorization header, and headers of the user's own. No IO, no client library."""

from __future__ import annotations

import re
from base64 import b64encode

from logyard.drain import DrainURI
from logyard.errors import UsageError
from logyard.secret import Secret

__all__ = ["HEADER", "authorization", "basic", "bearer", "own_headers"]

HEADER = "header."
"""How the names of parameters begin that are headers."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x20-\x7e\t]*")
_CREDENTIAL = re.compile(r"[\x21-\x7e]+")
_MANAGED = {
    "content-type": "write content_type= instead",
    "content-encoding": "write compression= instead",
    "host": "it is the address's host",
    **dict.fromkeys(("content-length", "transfer-encoding", "expect", "accept-encoding"), "logyard sets it itself"),
    # Hop by hop: RFC 9110, 7.6.1
    **dict.fromkeys(
        ("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
         "upgrade", "http2-settings"),
        "it belongs to the connection",
    ),
}  # fmt: skip


def basic(user: str, password: str) -> Secret:
    """The header's value for a user and a password (RFC 7617, in UTF-8)."""
    if ":" in user:
        raise UsageError("a user name must not hold a colon: basic authentication divides user and password by one")
    return Secret(f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}")


def bearer(token: str) -> Secret:
    """The header's value for a token (RFC 6750, 2.1)."""
    if not _CREDENTIAL.fullmatch(token):
        raise UsageError("bearer= must be visible ASCII characters without blanks")
    return Secret(f"Bearer {token}")


def authorization(uri: DrainURI) -> Secret | None:
    """The Authorization header that an address asks for: ``user:password@``, or the parameter ``bearer``.

    Raises:
        UsageError: both are given, or one cannot be sent.
    """
    token = uri.params.get("bearer")
    if uri.user is None:
        return None if token is None else bearer(token)
    if token is not None:
        raise UsageError("give either user:password@ or bearer=, not both")
    return basic(uri.user, uri.password or "")


def own_headers(uri: DrainURI) -> dict[str, Secret]:
    """The headers that the parameters ``header.NAME=value`` ask for; each value may be a secret.

    Raises:
        UsageError: a name or a value cannot be sent, or the header is not the user's to set.
    """
    headers: dict[str, Secret] = {}
    for parameter, value in uri.params.items():
        if not parameter.startswith(HEADER):
            continue
        name = parameter.removeprefix(HEADER)
        if not _TOKEN.fullmatch(name):
            raise UsageError(f"{parameter}=: {name!r} cannot be a header's name")
        if reason := _MANAGED.get(name.lower()):
            raise UsageError(f"{parameter}=: {name} cannot be set: {reason}")
        if not _VALUE.fullmatch(value):
            raise UsageError(f"{parameter}=: a header's value is one line of ASCII text")
        if name.lower() in {known.lower() for known in headers}:
            raise UsageError(f"the header {name!r} is given twice")
        headers[name] = Secret(value.strip(" \t"))
    return headers
