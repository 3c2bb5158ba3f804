"""The parts of the demo: the application's lines and files, the syslog receiver, and the comparison."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from pathlib import Path
from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logyard.demo.application import HEALTH, KEPT, Application, LogFile, Plan
from logyard.demo.lines import health_line, request_lines, start_line
from logyard.demo.receiver import FrameParser, receive_syslog, source_of
from logyard.demo.summary import Archive, Tally

NOW = 1_357_836_994_590_640_000


def test_a_request_is_a_line_of_json_with_its_instance() -> None:
    record = json.loads(request_lines(Random(1), NOW, 3, 0.5)[0])
    assert record["instance_index"] == 3
    assert record["time"] == "2013-01-10T16:56:34.590Z"
    assert {"level", "msg", "request_id", "path", "status", "duration_ms", "memory"} <= set(record)


def test_some_requests_fail_with_a_stack_trace_behind_them() -> None:
    chance = Random(1)
    written = [request_lines(chance, NOW, 0, 1.0) for _ in range(500)]
    traces = [lines for lines in written if len(lines) > 1]
    assert traces
    for lines in traces:
        assert json.loads(lines[0])["level"] == "error"
        assert not any(line.startswith(b"{") for line in lines[1:])
    assert {json.loads(lines[0])["level"] for lines in written} == {"info", "warn", "error"}


def test_the_health_manager_writes_as_the_original_did() -> None:
    line = health_line(NOW, "INFO", "Current load: 80.0%")
    assert line == b"[2013-01-10 16:56:34.590640] hm - pid=2115 tid=bef2 fid=529b  INFO -- Current load: 80.0%"


def plan(folder: Path, **changes: object) -> Plan:
    options = {"instances": 3, "rate": 50.0, "duration": None, "join_every": 1.0, "rotate_every": 1.5, **changes}
    return Plan(str(folder), **options)  # type: ignore[arg-type]


def lines_of(folder: Path, name: str) -> list[bytes]:
    """All lines of a log and of its rotated files, the oldest first."""
    old = sorted(folder.glob(f"{name}.log.*"), key=lambda path: -int(path.suffix[1:]))
    return [line for path in [*old, folder / f"{name}.log"] for line in path.read_bytes().splitlines()]


def test_instances_join_one_after_the_other_and_the_health_manager_says_so(tmp_path: Path) -> None:
    application = Application(plan(tmp_path))
    there = []
    for step in range(40):
        application.step(step / 10, NOW)
        there.append(len(list(tmp_path.glob("web.?.log"))))
    application.finish(NOW)
    assert there == sorted(there)
    assert (there[0], there[9], there[10], there[20], there[-1]) == (1, 1, 2, 3, 3)
    told = b"\n".join(lines_of(tmp_path, HEALTH))
    assert b'Requesting the start of missing instances: {"app":"web","indices":[2]}' in told
    assert b"Current load: " in told


def test_what_it_says_it_wrote_is_in_the_files_rotated_ones_included(tmp_path: Path) -> None:
    application = Application(plan(tmp_path))
    for step in range(60):
        application.step(step / 10, NOW)
    application.finish(NOW)
    assert list(tmp_path.glob("web.0.log.*"))
    assert {name: len(lines_of(tmp_path, name)) for name in application.counts} == application.counts
    assert lines_of(tmp_path, "web.1")[0] == start_line(NOW, 1)


def test_the_rate_is_kept_and_a_pause_is_not_made_up_for(tmp_path: Path) -> None:
    application = Application(plan(tmp_path, instances=1, rate=10.0))
    application.step(0.0, NOW)
    application.step(1000.0, NOW)
    requests = [line for line in lines_of(tmp_path, "web.0") if b"request_id" in line]
    assert len(requests) <= 11
    application.step(1001.0, NOW)
    assert len([line for line in lines_of(tmp_path, "web.0") if b"request_id" in line]) == len(requests) + 10
    application.finish(NOW)


def test_rotation_renames_and_keeps_so_many(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    inodes = []
    for number in range(KEPT + 3):
        log.write([b"%d" % number])
        inodes.append((tmp_path / "a.log").stat().st_ino)
        log.rotate()
    log.close()
    assert (tmp_path / "a.log").read_bytes() == b""
    assert (tmp_path / "a.log.1").read_bytes() == b"%d\n" % (KEPT + 2)
    assert (tmp_path / "a.log.1").stat().st_ino == inodes[-1]
    assert len(list(tmp_path.glob("a.log.*"))) == KEPT


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(0, 200), max_size=10))
def test_frames_are_found_however_the_stream_is_cut(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(b"%d %b" % (len(message), message) for message in messages)
    parser = FrameParser()
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    found = [frame for start, end in itertools.pairwise(edges) for frame in parser.feed(stream[start:end])]
    assert found == messages


@pytest.mark.parametrize("data", [b"<14>1 no length", b"12345678901", b" 3 abc", b"1x ab"])
def test_what_is_not_octet_counting_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="frame"):
        FrameParser().feed(data)


def test_a_message_names_its_source() -> None:
    assert source_of(b"<14>1 2013-01-10T16:56:34Z node web 3 - - text with spaces") == "web.3"
    assert source_of(b"<14>1 2013-01-10T16:56:34Z node health_manager - - - text") == "health_manager"


async def test_the_receiver_counts_by_source() -> None:
    message = b"<14>1 2013-01-10T16:56:34Z node web 3 - - text"
    async with receive_syslog() as receiver:
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        writer.write(b"%d %b" % (len(message), message) * 3)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert (receiver.frames, receiver.by_source, receiver.errors) == (3, Counter({"web.3": 3}), [])


async def test_the_receiver_says_what_it_does_not_understand() -> None:
    async with receive_syslog() as receiver:
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        writer.write(b"hello world\n")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert len(receiver.errors) == 1


def record(number: int, **fields: object) -> bytes:
    return orjson.dumps({"key": "app.web", "app": "web", "instance": 0, "id": f"a.1:{number}", **fields}) + b"\n"


def test_the_archive_is_read_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "archive.log"
    archive = Archive(path)
    archive.read()
    path.write_bytes(record(1) + record(2, instance=1) + record(3)[:10])
    archive.read()
    assert archive.by_source == {"web.0": 1, "web.1": 1}
    path.write_bytes(record(1) + record(2, instance=1) + record(3) + b'{"key":"sys.hm","id":"b.1:0"}\n' + record(1))
    archive.read()
    assert archive.by_source == {"web.0": 3, "web.1": 1, "hm": 1}
    assert archive.repeated == 1


@pytest.mark.parametrize("rewritten", [(2,), (2, 1, 3), (2, 1, 3, 4)])
def test_an_archive_that_was_cut_back_is_read_anew(tmp_path: Path, rewritten: tuple[int, ...]) -> None:
    path = tmp_path / "archive.log"
    archive = Archive(path)
    path.write_bytes(b"".join(map(record, (1, 2, 3))))
    archive.read()
    path.write_bytes(b"".join(map(record, rewritten)))
    archive.read()
    assert archive.by_source == {"web.0": len(rewritten)}
    assert archive.repeated == 0


WRITTEN = {"web.0": 1500, "web.1": 20, "hm": 3}
STREAMS = {"app.web": 1520, "sys.hm": 3}


def test_counts_agree_when_everything_is_everywhere_once() -> None:
    tally = Tally(WRITTEN, STREAMS, WRITTEN, WRITTEN)
    assert tally.agrees
    assert "They agree: every line arrived at every place, once." in tally.text()
    assert ["web.0", "1,500", "1,500", "1,500"] in [line.split() for line in tally.text().splitlines()]
    assert Tally({}, {}, {}, {}).agrees


@pytest.mark.parametrize(
    ("tally", "told"),
    [
        (Tally(WRITTEN, {**STREAMS, "app.web": 1519}, WRITTEN, WRITTEN), "1 lines have not arrived in the streams."),
        (Tally(WRITTEN, {**STREAMS, "sys.x": 1}, WRITTEN, WRITTEN), "1 lines more than there are have arrived in the"),
        (Tally(WRITTEN, STREAMS, {**WRITTEN, "web.1": 15}, WRITTEN), "5 lines have not arrived in the file."),
        (Tally(WRITTEN, STREAMS, WRITTEN, {**WRITTEN, "hm": 5}), "2 lines more than there are have arrived by syslog."),
        (Tally(WRITTEN, STREAMS, {**WRITTEN, "web.0": 1499, "web.1": 21}, WRITTEN), "1 lines have not arrived in the"),
        (Tally(WRITTEN, STREAMS, WRITTEN, WRITTEN, repeated=2), "2 records are in the file more than once."),
        (Tally(WRITTEN, STREAMS, WRITTEN, WRITTEN, errors=("x",)), "The syslog receiver did not understand: x"),
    ],
)
def test_every_difference_is_told(tally: Tally, told: str) -> None:
    assert not tally.agrees
    assert "They do not agree." in tally.text()
    assert told in tally.text()
