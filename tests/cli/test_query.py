"""Searching: what is found and counted is right, what is shown is what was asked for, wrong questions are answered."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from logyard.bus.publish import Published
from logyard.server import connect
from logyard_cli.main import cli
from logyard_cli.output import Output
from logyard_cli.progress import Progress
from logyard_cli.query import QueryOptions, run_query
from logyard_cli.screen import TailOptions
from tests.cli.conftest import Run
from tests.servers.publishing import SECOND, START, Publisher
from tests.servers.redis import RedisServer

MINUTE = 60 * SECOND
BEGIN = START // MINUTE * MINUTE
STAMP = "2026-09-21T14:"  # of BEGIN: 14:13


def line(minute: int, second: int, **fields: object) -> bytes:
    return json.dumps({"time": f"{STAMP}{13 + minute}:{second:02d}Z", **fields}).encode()


async def fill(publisher: Publisher) -> Published:
    """Two instances of web over four minutes, 10 and 14 lines, and nginx."""
    for minute in range(4):
        most = 1 + 2 * (minute != 2)
        for at in range(most + 1):
            for instance in range(2):
                if at < most + instance:
                    record = line(
                        minute, 10 * at + instance, level="error" if at == 3 else "info", instance_index=instance,
                        path=f"/{at % 2}", ms=10 * at, n=minute,
                    )  # fmt: skip
                    await publisher.publish("app.web", record, at=BEGIN + (minute + 1) * MINUTE, instance=str(instance))
    return await publisher.publish("sys.nginx", b"connect() failed", b"ok \x1b[2J", at=BEGIN + 2 * MINUTE)


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(one) for one in text.splitlines()]


async def test_lines_of_all_streams_come_in_order_of_time(publisher: Publisher, logyard: Run) -> None:
    await fill(publisher)
    done = logyard("query", "", "-o", "json")
    assert done.code == 0
    times = [str(row["time"]) for row in rows(done.out)]
    assert times == sorted(times)
    assert len(times) == 26
    assert {row["key"] for row in rows(done.out)} == {"app.web", "sys.nginx"}


async def test_the_story_it_began_with(publisher: Publisher, logyard: Run) -> None:
    await fill(publisher)
    done = logyard("query", "app:web | count by json.instance_index every 1m", "-o", "csv")
    assert done.code == 0, done.err
    table = list(csv.reader(io.StringIO(done.out)))
    assert table[0] == ["time", "instance_index", "count"]
    assert table[1:] == [
        [f"{STAMP}{13 + minute}:00Z", str(instance), str(instance + 1 + 2 * (minute != 2))]
        for minute in range(4)
        for instance in range(2)
    ]
    shown = logyard("query", "app:web | count by json.instance_index every 1m").out.splitlines()
    assert shown[0] == "count by instance_index"
    assert shown[2].split() == ["14:13", "3", "4", "7"]
    chart = logyard("query", "app:web | count by json.instance_index every 1m", "--chart")
    assert chart.code == 0
    assert "█ 0 10   ░ 1 14" in chart.out


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("app:web | count", [{"count": 24}]),
        ("app:web level:error | count by level", [{"level": "error", "count": 3}]),
        ("| count by key", [{"key": "app.web", "count": 24}, {"key": "sys.nginx", "count": 2}]),
        ("app:web | top 1 path", [{"path": "/0", "count": 14, "share": 58.33}]),
        ("app:web | stats max(ms) as slowest, uniq(path) by instance", [
            {"instance": 1, "slowest": 30, "uniq(path)": 2}, {"instance": 0, "slowest": 20, "uniq(path)": 2},
        ]),
        ("app:web | fields path, ms | sort ms desc | limit 1", [{"path": "/1", "ms": 30}]),
        ("app:web | fields path | limit 2", [{"path": "/0"}, {"path": "/0"}]),
        ("app:web | limit 3 | count by instance", [{"instance": 0, "count": 2}, {"instance": 1, "count": 1}]),
    ],
)  # fmt: skip
async def test_pipes_give(publisher: Publisher, logyard: Run, query: str, expected: list[object]) -> None:
    await fill(publisher)
    done = logyard("query", query, "-o", "json")
    assert (done.code, rows(done.out)) == (0, expected), done.err


async def test_only_the_last_that_match(publisher: Publisher, logyard: Run) -> None:
    await fill(publisher)
    done = logyard("query", "app:web level:error", "-n", "2", "-o", "json")
    assert [str(row["time"])[14:16] for row in rows(done.out)] == ["14", "16"]
    counted = logyard("query", "app:web level:error | count by n", "-n", "2", "-o", "json")
    assert {row["n"]: row["count"] for row in rows(counted.out)} == {1: 1, 3: 1}


async def test_limits_of_time_and_streams_narrow_it(publisher: Publisher, logyard: Run) -> None:
    await fill(publisher)
    window = ("--since", f"{STAMP}14:00Z", "--until", f"{STAMP}16:00Z")
    assert rows(logyard("query", "app:web | count", *window, "-o", "json").out) == [{"count": 10}]
    assert len(logyard("query", "", *window, "-o", "raw", "--stream", "web.1").out.splitlines()) == 6
    assert logyard("query", "app:web | count every 1m", *window).out.splitlines()[1:] == [
        "14:14      7",
        "14:15      3",
    ]
    assert logyard("query", "| count", "--stream", "nginx", "-o", "json").out == '{"count":2}\n'


async def test_buckets_without_records_are_shown(publisher: Publisher, logyard: Run) -> None:
    await publisher.publish("app.web", line(0, 0), line(3, 0), at=BEGIN + 4 * MINUTE)
    shown = logyard("query", "| count every 1m").out.splitlines()
    assert [row.split()[1] for row in shown[1:]] == ["1", "0", "0", "1"]


async def test_records_around_are_shown_too(publisher: Publisher, logyard: Run) -> None:
    await publisher.publish("app.web", *[b"line %d" % at for at in range(10)])
    assert logyard("query", '"line 5" | context 1', "-o", "raw").out.split("\n")[:3] == ["line 4", "line 5", "line 6"]
    assert logyard("query", '"line 5"', "-B", "2", "-o", "raw").out.split("\n")[:3] == ["line 3", "line 4", "line 5"]
    assert logyard("query", "line", "-n", "1", "-B", "1", "-o", "raw").out.split("\n")[:2] == ["line 8", "line 9"]


async def test_nothing_that_matches_is_told_with_what_was_searched(publisher: Publisher, logyard: Run) -> None:
    await fill(publisher)
    done = logyard("query", "nowhere")
    assert (done.code, done.out) == (1, "")
    assert "nothing matched in 26 records of 2 streams stored since " in done.err
    assert logyard("query", "nowhere | count by path").code == 1


async def test_days_begin_where_the_zone_says(publisher: Publisher, logyard: Run) -> None:
    records = [b'{"time":"2026-09-20T14:59:59Z"}', b'{"time":"2026-09-20T15:00:00Z"}']
    await publisher.publish("app.web", *records)
    assert len(rows(logyard("query", "| count every 1d", "-o", "json").out)) == 1
    tokyo = rows(logyard("query", "| count every 1d", "-o", "json", "--timezone", "Asia/Tokyo").out)
    assert [row["time"] for row in tokyo] == ["2026-09-20T00:00:00+09:00", "2026-09-21T00:00:00+09:00"]


async def test_a_filter_may_begin_with_a_minus(publisher: Publisher, logyard: Run) -> None:
    await publisher.publish("app.web", b"healthz", b"order", b"xylophone")
    for arguments in (("-healthz -x*", "-n5", "-oraw"), ("-n", "5", "-healthz -x*", "-o", "raw")):
        done = logyard("query", *arguments)
        assert (done.code, done.out) == (0, "order\n"), done.err


async def test_a_saved_filter_is_used(publisher: Publisher, logyard: Run) -> None:
    await fill(publisher)
    assert logyard("filter", "save", "bad", "level:>=error").code == 0
    assert rows(logyard("query", "app:web @bad | count", "-o", "json").out) == [{"count": 3}]


async def test_a_row_of_fields_is_written_for_each_record(publisher: Publisher, logyard: Run) -> None:
    await fill(publisher)
    shown = logyard("query", "app:web | fields time,path,ms | limit 2").out.splitlines()
    assert [row.split() for row in shown] == [
        ["time", "path", "ms"], [f"{STAMP}13:00Z", "/0", "0"], [f"{STAMP}13:01Z", "/0", "0"],
    ]  # fmt: skip
    exported = logyard("query", "app:web | fields ms,absent | limit 1", "-o", "csv").out
    assert exported.splitlines() == ["ms,absent", "0,"]


async def test_what_was_counted_until_ctrl_c_is_shown_and_told(
    publisher: Publisher, valkey: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number in range(200):
        await publisher.publish("app.web", b"line %d" % number)
    stop, told = asyncio.Event(), list[str]()

    class Impatient(Progress):
        """Presses Ctrl-C as soon as something was read."""

        def tell(self, read: int, expected: int, matched: int) -> None:
            assert expected == 200
            stop.set()

    monkeypatch.setattr("logyard_cli.query.Progress", Impatient)
    options = QueryOptions("line | count", TailOptions(last=None, follow=False, output="csv"))
    with (tmp_path / "out").open("wb") as file:
        summary = await run_query(
            lambda: connect(valkey.url), options, stop, output=Output(file.fileno()), notice=told.append
        )
    assert summary.code == 130
    assert summary.matched == summary.read > 0
    assert (tmp_path / "out").read_text() == f"count\n{summary.read}\n"
    assert len(told) == 1
    assert told[0].startswith(f"stopped early: this is what {summary.read} records of 1 stream stored since ")


async def test_ctrl_c_ends_it(
    publisher: Publisher, start_logyard: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    for _ in range(20):
        await publisher.publish("app.web", *[b"x" * 200] * 1000)
    process = start_logyard("query", "", "-o", "raw")
    assert process.stdout is not None
    assert process.stdout.readline()  # it writes, and waits for us to read on
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"matched" in err
    assert b"Traceback" not in err


@pytest.mark.parametrize("words", [("query", "x"), ("query", "@saved"), ("tail", "-e", "@saved"), ("tail",)])
async def test_ctrl_c_ends_it_while_the_server_does_not_answer(
    start_logyard: Callable[..., subprocess.Popen[bytes]], words: tuple[str, ...]
) -> None:
    asked = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    mute = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with mute:
        port = mute.sockets[0].getsockname()[1]
        process = start_logyard(*words, url=f"redis://127.0.0.1:{port}")
        await asyncio.wait_for(asked.wait(), 60)
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.to_thread(process.communicate, timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in err and b"not answered" not in err


async def test_a_reader_that_leaves_ends_it_silently(
    publisher: Publisher, start_logyard: Callable[..., subprocess.Popen[bytes]]
) -> None:
    for _ in range(20):
        await publisher.publish("app.web", *[b"x" * 200] * 1000)
    process = start_logyard("query", "", "-o", "raw")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == b""


WRONG = [
    (("a", "b"), "give the filter in one pair of quotes: logyard query 'a b'"),
    (("level:>=wran",), "did you mean warn?"),
    (("(a",), 'expected ")"'),
    (("| cuont",), "did you mean | count?"),
    (("| count every 0s",), "write every 30s"),
    (("| stats p101(ms)",), "there is no percentile 101"),
    (("| stats avg()",), "avg"),
    (("| count by path | sort cuont",), "did you mean count?"),
    (("| sort path",), "write count, stats, top or fields before it"),
    (("| count | count",), "only one of them"),
    (("| count | context 3",), "write it before"),
    (("| context 3 | count",), "leave context out"),
    (("| top path",), "top"),
    (("@nope",), "there is no saved filter @nope"),
    (("x", "--since", "1h", "--until", "2h"), "--until 2h is not after --since 1h"),
    (("x", "--since", "soon"), "is no point in time"),
    (("x", "--until", "2999-01-01"), "lies in the future"),
    (("x", "--chart"), "--chart draws numbers"),
    (("| fields a", "--chart"), "fields gives no numbers"),
    (("| count", "--chart", "-o", "json"), "give one of them"),
    (("| count", "-o", "raw"), "-o raw shows records"),
    (("| count", "--template", "{text}"), "--template shows records"),
    (("| count", "-x"), "-x shows records"),
    (("| count", "--fields", "a"), "behind pipes write | fields a,b"),
    (("| count", "-C", "3"), "leave out one of them"),
    (("| count", "--highlight", "a"), "leave out one of them"),
    (("x", "-n", "-3"), "give a number of lines"),
    (("x", "-n", "few"), "give a number of lines"),
    (("x", "-o", "xml"), "'xml' is not one of"),
    (("x", "-o", "csv", "--highlight", "y"), "not with -o csv"),
    (("x", "-o", "raw", "--fields", "y"), "--fields goes with"),
    (("x", "-x", "-o", "json"), "do not go together"),
    (("x", "--timezone", "Berlni"), "there is no time zone 'Berlni'"),
    (("x", "--utc", "--timezone", "UTC"), "give one of them"),
    (("x", "--stream", "we b"), "is not a stream"),
    ((), "missing argument"),
]


@pytest.mark.parametrize(("arguments", "says"), WRONG, ids=lambda value: " ".join(value)[:40])
def test_a_wrong_question_is_answered(
    valkey: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.setenv("LOGYARD_REDIS_URL", valkey.url)
    with pytest.raises(SystemExit) as ended:
        cli.main(["query", *arguments])
    told = capsys.readouterr()
    assert ended.value.code == 2, told.err
    assert says in told.err
    assert told.out == ""


async def test_what_is_not_there_is_told_with_what_is_like_it(publisher: Publisher, logyard: Run) -> None:
    await fill(publisher)
    for arguments in (("app:wbe",), ("key:app.wbe | count",), ("x", "--stream", "wbe")):
        done = logyard("query", *arguments)
        assert done.code == 1
        assert "did you mean" in done.err
        assert "web" in done.err


async def test_an_unreachable_server_is_told(logyard: Run) -> None:
    done = logyard("query", "x", url="redis://127.0.0.1:1")
    assert done.code == 3
    assert done.err.startswith("logyard: ")
