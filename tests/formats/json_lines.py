"""Lines that are JSON objects, nearly are, or are made to deceive; and a strict reading of them."""

from __future__ import annotations

import json
from typing import Any

import orjson
from hypothesis import strategies as st

__all__ = [
    "HOSTILE", "SHAPED", "has_a_name_twice", "lines", "read_strictly", "shaped_lines", "strictly_object", "values",
    "write",
]  # fmt: skip

HOSTILE = (
    b"", b" ", b"{}", b"{ }", b"{", b"}", b"}{", b'{"a":{', b"}}", b'{"a":[', b"]}", b'{"a":"', b'"}', b'"', b",",
    b'{"a":1} {"b":2}', b'{"a":1}{"b":2}', b'{"a":1},', b'{"a":1},{"b":2}', b'{"a":1},"x":{"b":2}', b'{"a":1}]',
    b'{"a":1', b'"b":2}', b',"b":2}', b'{"a":', b"1}", b'{"a":1}\x00', b'{"a":"\x00"}', b'{"a":1}\r', b'\r{"a":1}',
    b' {"a":1} ', b'\t{"a":1}', b'{"a":\r1}', b'{"a":1}//', b"[1]", b"1", b"null", b'"text"', b"{1:2}", b"{a:1}",
    b'{"a":1,}', b'{"a":1,"a":2}', b'{"a":{"b":1,"b":2}}', b'{"\\u0061":1,"a":2}', b'{"a":"\\ud800"}',
    b'{"a":"\\udc00\\ud800"}', b'{"a":"\\ud83d\\ude00"}', b'{"a":"\xff"}', b'{"\xff":1}', b'{"a":"\xed\xa0\x80"}',
    b'{"a":NaN}', b'{"a":1e999}', b'{"a":-0}', b'{"a":01}', b'{"a":18446744073709551616}', b'{"a":"\\x"}',
    b'{"a":"b\\"c"}', b'{"a":"b\\\\"}', b'{"a":"\\\\\\""}', b'{"a":":","b":"{"}', b'{"timestamp":1,"logyard":2}',
    b'{"time":"2026-11-22T09:30:00Z","level":"info","msg":"x"}', b'{"msg":1,"message":"b"}', b'{"msg":null}',
    b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}",
    b'{"index":{}}', b"\xef\xbb\xbf{}", b'{"a":"\xc2\x85\xe2\x80\xa8"}', b"plain text", b"ERROR {not json}",
)  # fmt: skip
"""Each of them alone, and beside the others: some open what others close."""


SHAPED = [
    orjson.dumps(
        {"time": f"2026-11-22T09:30:{n:02d}.{n:03d}Z", "level": "warning", "msg": f"n {n}", "instance_index": n}
    )
    for n in range(40)
]
"""Lines of one program."""


class Pairs:
    """Members of an object, as written; names may occur twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


names = st.sampled_from(
    ["a", "b", "time", "ts", "timestamp", "level", "msg", "text", "id", "logyard", "", "\u00e9", ":"]
)
plain = st.one_of(
    st.text(max_size=6), st.sampled_from(['"', "\\", '\\"', ":", '":', ",", "\n", "\u00e9"]),
    st.integers(-(2**70), 2**70), st.booleans(), st.none(), st.floats(),
)  # fmt: skip
values = st.recursive(
    plain,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.lists(st.tuples(names, inner), max_size=3).map(Pairs)),
    max_leaves=5,
)


def write(value: Any, space: str, ascii_only: bool) -> str:
    """A value as JSON, as some writer or other has it."""
    if isinstance(value, Pairs):
        inside = f",{space}".join(
            f"{json.dumps(name, ensure_ascii=ascii_only)}:{space}{write(inner, space, ascii_only)}"
            for name, inner in value.pairs
        )
        return "{" + inside + "}"
    if isinstance(value, list):
        return "[" + f",{space}".join(write(inner, space, ascii_only) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


@st.composite
def shaped_lines(draw: st.DrawFn) -> list[bytes]:
    """Many lines of few shapes, as programs write them; some with a member twice, or with hostile lines between."""
    space, ascii_only = draw(st.sampled_from(["", " "])), draw(st.booleans())
    kinds = draw(st.lists(st.lists(st.tuples(names, values), min_size=1, max_size=5), min_size=1, max_size=2))
    out: list[bytes] = []
    for _ in range(draw(st.integers(1, 24))):
        pairs = list(draw(st.sampled_from(kinds)))
        for index in draw(st.sets(st.integers(0, len(pairs) - 1), max_size=1)):
            pairs[index] = (pairs[index][0], draw(values))
        if draw(st.integers(0, 5)) == 0:
            pairs.append(draw(st.sampled_from(pairs)))
        out.append(write(Pairs(pairs), space, ascii_only).encode(errors="replace"))
    for line in draw(st.lists(st.sampled_from(HOSTILE), max_size=3)):
        out.insert(draw(st.integers(0, len(out))), line)
    return out


lines = st.one_of(shaped_lines(), st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=30))
"""The records of a batch."""


def read_strictly(line: bytes) -> dict[str, Any]:
    """The object that a document is.

    Raises:
        ValueError: it is none, or some name occurs twice somewhere inside.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError(f"a name twice in {pairs}")
        return dict(pairs)

    def refuse(text: str) -> None:
        raise ValueError(text)

    found = json.loads(line.decode(), object_pairs_hook=unique, parse_constant=refuse)
    if not isinstance(found, dict) or b"\n" in line:
        raise ValueError("no object on one line")
    return found


def strictly_object(line: bytes) -> bool:
    """Whether a line is one whole JSON object (RFC 8259), by a parser that logyard does not use."""

    def refuse(text: str) -> None:
        raise ValueError(text)

    try:
        found = json.loads(line.decode(), parse_constant=refuse)
        json.dumps(found, ensure_ascii=False).encode()  # no halves of surrogate pairs
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict)


def has_a_name_twice(line: bytes) -> bool:
    """Whether a name occurs twice in any object of a valid line."""
    found: list[bool] = []
    json.loads(line, object_pairs_hook=lambda pairs: found.append(len(dict(pairs)) < len(pairs)))
    return any(found)
