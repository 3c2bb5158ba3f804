"""Records to send, and how to find them again whatever format they arrived in."""

from __future__ import annotations

import re

from logyard.batch import Batch, Selection, join_records

__all__ = ["batch_of", "numbered", "numbers_in"]

TIME_NS = 1_795_339_800_123_456_789  # 2026-11-22T09:30:00.123456789Z
_NUMBER = re.compile(rb"record-(\d+)-")


def batch_of(
    lines: list[bytes],
    *,
    key: str = "app.web",
    node: str = "node1",
    app: str | None = "web",
    instance: str | None = "3",
    source: str = "stdout",
    time_ns: int = TIME_NS,
    first: int = 0,
) -> Selection:
    """One whole batch of these lines, the first of which stands at the offset ``first``."""
    block, separator = join_records(lines)
    return Selection(
        Batch(
            key=key,
            node=node,
            app=app,
            instance=instance,
            source=source,
            time_ns=time_ns,
            count=len(lines),
            origin="0123456789abcdef.1",
            first=first,
            last=first + len(block) + 1,
            block=block,
            separator=separator,
            entry="1-1",
        )
    )


def numbered(start: int, count: int, size: int = 40) -> Selection:
    """Records that tell their number, of about ``size`` bytes; each has an identity of its own."""
    lines = [b"record-%d-" % number for number in range(start, start + count)]
    return batch_of([line + b"x" * (size - len(line)) for line in lines], first=start * (size + 1))


def numbers_in(data: bytes) -> list[int]:
    """The numbers of the records in ``data``, in the order of their appearance."""
    return [int(number) for number in _NUMBER.findall(data)]
