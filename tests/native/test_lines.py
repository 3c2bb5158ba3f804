"""Documents around lines: the part in C says what the rest of logyard says, of each line, or leaves it."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logyard import native
from logyard.batch import Selection, join_records
from logyard.derive.severity import LEVEL_NAMES, WORD_LEVELS, level_of, level_value
from logyard.derive.time import TIME_NAMES, rfc3339, time_of
from logyard.errors import WireError
from logyard.formats.ecs import EcsFormat
from logyard.formats.json import JsonFormat
from logyard.formats.loggly import LogglyFormat
from logyard.formats.nested import NestedFormat
from logyard.formats.splice import ByStamp, Mark
from logyard.formats.syslog import SyslogFormat
from tests.formats.json_lines import HOSTILE, SHAPED, has_a_name_twice, strictly_object
from tests.formats.sample_batches import OBSERVED, miscounted, whole
from tests.formats.syslog_parser import in_micros
from tests.native.both import both, selections
from tests.native.told_lines import TEXTS, TIMES, blocks, texts

pytestmark = pytest.mark.needs("native")

ROOT = Path(__file__).parents[2]
CASES = 500 if os.environ.get("LOGYARD_TEST_REQUIRE_ALL") == "1" else 200
"""Batches that each format is tried on."""


def write(
    records: list[bytes], *pieces: Any, positions: list[int] | None = None, **how: Any
) -> list[bytes | tuple[int, int, int]]:
    """What is made of records, by the part in C alone."""
    assert native.module is not None
    block, separator = join_records(records)
    made: list[bytes | tuple[int, int, int]] | None = native.module.write(
        block, 1000, len(records), OBSERVED, positions, pieces, separator=separator[0], **how
    )
    assert made is not None
    return made


def meaning(document: bytes) -> Any:
    """What a document says, with the order of its members and names that occur twice."""
    return json.loads(document, object_pairs_hook=lambda pairs: ("object", pairs))


def meanings(block: bytes) -> list[Any]:
    return [meaning(line) for line in block.split(b"\n")[:-1]]


def is_ambiguous(line: bytes) -> bool:
    """Whether Python itself takes other values from the line beside other neighbours: a name is in it twice."""
    return strictly_object(line) and has_a_name_twice(line)


def bulk(selection: Selection) -> bytes:
    before = (ByStamp(10, lambda day: f"<{day}>".encode()), b'{"_id":"', Mark.OFFSET, b'"}\n')
    return b"".join(EcsFormat().documents(selection).framed(before, b"\n"))


@settings(max_examples=CASES)
@given(blocks)
def test_documents_for_elasticsearch_are_the_same(records: list[bytes]) -> None:
    for selection in selections(records):
        ours, theirs = (made.split(b"\n") for made in both(partial(bulk, selection)))
        assert len(ours) == len(theirs)
        assert [line.rpartition(b"{")[2] for line in ours[::2]] == [line.rpartition(b"{")[2] for line in theirs[::2]]
        for line, our_action, our_document, their_action, their_document in zip(
            selection.lines, ours[::2], ours[1::2], theirs[::2], theirs[1::2], strict=False
        ):
            if not is_ambiguous(line):
                assert our_action == their_action
                assert meaning(our_document) == meaning(their_document)


@settings(max_examples=CASES)
@given(blocks)
def test_nested_and_flat_documents_and_events_for_loggly_are_the_same(records: list[bytes]) -> None:
    for written in (NestedFormat(), JsonFormat(), LogglyFormat()):
        for selection in selections(records):
            ours, theirs = both(partial(written.block, selection))
            assert [meaning(line) for line in written.encode(selection)] == meanings(ours)
            for line, our, their in zip(selection.lines, meanings(ours), meanings(theirs), strict=True):
                assert our == their or is_ambiguous(line)


@settings(max_examples=CASES)
@given(blocks)
def test_syslog_messages_are_the_same(records: list[bytes]) -> None:
    formats = (
        SyslogFormat(facility="local3"), SyslogFormat(severity="info"), SyslogFormat(time="observed"),
        SyslogFormat(max_size=480),
    )  # fmt: skip
    for written in formats:
        for selection in selections(records):
            ours, theirs = both(partial(written.frames, selection, "lf"))
            assert ours.count(b"\n") == theirs.count(b"\n") == selection.count
            for line, our, their in zip(selection.lines, ours.split(b"\n"), theirs.split(b"\n"), strict=False):
                # Text has six digits, whoever stands beside it.
                same = in_micros(our) == in_micros(their) if line.lstrip().startswith(b"{") else our == their
                assert same or is_ambiguous(line)
            counted = written.frames(selection, "octet")
            messages = []
            while counted:
                size, _, rest = counted.partition(b" ")
                messages.append(rest[: int(size)])
                counted = rest[int(size) :]
            for line, message, our in zip(selection.lines, messages, ours.split(b"\n"), strict=False):
                assert message == our or b"\n" in line


@settings(max_examples=CASES)
@given(st.lists(texts(), min_size=1, max_size=12))
def test_syslog_messages_of_text_are_the_same_to_the_byte(records: list[bytes]) -> None:
    for written in (SyslogFormat(), SyslogFormat(max_size=480)):
        for selection in selections(records):
            ours, theirs = both(partial(written.frames, selection, "octet"))
            assert ours == theirs


class Severities(dict[bytes, bytes]):
    """A severity's number, by the JSON that tells it."""

    def __missing__(self, told: bytes) -> bytes:
        level = level_value(json.loads(told)) if told else None
        return b"none" if level is None else b"%d" % level


def told_by_text(records: list[bytes]) -> list[tuple[bytes, bytes, str] | None]:
    """Severity, time and text of each record; None for what is left, or no text."""
    kinds = native.module
    assert kinds is not None
    how = ((kinds.LEVEL, Severities()), b" ", (kinds.TIME, b"none"), b" ", (kinds.MESSAGE, None), b"\n")
    found: list[tuple[bytes, bytes, str] | None] = []
    for part in write(records, b"\n", texts=how):
        if isinstance(part, tuple):
            found.append(None)
            continue
        for line in part.split(b"\n")[:-1]:
            level, stamp, text = line.split(b" ", 2) if line else (b"", b"", b"")
            found.append((level, stamp, json.loads(text)) if line else None)
    return found


def told_alone(line: bytes) -> tuple[bytes, bytes, str]:
    """What Python finds in a line."""
    level, ns = level_of(line), time_of(line, OBSERVED)
    stamp = b"none" if ns is None else rfc3339(ns).encode()
    return b"none" if level is None else b"%d" % level, stamp, line.decode()


@settings(max_examples=5 * CASES)
@given(st.lists(texts(), min_size=1, max_size=60))
def test_text_tells_the_same_severity_and_time_as_each_line_alone(records: list[bytes]) -> None:
    for line, found in zip(records, told_by_text(records), strict=True):
        assert found is None or found == told_alone(line)


@pytest.mark.parametrize(
    "mark",
    [
        b" ERROR x", b" ERROR", b"[error] x", b"[ " + b"m" * 30 + b":error ] x", b" lvl=error x", b' severity="error"',
        b" error: x", b"1mERROR:", b"xmERROR:", b"x.ERROR: y", b" ts=2026-11-22T09:30:00Z x",
        b" time=2026-11-22 09:30:00", b" [22/Nov/2026:09:30:00 +0000] x", b" 09:30:00 x", b"[2026-11-22 09:30:00]",
        b" [x error] [Warn] x", b"[" + b"m" * 32 + b":error]", b"[" + b"m" * 33 + b":error]", b"[eRROR] Warn: x",
        b" level=error-x", b" lvl=err.x", b" level=error2 INFO", b" [22/Nov/2026:09:30:00 +00:00] x",
    ],
)  # fmt: skip
def test_a_mark_counts_as_far_into_a_line_as_for_python(mark: bytes) -> None:
    for line in [fill * size + mark for size in range(270) for fill in (b"x", b"/")]:
        (told,) = told_by_text([line])
        assert told is None or told == told_alone(line)


def test_of_several_times_in_a_line_the_same_one_counts() -> None:
    pairs = [b"%b=2026-11-22T09:30:0%dZ" % (name, n) for n, name in enumerate((b"ts", b"time", b"timestamp", b"@ts"))]
    stamps = [*pairs, b"[22/Nov/2026:09:30:05 +0000]", b"2026-11-22 09:30:06", b"Nov 22 09:30:07", b"09:30:08", b"x=1"]
    records = [b"".join((start, one, b" ", two)) for one in stamps for two in stamps for start in (b"", b"x ", b"[")]
    found = told_by_text(records)
    for line, told in zip(records, found, strict=True):
        assert told is None or told == told_alone(line)
    assert sum(told is not None for told in found) > len(records) // 3


def test_text_that_programs_write_is_taken() -> None:
    """Or the test above would hold whatever the part in C did."""
    whole_second, half = b"2026-11-22T09:30:00Z", b"2026-11-22T09:30:00.500Z"
    expected = [
        (b"6", b"2026-11-22T09:30:00.123Z"), (b"4", b"2026-11-22T08:30:00.500Z"), (b"3", b"2026-11-22T14:30:00Z"),
        (b"3", whole_second), (b"6", half), (b"none", whole_second), (b"none", b"2025-12-02T09:30:00Z"),
        (b"none", whole_second), (b"none", b"2026-11-22T11:00:00Z"), (b"4", whole_second),
        (b"3", b"2026-11-22T09:30:00.123456789Z"), (b"6", b"none"), (b"3", b"none"),
        (b"4", b"2026-11-22T09:30:00.123456Z"), (b"2", whole_second), (b"none", b"none"),
        (b"3", whole_second), (b"3", whole_second), None,
        (b"none", b"none"), (b"none", b"none"),
    ]  # fmt: skip
    found = told_by_text(list(TEXTS))
    assert [told and told[:2] for told in found] == expected
    assert [told[2].encode() for told in found if told] == [text for text in TEXTS if text != b"Warning: it is late"]


@pytest.mark.parametrize("byte", range(256))
def test_any_byte_in_a_text_reads_back_or_is_left(byte: int) -> None:
    line = b"it is 7 " + bytes([byte]) + b" o'clock, and a text of more than sixteen bytes" + bytes([byte])
    if byte == 0x0A:
        return
    (found,) = told_by_text([line])
    assert found == (None if byte >= 0x80 else (b"none", b"none", line.decode()))


@pytest.mark.parametrize(
    ("pieces", "texts"),
    [
        (("LINE",), 7),
        (("LINE",), ("BODY",)),
        (("LINE",), ("REST",)),
        (("LINE",), ("NONE",)),
        ((("LEVEL", {}),), (("LEVEL", {}),)),
        ((("BY_TIME", {}, b"2026"),), (("BY_TIME", {}, b"2026"),)),
    ],
)
def test_wrong_pieces_of_text_are_refused(pieces: tuple[Any, ...], texts: Any) -> None:
    def named(piece: Any) -> Any:
        if isinstance(piece, tuple):
            return (getattr(native.module, piece[0]), *piece[1:])
        return getattr(native.module, piece, None)

    with pytest.raises((ValueError, TypeError)):
        write([b"{}"], *map(named, pieces), texts=tuple(map(named, texts)) if isinstance(texts, tuple) else texts)


@settings(max_examples=CASES)
@given(blocks)
def test_only_whole_objects_are_taken(records: list[bytes]) -> None:
    (*_, places), taken = _taken(records)
    assert all(strictly_object(records[place]) for place in taken)
    assert sorted([*taken, *places]) == list(range(len(records)))


def _taken(records: list[bytes], **how: Any) -> tuple[tuple[list[int]], list[int]]:
    assert native.module is not None
    parts = write(records, native.module.LINE, b"\n", **how)
    left = [part[0] for part in parts if isinstance(part, tuple)]
    taken = [place for place in range(len(records)) if place not in left]
    assert b"".join(part for part in parts if isinstance(part, bytes)) == b"".join(
        records[place] + b"\n" for place in taken
    )
    return (left,), taken


def test_what_programs_write_is_taken() -> None:
    """Or the tests above would hold whatever the part in C did."""
    kinds = native.module
    assert kinds is not None
    levels = {b'"warning"': b"W", b"30": b"I", b"": b"-"}
    pieces = ((kinds.LEVEL, levels), (kinds.TIME, b"none"), (kinds.MESSAGE, b"="), b" ", kinds.OFFSET, b";")
    more = [b'{"ts":1795339800.25,"level":30,"text":"\\u00e9","n":[1,{"a":[]}]}', b'{ "a" : [ 1 , "\xc3\xa9" ] }']
    (made,) = write([*SHAPED[:2], *more], *pieces)
    at = [1000 + sum(len(line) + 1 for line in [*SHAPED[:2], *more][:n]) for n in range(4)]
    expected = (
        f'W2026-11-22T09:30:00Z="n 0" {at[0]};W2026-11-22T09:30:01.001Z="n 1" {at[1]};'
        f'I2026-11-22T09:30:00.250Z="\\u00e9" {at[2]};-none {at[3]};'
    )
    assert made == expected.encode()


def test_a_line_without_a_message_stands_for_it_where_that_is_wanted() -> None:
    kinds = native.module
    assert kinds is not None
    for line in (b'{"a":"\\"\\\\ \xc3\xa9\x7f"}', b'{\t"msg" : null\t}', b'{"msg":7}'):
        (made,) = write([line], (kinds.MESSAGE, None))
        assert isinstance(made, bytes)
        assert json.loads(made) == line.decode()
        assert write([line], (kinds.MESSAGE, b"=")) == [b""]
    assert write([b'{"msg":"m"}'], (kinds.MESSAGE, None)) == [b'"m"']


@pytest.mark.parametrize(
    ("told", "stamp"),
    [
        ('"2026-11-22T09:30:00.5Z"', "2026-11-22T09:30:00.500Z"),
        ('"2026-11-22T09:30:00.2500000Z"', "2026-11-22T09:30:00.250Z"),
        ('"2026-11-22T09:30:00.000000001Z"', "2026-11-22T09:30:00.000000001Z"),
        ('"2026-11-22 09:30:00,123"', "2026-11-22T09:30:00.123Z"),
        ('"2026-11-22T00:30:00+01:00"', "2026-11-21T23:30:00Z"),
        ('"2024-02-28T23:30:00-0100"', "2024-02-29T00:30:00Z"),
        ("1795339800123456789", "2026-11-22T09:30:00.123456789Z"),
        ("951782400", "2000-02-29T00:00:00Z"),
        ("4107542399.5", None),  # in the year 2100, which is not yet
        ('"2026-11-22T09:30:00.1234567891Z"', None),
        ('"2026-11-31T09:30:00Z"', None),
    ],
)
def test_times_are_written_in_utc(told: str, stamp: str | None) -> None:
    assert native.module is not None
    found = write([b'{"time":%b}' % told.encode()], (native.module.TIME, b"-"))
    assert found == [(0, 0, len(told) + 9) if stamp is None else stamp.encode()]


def test_most_ways_to_write_a_time_are_known() -> None:
    assert native.module is not None
    parts = write([b'{"time":%b}' % told.encode() for told in TIMES], (native.module.TIME, b"-"), b"\n")
    written = b"".join(part for part in parts if isinstance(part, bytes)).count(b"\n")
    assert sum(isinstance(part, tuple) for part in parts) + written == len(TIMES)
    # The others are absurd, no times at all, or rare.
    assert written == 25


def test_the_names_are_those_of_the_rest_of_logyard() -> None:
    assert native.module is not None
    assert set(native.module.SEVERITIES) == WORD_LEVELS.keys()
    names = native.module.NAMES
    assert {name for name, what in names.items() if what == "time"} == TIME_NAMES
    assert {name for name, what in names.items() if what == "level"} == LEVEL_NAMES
    assert {name: what for name, what in names.items() if what not in ("time", "level")} == {
        name: name for name in ("log", "msg", "message", "text")
    }


@pytest.mark.parametrize(("objects", "worth_it"), [(0, False), (6, False), (12, True), (63, True)])
def test_what_is_nearly_all_text_is_not_taken_apart(objects: int, worth_it: bool) -> None:
    assert native.module is not None
    records = [b"text"] * 64 + [b"{}"] * objects
    random.Random(1).shuffle(records)
    block = b"\n".join([*records, b"text", *[b"{}"] * 500])
    parts = native.module.write(block, 0, block.count(b"\n") + 1, OBSERVED, None, (native.module.LINE,))
    assert (parts is not None) is worth_it
    ours, theirs = both(partial(EcsFormat().block, whole(*records, *[b"x %d" % n for n in range(90)])))
    assert meanings(ours) == meanings(theirs)


def test_records_of_several_lines_are_taken_where_something_else_divides_them() -> None:
    kinds = native.module
    assert kinds is not None
    records = [b"one\n two", b"three", b'{"a":\n1}', b'{"a":1}']
    string = ((kinds.MESSAGE, None), b"\n")
    assert write(records, kinds.LINE, texts=string) == [
        b'"one\\n two"\n"three"\n', (2, 15, 23), b'{"a":1}'
    ]  # fmt: skip
    # A line as it is stays one line, but where its length tells where it ends.
    for octets, first in ((False, [(0, 0, 8), b"three"]), (True, [b"8 one\n two5 three"])):
        assert write(records[:2], kinds.LINE, texts=(kinds.LINE,), octets=octets) == first


@pytest.mark.parametrize("separator", [-1, 9, 32, 300])
def test_other_separators_are_refused(separator: int) -> None:
    assert native.module is not None
    with pytest.raises(ValueError, match="control character"):
        native.module.write(b"{}", 0, 1, OBSERVED, None, (b"x",), separator=separator)


def test_wanted_records_alone_are_written() -> None:
    assert native.module is not None
    records = [b'{"n":%d}' % n for n in range(5)]
    line = native.module.LINE
    assert write(records, line, positions=[0, 3, 4]) == [b'{"n":0}{"n":3}{"n":4}']
    assert write(records, line, positions=[0, 3, 4], leave_last=True) == [b'{"n":0}{"n":3}', (2, 32, 39)]
    assert write(records, line, positions=[]) == []
    assert write([b"x", *records[:2], b"y"], line) == [(0, 0, 1), b'{"n":0}{"n":1}', (3, 18, 19)]


@pytest.mark.parametrize("positions", [[1, 0], [0, 0], [5], [-1], ["0"], 7])
def test_wrong_positions_are_refused(positions: Any) -> None:
    assert native.module is not None
    with pytest.raises((ValueError, TypeError)):
        write([b"{}"] * 3, native.module.LINE, positions=positions)


@pytest.mark.parametrize(
    "pieces",
    [
        (99,),
        (None,),
        ((1,),),
        (("x", b""),),
        ("LEVEL",),
        ("TIME",),
        (b"",) * 25,
        (("BY_TIME", {}, b"x" * 20),),
        (("LEVEL", {}),) * 2,
        (("BY_TIME", {}, b"20"),) * 2,
    ],
)
def test_wrong_pieces_are_refused(pieces: tuple[Any, ...]) -> None:
    kinds = native.module
    assert kinds is not None

    def named(piece: Any) -> Any:
        if isinstance(piece, str):
            return getattr(kinds, piece)
        if isinstance(piece, tuple) and isinstance(piece[0], str) and hasattr(kinds, piece[0]):
            return (getattr(kinds, piece[0]), *piece[1:])
        return piece

    with pytest.raises((ValueError, TypeError)):
        write([b"{}"], *map(named, pieces))


@pytest.mark.parametrize("piece", ["MESSAGE", "BODY", "REST"])
def test_the_beginning_of_a_line_tells_no_more_than_it_does(piece: str) -> None:
    kind = getattr(native.module, piece)
    with pytest.raises(ValueError, match="only time and severity"):
        write([b"{}"], (kind, b"") if piece == "MESSAGE" else kind, whole=False)


def test_an_error_of_a_mapping_is_told() -> None:
    kinds = native.module
    assert kinds is not None

    class Broken(dict[bytes, bytes]):
        def __missing__(self, key: bytes) -> bytes:
            raise RuntimeError(f"nothing for {key!r}")

    for piece in ((kinds.LEVEL, Broken()), (kinds.BY_TIME, Broken(), b"2026")):
        with pytest.raises(RuntimeError, match="nothing for b'"):
            write([b'{"a":1}', b'{"level":"info","time":"2026-11-22T09:30:00Z"}'], piece)


def test_more_severities_than_are_remembered_are_all_right() -> None:
    kinds = native.module
    assert kinds is not None
    levels = {b'"%b"' % (b"x" * n): b"%d," % n for n in range(60)}
    records = [b'{"level":"%b"}' % (b"x" * (n * 7 % 60)) for n in range(900)]
    made = b"".join(part for part in write(records, (kinds.LEVEL, levels)) if isinstance(part, bytes))
    assert made == b"".join(b"%d," % (n * 7 % 60) for n in range(900))


@pytest.mark.parametrize("count", [1, 3])
def test_a_block_that_holds_other_than_so_many_records_is_damaged(count: int) -> None:
    selection = miscounted(count)
    for written in (EcsFormat(), JsonFormat(), NestedFormat(), LogglyFormat()):
        with pytest.raises(WireError, match=f"says {count} records and holds 2"):
            written.block(selection)
    with pytest.raises(WireError, match=f"says {count} records and holds 2"):
        SyslogFormat().frames(selection, "octet")


@pytest.mark.parametrize("changes", [{"first": -5}, {"time_ns": 1 << 80}, {"time_ns": -1}])
def test_numbers_that_c_does_not_know_are_left_to_python(changes: dict[str, int]) -> None:
    ours, theirs = both(lambda: [EcsFormat().block(whole(*SHAPED, **changes)), JsonFormat().block(whole(*SHAPED))])
    assert ours == theirs


def test_hostile_lines_are_left_or_whole_objects() -> None:
    (left,), taken = _taken(list(HOSTILE))
    assert len(taken) > 10
    assert len(left) > 30
    assert all(strictly_object(HOSTILE[place]) for place in taken)


def test_without_the_part_in_c_all_works_and_it_is_told(tmp_path: Path) -> None:
    """In a copy of the package that was never compiled, and where somebody has switched it off."""
    copy = tmp_path / "logyard"
    shutil.copytree(ROOT / "logyard", copy, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    code = (
        "from logyard import native; from logyard.formats.ecs import EcsFormat; "
        "from tests.formats.sample_batches import whole; "
        "print(native.module, native.missing); print(EcsFormat().block(whole(b'{}')).decode())"
    )
    for where, environment, told in ((tmp_path, {}, "not built: install"), (ROOT, {"LOGYARD_NATIVE": "0"}, "switched")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=where, capture_output=True, text=True, check=False,
            env=os.environ | {"PYTHONPATH": f"{where}:{ROOT}"} | environment,
        )  # fmt: skip
        assert done.stdout.startswith(f"None {told}"), done.stderr
        assert '"json":{}}' in done.stdout
