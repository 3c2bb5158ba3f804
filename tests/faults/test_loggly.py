"""Loggly throttles, fails, breaks off and is silent: nothing is lost, repeats are counted, nobody else notices."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logyard.demo.application import Application, Plan
from tests.faults.pipeline import LINE_BYTES, STREAM, Pipeline, Tally, make_lines, numbers_in
from tests.servers.http_sink import HttpSink, Reply
from tests.servers.loggly import BLACK_HOLE, OK, Loggly

SECRET = "0d1e2f30-tests-secret-0123456789ab"
GOOD = Reply(200, OK)


@pytest.fixture
def loggly() -> Iterator[Loggly]:
    server = Loggly(SECRET)
    server.up()
    yield server
    server.down()


class Source:
    """A log file with numbered lines, followed by a running agent."""

    def __init__(self, pipeline: Pipeline, path: Path) -> None:
        self.path = path
        self.lines = 0
        path.touch()
        pipeline.start_agent(f"{STREAM}={path}")

    def write(self, lines: int) -> None:
        with self.path.open("ab") as output:
            output.write(make_lines(self.lines, self.lines + lines))
        self.lines += lines


@pytest.fixture
def source(pipeline: Pipeline, tmp_path: Path) -> Source:
    return Source(pipeline, tmp_path / "web.log")


def address(loggly: Loggly) -> str:
    return f"loggly+http://{loggly.token}@127.0.0.1:{loggly.port}?tag=web&linger=50ms&timeout=3s"


def arrived(loggly: Loggly) -> Tally:
    tally = Tally()
    tally.add(numbers_in(b"\n".join(event.text for event in list(loggly.events))))
    return tally


def caught_up(pipeline: Pipeline, name: str) -> dict[str, Any]:
    """The drain's status once nothing is left to deliver, else {}."""
    status = pipeline.status(name)
    return status if status["lag_records"] == 0 else {}


BEFORE = [  # nothing is stored
    Reply(429, headers={"Retry-After": "0"}),
    Reply(429),
    Reply(503, headers={"Retry-After": "1"}),
    Reply(500),
    Reply(502),
    Reply(504),
    Reply(200, b'{"response":"error"}'),
    Reply(413),
    Reply(breaks="close"),
    Reply(breaks="silence"),
]
AFTER = [  # the events are stored, and logyard cannot know
    Reply(200, OK, breaks="reset"),
    Reply(200, OK, breaks="stall"),
    Reply(breaks="close"),
]


def test_nothing_is_lost_repeats_are_counted_and_other_drains_go_on(
    pipeline: Pipeline, source: Source, loggly: Loggly, tmp_path: Path
) -> None:
    target = tmp_path / "out.log"
    pipeline.add_drain("loggly", address(loggly))
    pipeline.add_drain("file", f"file://{target}", "--format", "raw")
    pipeline.start_router()
    for replies, stores in ((BEFORE, False), (AFTER, True)):
        for reply in replies:
            # In the middle of a stream of requests: some before and some beside it are answered as they should be.
            loggly.misbehave([GOOD], stores=True)
            loggly.misbehave([reply], stores=stores)
            source.write(20_000)
            pipeline.wait(lambda: not loggly.next, f"loggly to have done {reply}")
    # From here on it is silent. The file does not notice.
    loggly.always = BLACK_HOLE
    source.write(50_000)
    pipeline.wait(lambda: pipeline.status("loggly")["state"] == "retrying", "loggly to be missed")
    pipeline.wait(lambda: target.stat().st_size >= source.lines * LINE_BYTES, "all lines in the file")
    assert target.read_bytes() == source.path.read_bytes()
    assert pipeline.wait(lambda: caught_up(pipeline, "file"), "the file to have caught up")["resent"] == 0
    # What it is told now may still have been sent beside what got no answer, and got one.
    silent = pipeline.wait(
        lambda: (status := pipeline.status("loggly"))["state"] == "retrying" and status, "loggly to be missed still"
    )
    assert silent["lag_records"] > 0
    assert "127.0.0.1" in silent["last_error"] and SECRET not in silent["last_error"]
    loggly.always = None
    pipeline.wait(lambda: not arrived(loggly).missing(source.lines), "all lines at loggly")
    status = pipeline.wait(lambda: caught_up(pipeline, "loggly"), "the drain to know that it has caught up")
    assert status["delivered"] == source.lines
    assert status["dead"] == status["dropped"] == status["cut"] == 0
    repeated = sum(map(len, arrived(loggly).repeated(source.lines)))
    assert 0 < repeated <= status["resent"]


def test_requests_that_are_too_large_are_halved_until_loggly_takes_them(
    pipeline: Pipeline, source: Source, loggly: Loggly
) -> None:
    loggly.max_request = 50_000
    pipeline.add_drain("loggly", address(loggly))
    source.write(5_000)
    pipeline.start_router()
    pipeline.wait_published(source.lines)
    status = pipeline.wait(lambda: caught_up(pipeline, "loggly"), "the drain to have caught up")
    assert loggly.refused > 10
    assert not arrived(loggly).missing(source.lines)
    assert len(loggly.events) == source.lines
    assert (status["delivered"], status["dead"], status["resent"]) == (source.lines, 0, 0)


def test_an_event_that_loggly_never_takes_is_a_dead_letter_and_the_others_arrive(
    pipeline: Pipeline, loggly: Loggly, tmp_path: Path
) -> None:
    loggly.max_event = 10_000
    path = tmp_path / "web.log"
    path.write_bytes(make_lines(0, 500) + b"x" * 20_000 + b"\n" + make_lines(500, 1_000))
    pipeline.add_drain("loggly", address(loggly))
    pipeline.start_agent(f"{STREAM}={path}")
    pipeline.start_router()
    pipeline.wait_published(1_001)
    status = pipeline.wait(lambda: caught_up(pipeline, "loggly"), "the drain to have caught up")
    assert (status["delivered"], status["dead"]) == (1_000, 1)
    assert not arrived(loggly).missing(1_000)
    (entry,) = pipeline.server.call("XRANGE", "logyard:{p00}:dead:loggly", "-", "+")
    assert entry[1][b"text"] == b"x" * 20_000
    assert b"413" in entry[1][b"reason"] and b"Event Too Large" in entry[1][b"reason"]


def test_a_wrong_token_stops_the_drain_and_says_so_until_somebody_resumes_it(
    pipeline: Pipeline, source: Source, loggly: Loggly
) -> None:
    loggly.token = "the-right-token"
    pipeline.add_drain("loggly", f"loggly+http://{SECRET}@127.0.0.1:{loggly.port}?linger=0")
    pipeline.start_router()
    source.write(100)
    pipeline.wait(lambda: pipeline.status("loggly")["state"] == "failed", "the drain to fail")
    error = pipeline.status("loggly")["last_error"]
    assert error.startswith(f"http://127.0.0.1:{loggly.port} answered 403 Forbidden")
    assert error.endswith("the customer token or the host is wrong")
    assert len(loggly.sink.requests) == 1, "a wrong token is not tried again and again"
    loggly.token = SECRET
    pipeline.logyard("drain", "resume", "loggly")
    status = pipeline.wait(lambda: caught_up(pipeline, "loggly"), "the drain to have caught up")
    assert (status["delivered"], status["dead"]) == (100, 0)


def test_lines_per_instance_and_minute_are_those_that_the_instances_wrote(
    pipeline: Pipeline, loggly: Loggly, tmp_path: Path
) -> None:
    """What the first user looked at: how load spreads over the instances that an autoscaler adds."""
    logs = tmp_path / "logs"
    logs.mkdir()
    minutes = 4
    plan = Plan(str(logs), instances=3, rate=30.0, duration=None, join_every=60.0, rotate_every=100.0)
    pipeline.add_drain("loggly", address(loggly), "--key", "app.web")
    pipeline.start_agent("--app", f"web={logs}/web.{{instance}}.log")
    pipeline.start_router()
    application, start_ns = Application(plan), 1_795_339_800_000_000_000
    for step in range(minutes * 60):
        now_ns = start_ns + step * 1_000_000_000
        application.step(float(step), now_ns)
        if step % 30 == 0:
            # The minutes pass in no time, and yet the agent must have seen a file before it is rotated.
            pipeline.wait_published(lines_of(application))
        if step == 150:
            # Somewhere in between Loggly has a bad minute.
            loggly.misbehave([Reply(503), Reply(429), Reply(500)])
    application.finish(start_ns + minutes * 60 * 1_000_000_000)
    lines = lines_of(application)
    pipeline.wait(lambda: len(loggly.events) >= lines, "all lines at loggly", lambda: len(loggly.events))

    written: Counter[tuple[int, str]] = Counter()
    for path in logs.glob("web.*.log*"):
        for line in path.read_bytes().splitlines():
            if line.startswith(b"{"):
                record = json.loads(line)
                written[record["instance_index"], record["time"][:16]] += 1
    found: Counter[tuple[int, str]] = Counter()
    for event in loggly.events:
        if (instance := event.find("json.instance_index")) is not None:
            found[instance, event.find("json.timestamp")[:16]] += 1
    assert found == written
    assert {instance for instance, _ in found} == {0, 1, 2}
    assert len({minute for _, minute in found}) == minutes + 1
    assert len(loggly.events) == lines
    # Lines that are no JSON, such as stack traces, are of their instance as well.
    assert {event.find("json.logyard.instance") for event in loggly.events} == {0, 1, 2}
    status = pipeline.wait(lambda: caught_up(pipeline, "loggly"), "the drain to have caught up")
    assert status["delivered"] == lines


def lines_of(application: Application) -> int:
    """What its instances have written."""
    return sum(number for name, number in application.counts.items() if name.startswith("web."))


def test_a_token_is_seen_nowhere(
    pipeline: Pipeline, source: Source, loggly: Loggly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTS_TOKEN", SECRET)
    hook = HttpSink(lambda request: Reply(500, f"{request.target} {request.headers} {request.body!r}".encode()))
    hook.up()
    drains = {
        "typed": address(loggly),
        "referred": address(loggly).replace(SECRET, "${env:TESTS_TOKEN}"),
        "away": address(loggly).replace(str(loggly.port), "1"),
        "hook": f"http://user:{SECRET}@127.0.0.1:{hook.port}/{SECRET}?linger=0&header.X-Scope={SECRET}&query.key={SECRET}",
        "bearer": f"http://127.0.0.1:{hook.port}/?linger=0&bearer=${{env:TESTS_TOKEN}}",
    }
    for name, uri in drains.items():
        pipeline.add_drain(name, uri)
    loggly.misbehave([Reply(500, f"no such token: {SECRET}".encode())] * 4)
    router = pipeline.start_router()
    source.write(100)
    seen = []
    try:
        pipeline.wait_published(source.lines)
        for name in ("typed", "referred"):
            pipeline.wait(lambda name=name: caught_up(pipeline, name), f"{name} to have caught up")  # type: ignore[misc]
        for name in ("away", "hook", "bearer"):
            retrying = pipeline.wait(
                lambda name=name: (status := pipeline.status(name))["state"] == "retrying" and status,  # type: ignore[misc]
                f"{name} to fail",
            )
            seen.append(json.dumps(retrying))
            assert "127.0.0.1" in retrying["last_error"]
        for arguments in (["list"], ["list", "--json"], ["status"], ["status", "--json"]):
            seen.append(pipeline.logyard("drain", *arguments))
        for name in drains:
            seen += [pipeline.logyard("drain", "show", name), pipeline.logyard("drain", "show", name, "--json")]
        seen.append(pipeline.logyard("drain", "test", "typed"))
        seen.append(Path(f"/proc/{router.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
        seen.append(Path(f"/proc/{router.pid}/comm").read_text())
    finally:
        hook.down()
    assert router.stop() == 0
    seen.append(router.output())
    assert "retrying" in " ".join(seen) and "trying again" in router.output()
    for text in seen:
        assert SECRET not in text.replace(hook_path_of(drains["hook"]), "")
    assert "${env:TESTS_TOKEN}" in " ".join(seen)


def hook_path_of(uri: str) -> str:
    """The path of an address is shown in listings: a secret there belongs into a reference (docs/drains.md)."""
    return uri.partition("?")[0].rpartition("/")[2].join(("/", "?"))
