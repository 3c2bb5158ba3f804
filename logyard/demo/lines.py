"""The demo's log lines. Pure: chance and time are arguments."""

from __future__ import annotations

import time
from random import Random

import orjson

__all__ = ["health_line", "request_lines", "start_line", "stop_line"]

_PATHS = ("/", "/cart", "/checkout", "/products/17", "/products/42", "/search", "/login", "/api/orders", "/healthz")
_MESSAGES = {"info": "request served", "warn": "request was slow", "error": "request failed"}
_STATUS = {"info": (200, 200, 200, 201, 204, 304, 404), "warn": (200, 200, 429), "error": (500, 502, 503)}
_TRACES = (
    (
        "Traceback (most recent call last):",
        '  File "/srv/shop/checkout.py", line 88, in pay',
        "    receipt = bank.charge(card, order.total)",
        '  File "/srv/shop/bank.py", line 41, in charge',
        "    raise PaymentDeclined(answer.reason)",
        "shop.bank.PaymentDeclined: insufficient funds",
    ),
    (
        "java.util.concurrent.TimeoutException: no answer from inventory within 2000 ms",
        "\tat com.example.shop.Inventory.reserve(Inventory.java:112)",
        "\tat com.example.shop.Cart.add(Cart.java:57)",
        "Caused by: java.net.SocketTimeoutException: Read timed out",
        "\t... 12 more",
    ),
)


def request_lines(chance: Random, now_ns: int, instance: int, load: float) -> list[bytes]:
    """What an instance logs about one request: a line of JSON, sometimes with a stack trace behind it.

    Args:
        now_ns: ns since 1970 UTC.
        instance: its index.
        load: 0 to 1; a busy instance is slower and fails more often.
    """
    level = chance.choices(("info", "warn", "error"), (90, 6 + 6 * load, 2 + 2 * load))[0]
    duration = chance.lognormvariate(3.0 + load, 0.6) * (8 if level == "warn" else 1)
    record = {
        "time": _rfc3339(now_ns),
        "level": level,
        "msg": _MESSAGES[level],
        "instance_index": instance,
        "request_id": f"{chance.getrandbits(64):016x}",
        "path": chance.choice(_PATHS),
        "status": chance.choice(_STATUS[level]),
        "duration_ms": round(duration, 1),
        "memory": int((180 + 120 * load + chance.random() * 20) * (1 << 20)),
    }
    lines = [orjson.dumps(record)]
    if level == "error" and chance.random() < 0.5:
        lines += [line.encode() for line in chance.choice(_TRACES)]
    return lines


def start_line(now_ns: int, instance: int) -> bytes:
    """What an instance logs first."""
    return _life(now_ns, instance, "instance started")


def stop_line(now_ns: int, instance: int) -> bytes:
    """What an instance logs last."""
    return _life(now_ns, instance, "instance stopped")


def _life(now_ns: int, instance: int, message: str) -> bytes:
    record = {
        "time": _rfc3339(now_ns),
        "level": "info",
        "msg": message,
        "instance_index": instance,
        "memory": 180 << 20,
    }
    return orjson.dumps(record)


def health_line(now_ns: int, level: str, text: str) -> bytes:
    """A line of the platform's health manager: ``[2013-01-10 16:56:34.590640] hm - pid=... INFO -- ...``."""
    seconds, rest = divmod(now_ns, 1_000_000_000)
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
    return f"[{moment}.{rest // 1000:06d}] hm - pid=2115 tid=bef2 fid=529b  {level} -- {text}".encode()


def _rfc3339(now_ns: int) -> str:
    seconds, rest = divmod(now_ns, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 1_000_000:03d}Z"
