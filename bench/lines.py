"""The workload: JSON lines of about 277 bytes, as a web application writes them, and such of text."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

from logyard.batch import BLOCK_LIMIT, Batch

__all__ = ["blocks", "make_batch", "make_lines", "make_texts", "write_lines"]

_DISTINCT = 40_000
"""Lines before they repeat: many times what a compressed batch holds, so that repeating does not help it."""
_PATHS = ("/api/orders", "/api/customers", "/api/carts", "/api/products", "/search", "/login", "/static/app")
_LEVELS = ("info",) * 90 + ("warn",) * 6 + ("error",) * 3 + ("debug",)
_METHODS = ("GET",) * 7 + ("POST",) * 2 + ("PUT",)
_STATUS = (200,) * 18 + (201, 204, 301, 400, 404, 500)


def make_lines(count: int) -> Iterator[bytes]:
    """``count`` lines with their newline, the same ones each time."""
    chosen = random.Random(1)
    micros = 0
    for _ in range(count):
        micros += chosen.randrange(2_000)
        seconds, fraction = divmod(micros, 1_000_000)
        minute, second = divmod(seconds, 60)
        path = f"{chosen.choice(_PATHS)}/{chosen.randrange(100_000)}"
        status, method = chosen.choice(_STATUS), chosen.choice(_METHODS)
        yield (
            f'{{"time":"2026-03-14T09:{minute % 60:02d}:{second:02d}.{fraction:06d}Z","level":"'
            f'{chosen.choice(_LEVELS)}","msg":"{method} {path} answered {status}",'
            f'"instance_index":{chosen.randrange(8)},"request_id":"{UUID(int=chosen.getrandbits(128))}","path":"{path}","status":{status},'
            f'"duration_ms":{chosen.expovariate(0.05):.3f},"memory":{chosen.randrange(60 << 8, 90 << 8) << 12},'
            f'"host":"web-{chosen.randrange(4)}.prod.example.net"}}\n'
        ).encode()


def make_texts(count: int) -> Iterator[bytes]:
    """``count`` lines of text with their newline, about 130 bytes each, the same ones each time."""
    chosen = random.Random(2)
    millis = 0
    for _ in range(count):
        millis += chosen.randrange(3)
        seconds, fraction = divmod(millis, 1000)
        minute, second = divmod(seconds, 60)
        yield (
            f"2026-03-14 09:{minute % 60:02d}:{second:02d},{fraction:03d} {chosen.choice(_LEVELS).upper():5} "
            f"[http-{chosen.randrange(16)}] c.e.shop.{chosen.choice(('Orders', 'Carts', 'Search'))}: "
            f"{chosen.choice(_METHODS)} {chosen.choice(_PATHS)}/{chosen.randrange(100_000)} answered "
            f"{chosen.choice(_STATUS)} in {chosen.expovariate(0.05):.3f} ms, request {chosen.getrandbits(64):016x}\n"
        ).encode()


def write_lines(file: Path, count: int, *, text: bool = False) -> int:
    """Write ``count`` lines of JSON, or of text, to ``file``; how many bytes they are."""
    distinct = list((make_texts if text else make_lines)(min(count, _DISTINCT)))
    block = b"".join(distinct)
    with file.open("wb") as output:
        for _ in range(count // len(distinct)):
            output.write(block)
        output.writelines(distinct[: count % len(distinct)])
        return output.tell()


def blocks(lines: Sequence[bytes]) -> list[tuple[bytes, int]]:
    """Blocks as batches hold them, and their numbers of lines."""
    found: list[tuple[bytes, int]] = []
    chosen: list[bytes] = []
    size = 0
    for line in lines:
        if size + len(line) > BLOCK_LIMIT:
            found.append((b"".join(chosen)[:-1], len(chosen)))
            chosen, size = [], 0
        chosen.append(line)
        size += len(line)
    return [*found, (b"".join(chosen)[:-1], len(chosen))]


def make_batch(block: bytes, count: int) -> Batch:
    """A batch of such a block."""
    return Batch(
        key="app.web", node="node-1", source="stdout", time_ns=1_800_000_000_000_000_000, count=count,
        origin="0123456789abcdef.1", first=0, last=len(block) + 1, app="web", instance="0", block=block,
    )  # fmt: skip
