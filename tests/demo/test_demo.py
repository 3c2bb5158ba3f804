"""``logyard demo`` as a whole: real files, a real server, both drains, and the tail."""

from __future__ import annotations

import os
import re
import signal

from tests.servers.home import User, alive, children_of, command_line
from tests.servers.processes import Process, wait_for

WHOLE = 10**9


def shown(output: str) -> set[str]:
    """Who has lines in the tail's output."""
    return set(re.findall(r"Z +(web\.\d+|health_manager) ", output))


def parts(process: Process, name: str) -> set[int]:
    """The children whose command line has ``name`` in it."""
    return {child for child in children_of(process.pid) if name in command_line(child)}


def test_it_shows_lines_of_every_instance_and_ends_by_itself_with_counts_that_agree(user: User) -> None:
    done = user.run("demo", "--duration", "4", "--instances", "4", "--rate", "60")
    assert done.code == 0, done
    assert shown(done.out) == {"web.0", "web.1", "web.2", "web.3", "health_manager"}
    assert "They agree: every line arrived at every place, once." in done.out
    table = {line.split()[0]: line.split()[1:] for line in done.out.partition("by syslog")[2].splitlines() if line}
    written, in_streams, to_file, by_syslog = (int(number.replace(",", "")) for number in table["all"][-4:])
    assert written == in_streams == to_file == by_syslog > 100
    # every record is a line of the tail, and so is the table below them
    assert len(re.findall(r"^\d{4}-\d\d-\d\dT", done.out, re.MULTILINE)) == written
    assert "Current load: " in done.out
    assert "Traceback" not in done.err


def test_ctrl_c_ends_it_with_the_same_counts(user: User) -> None:
    process = user.start("demo", "--rate", "50")
    wait_for(lambda: "web.0" in shown(process.output()), "its first lines")
    children = children_of(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 0
    assert "They agree" in process.output()
    assert not any(map(alive, children))


def test_a_second_ctrl_c_ends_it_at_once(user: User) -> None:
    process = user.start("demo", "--rate", "50")
    wait_for(lambda: shown(process.output()), "its first lines")
    children = children_of(process.pid)
    (application,) = (child for child in children if "demo.application" in command_line(child))
    process.send_signal(signal.SIGSTOP)  # so that both come at once
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    wait_for(lambda: not alive(application) or not process.alive, "the first one's effect")
    process.send_signal(signal.SIGINT)
    assert process.wait() in {0, 130, -signal.SIGINT}
    # the application logs tracebacks too; those stand behind a time and a name
    assert not re.search("^Traceback", process.output(WHOLE), re.MULTILINE)
    assert not any(map(alive, children))


def test_nothing_is_kept_but_what_was_asked_for(user: User) -> None:
    user.environ["TMPDIR"] = str(user.home / "tmp")
    (user.home / "tmp").mkdir()
    assert user.run("demo", "--duration", "1").code == 0
    assert list((user.home / "tmp").iterdir()) == []
    assert not user.data.exists(), "a demo and real data do not meet"
    assert user.run("demo", "--duration", "1", "--keep", "kept").code == 0
    assert (user.home / "kept/archive.log").stat().st_size > 0
    assert list((user.home / "kept/logs").glob("web.0.log.*")), "it rotates"
    done = user.run("demo", "--duration", "1", "--keep", "kept")
    assert done.code == 2
    assert "there is something in it" in done.err


def test_it_survives_that_its_parts_are_killed(user: User) -> None:
    process = user.start("demo", "--rate", "50", "--instances", "2", "--keep", "kept")
    wait_for(lambda: "web.0" in shown(process.output()), "its first lines")
    for victim in ("valkey-server", "service agent"):
        (part,) = parts(process, victim)
        os.kill(part, signal.SIGKILL)
        wait_for(lambda: parts(process, victim) - {part}, "its successor")  # noqa: B023
        before = len(process.output(WHOLE))
        wait_for(lambda: "web.0" in shown(process.output(WHOLE)[before:]), "more lines")  # noqa: B023
    process.send_signal(signal.SIGINT)
    assert process.wait(120) in {0, 1}  # counts that never agree are waited for, too
    (totals,) = re.findall(r"^all  +([\d, ]+)$", process.output(), re.MULTILINE)
    written, in_streams, to_file, by_syslog = map(int, totals.replace(",", "").split())
    assert written == in_streams == to_file
    assert by_syslog >= written, "syslog over TCP may repeat, and never loses"


def test_nonsense_is_refused(user: User) -> None:
    for arguments in (["--duration", "soon"], ["--instances", "0"], ["--rate", "-1"]):
        done = user.run("demo", *arguments)
        assert done.code == 2
        assert done.err.count("\n") == 1
