"""Filters and batches of records for property tests; what a filter asks for occurs in records, in many spellings.

A whole batch is made from a seed: hypothesis would take longer to draw each record than all evaluations take. A failing
example therefore names its batch by the seed, and the test tells the record.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from hypothesis import strategies as st

from logyard.batch import Batch, join_records
from logyard.derive import Level
from logyard.filters.tree import (
    Compare,
    Contains,
    Exact,
    Exists,
    FieldPath,
    LevelIn,
    Like,
    Matches,
    Node,
    all_of,
    any_of,
    negation,
)
from logyard.filters.units import quantity
from tests.formats.sample_batches import OBSERVED, ORIGIN

__all__ = ["cases", "make_batch", "nodes"]

WORDS = (
    "error", "ERROR", "Err", "timeout after 12ms", "Kelvin \u212a", "kiss", "\u017fi\u017f\u017f", "İstanbul",
    "istanbul", "Straße", "STRASSE", "STRAẞE", "Ωmega", "ωMEGA", "Σίσυφος", "ﬅ", "ﬆ", "😀", "\ufffd", "ﬀ", "a", "A", "",
    " ", "/api/orders/17", "/API/x", 'say "hi"', "back\\slash", "true", "False", "null", "500", "5", "5.0", "-0", "1e3",
    "1000", "007", "250ms", "1m30s", "10KiB", "0.3s", "warn", "web", "tab\there", "\u0130", "\u0131", "inf", "nan", "é",
    "e\u0301", "x*y", "[bracket]", "(a+)+", "aaaaaaaaaaaaaaaaaaaaaaaaaaa!", "\x1b[31mred", "\u2028",
)  # fmt: skip
NAMES = (
    "status", "path", "user", "user.id", "id", "tags", "a", "duration_ms", "elapsed", "size_kb", "size", "level", "app",
    "text", "json", "0", "Ünï",
)  # fmt: skip
NUMBERS = (
    0, 1, 5, -3, 3, 200, 404, 500, 500.0, 499.9999, 0.3, 250, 1000, 1e3, 10240, 10**30, 2**64, -(2**70), 1e308, 1.5e-7,
)  # fmt: skip
RAW = ("1e400", "-1e999", "5e2", "5e2", "0.5E3", "1e3", "500.0", "-0", "1E0")
_IN_JSON = (
    "status", "path", "user.id", "user", "tags", "a", "a.0", "tags.1", "a.b.c", "duration_ms", "elapsed", "size_kb",
    "size", "level", "app", "json", "Ünï", "nowhere",
)  # fmt: skip
_IN_ENVELOPE = ("key", "app", "instance", "node", "source", "text")
PATHS = (*map(FieldPath, _IN_JSON), *(FieldPath(name, envelope=True) for name in _IN_ENVELOPE))
PATTERNS = (
    "error", "^/api", "x$", r"\d+ms", "[^a-z]e", "(?i)err", "a.*e", "^$", r"\s", "(a+)+$", r"\bweb\b", ".", "É|é",
    r"\A\S", r"[^\n]x", "(?s)a.b", r"(?-s)^.", r"\pL{3}", "500", r"e\z", "", "(?m)^b", 'hi"', r"\\",
)  # fmt: skip
QUANTITIES = (
    "0",
    "3",
    "500",
    "-1",
    "250ms",
    "0.3s",
    "1m30s",
    "10KiB",
    "10kb",
    "1e3",
    "4.5",
    "1h",
    "5",
    "1000000000000000000000000",
)
OPENINGS = (
    "2026-11-22 09:30:00 ERROR ",
    "level=warn msg=",
    "<12>",
    "[error] ",
    "E1122 09:30:00.123456 1 x.go:1] ",
    "WARN ",
    "",
    "INFO -- ",
)
SEPARATORS = (b"\n", b"\x1e", b"\x00", b"\xff", b"\xf8")

text = st.one_of(
    st.sampled_from([word for word in WORDS if word.isprintable()]),
    st.sampled_from(WORDS).map(lambda word: "".join(char for char in word if char.isprintable())[1:4]),
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=3),
)
_parts = st.one_of(
    text.map(lambda one: (one,)),
    st.lists(text, min_size=2, max_size=4).map(lambda many: (many[0], *filter(None, many[1:-1]), many[-1])),
)
"""Parts as the lexer makes them: between wildcards none is empty."""


_paths = st.sampled_from(PATHS)
leaves: st.SearchStrategy[Node] = st.one_of(
    text.filter(bool).map(lambda one: Contains((one,))),
    st.lists(text.filter(bool), min_size=2, max_size=3).map(lambda many: Contains(tuple(many))),
    st.builds(Matches, st.one_of(st.just(FieldPath("text", envelope=True)), _paths), st.sampled_from(PATTERNS)),
    st.builds(Like, _paths, _parts.filter(lambda parts: parts != ("", ""))),
    st.builds(Exact, _paths, text),
    st.builds(Exists, _paths),
    st.builds(Compare, _paths, st.sampled_from(("<", "<=", ">", ">=")), st.sampled_from(QUANTITIES).map(quantity)),
    st.sampled_from(list(Level)).map(lambda level: LevelIn(frozenset((level,)), f"level:{level.label}")),
    st.sampled_from([level for level in Level if level != Level.EMERGENCY]).map(
        lambda level: LevelIn(frozenset(one for one in Level if one <= level), f"level:>={level.label}")
    ),
)
nodes: st.SearchStrategy[Node] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(negation),
        st.lists(inner, min_size=2, max_size=3).map(all_of),
        st.lists(inner, min_size=2, max_size=3).map(any_of),
    ),
    max_leaves=6,
)


def make_case(seed: int) -> tuple[Node, Batch]:
    """A batch and a filter that asks for what stands in it."""
    chance = Random(seed)
    batch = make_batch(seed)
    return _node(chance, _seen(chance, batch), 0), batch


Seen = list[tuple[FieldPath, str]]


def _seen(chance: Random, batch: Batch) -> Seen:
    """Fields and their texts in some records."""
    found: Seen = [(chance.choice(PATHS), _word(chance)) for _ in range(4)]
    for line in chance.choices(batch.block.split(batch.separator), k=8):
        try:
            record = json.loads(line)
            json.dumps(record, ensure_ascii=False).encode()
        except ValueError:
            continue
        pairs = record.items() if isinstance(record, dict) else ()
        for name, value in pairs:
            if isinstance(value, str | int | float) and name != "json":
                text = (
                    value if isinstance(value, str) else chance.choice((repr(value), f"{value:g}", str(value).lower()))
                )
                found.append((FieldPath(name), "".join(char for char in text if char.isprintable())))
            elif isinstance(value, dict):
                found += [
                    (FieldPath(f"{name}.{one}"), str(inner)) for one, inner in value.items() if isinstance(inner, int)
                ]
    return found


def _node(chance: Random, seen: Seen, depth: int) -> Node:
    if depth < 3 and chance.random() < 0.35:
        make = chance.choice((all_of, any_of, lambda parts: negation(parts[0])))
        return make([_node(chance, seen, depth + 1) for _ in range(chance.choice((2, 2, 3)))])
    return _leaf(chance, seen)


def _leaf(chance: Random, seen: Seen) -> Node:
    path, text = chance.choice(seen)
    text = _changed(chance, text)
    match chance.randrange(10):
        case 0 | 1:
            return Contains((_changed(chance, _part(chance, text)) or "e",))
        case 2:
            return Contains(tuple(_part(chance, text) or "e" for _ in range(2)))
        case 3 | 4:
            return Matches(FieldPath("text", envelope=True) if chance.random() < 0.7 else path, chance.choice(PATTERNS))
        case 5 | 6:
            at = chance.randrange(len(text) + 1)
            parts = chance.choice(((text,), (text,), (text[:at], ""), ("", text[at:]), (text[:at], text[at + 1 :])))
            return Like(path, parts) if parts != ("", "") else Exists(path)
        case 7:
            return Exact(path, text)
        case 8:
            return Compare(path, chance.choice(("<", "<=", ">", ">=")), quantity(chance.choice(QUANTITIES)))
        case _:
            level = chance.choice(list(Level)[1:])
            return LevelIn(frozenset(one for one in Level if one <= level), f"level:>={level.label}")


def _word(chance: Random) -> str:
    return "".join(char for char in chance.choice(WORDS) if char.isprintable())


def _part(chance: Random, word: str) -> str:
    """A part of a word, or one that reaches over the end of a line."""
    if chance.random() < 0.03:
        return chance.choice(('"}\n{"', "}\n", "\n"))
    at = chance.randrange(len(word) + 1)
    return word[at : at + chance.randrange(1, 5)] if chance.random() < 0.4 else word


def _changed(chance: Random, word: str) -> str:
    """Perhaps in another case; what has several characters in another case is left alone."""
    changed = chance.choice((str, str, str.upper, str.lower, str.swapcase))(word)
    return changed if len(changed) == len(word) else word


def make_batch(seed: int) -> Batch:
    """A batch of one to 300 records of all sorts."""
    chance = Random(seed)
    count = chance.choice((1, 7, 20, 50, 80, 300))
    kinds = chance.choice(
        ((_json_line,), (_json_line, _text_line), (_json_line, _text_line, _broken_line), (_plain_json,))
    )
    distinct = [chance.choice(kinds)(chance) for _ in range(min(count, chance.choice((1, 5, 300, 300))))]
    records = [chance.choice(distinct) for _ in range(count)] if len(distinct) < count else distinct
    envelope: dict[str, Any] = chance.choice(
        (
            {},
            {"instance": None},
            {"key": "sys.nginx", "app": None, "instance": None, "source": "/api/x"},
            {"node": "500", "app": "Straße"},
        )
    )
    separator = chance.choice(SEPARATORS)
    if separator == b"\n" or any(separator in record for record in records):
        block, separator = join_records(records)
    else:
        block = separator.join(records)
    known: dict[str, Any] = {"key": "app.web", "node": "node-1", "app": "web", "instance": "3", "source": "stdout"}
    return Batch(
        block=block, count=count, separator=separator, time_ns=OBSERVED, origin=ORIGIN, first=0, last=len(block) + 1,
        **(known | envelope),
    )  # fmt: skip


def _text_line(chance: Random) -> bytes:
    words = " ".join(chance.choice(WORDS) for _ in range(chance.randrange(4)))
    line = (chance.choice(OPENINGS) + words).encode()
    return line.replace(b" ", b"\n", 1) if chance.random() < 0.02 else line


def _plain_json(chance: Random) -> bytes:
    """As most applications write it."""
    if chance.random() < 0.2:
        return json.dumps(_object(chance, 0)).encode()
    record = {
        "level": chance.choice(("info", "warn", "error", 30, 50)),
        "msg": chance.choice(("GET /api/orders/17", "error")),
        "status": chance.choice((200, 404, 500)),
        "path": chance.choice(WORDS[:3]),
        "user": {"id": chance.randrange(9)},
    }
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()


def _json_line(chance: Random) -> bytes:
    line = json.dumps(
        _object(chance, 0),
        ensure_ascii=chance.random() < 0.4,
        separators=chance.choice(((",", ":"), (", ", ": "), (" ,", " : "))),
        indent=chance.choice((None,) * 30 + (1,)),
    )
    if chance.random() < 0.3:
        line = line.replace("/", "\\/")
    if chance.random() < 0.2:
        name, raw = (
            chance.choice(NAMES),
            chance.choice((*RAW, '"\\ud800"', '"\\ud83d\\ude00"', '"\\u0065rror"', "NaN", "[1,5e2]")),
        )
        line = f"{line[:-1].rstrip()}{',' if len(line) > 2 else ''}{json.dumps(name)}:{raw}}}"
    return (chance.choice(("", "", "", " ", "\t")) + line).encode("utf-8", "surrogatepass")


def _broken_line(chance: Random) -> bytes:
    line = bytearray(_json_line(chance))
    for _ in range(chance.randrange(1, 3)):
        if line:
            at = chance.randrange(len(line))
            line[at : at + chance.randrange(2)] = chance.choice(
                (b"\xff", b"\xc3", b"\xe2\x84", b"", b"\\", b'"', b"\xed\xa0\x80", b"{")
            )
    return bytes(line[: chance.randrange(len(line) + 1)] if chance.random() < 0.3 else line)


def _object(chance: Random, depth: int) -> dict[str, Any]:
    return {chance.choice(NAMES): _value(chance, depth + 1) for _ in range(chance.randrange(5))}


def _value(chance: Random, depth: int) -> Any:
    kind = chance.randrange(12 if depth < 4 else 9)
    if kind < 5:
        return chance.choice(WORDS)
    if kind < 8:
        return chance.choice(NUMBERS)
    if kind == 8:
        return chance.choice((None, True, False, "", 7))
    if kind == 9:
        return [_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {chance.choice(("id", "0", "b", "a", "c")): _value(chance, depth + 1) for _ in range(chance.randrange(3))}


_seeds = st.integers(0, 2**64 - 1)
cases: st.SearchStrategy[tuple[Node, Batch]] = st.one_of(
    st.tuples(nodes, _seeds.map(make_batch)), *[_seeds.map(make_case)] * 4
)
"""Hypothesis prefers simple filters and texts that occur nowhere; most are therefore made from seeds."""
