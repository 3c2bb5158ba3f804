"""``logyard up``: everything in one command, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from logyard.datadir import claim, prepare
from logyard.deployment import deploy
from logyard.errors import SettingsError
from logyard.secret import Secret
from logyard.settings import AgentSettings, DrainSettings, EmbeddedSettings, FileSettings, Settings
from tests.servers.home import User, alive, children_of, command_line
from tests.servers.processes import wait_for
from tests.servers.redis import PASSWORD, SecureRedis


def texts(path: Path) -> list[str]:
    """The texts in a file that a drain writes."""
    return [json.loads(line)["text"] for line in path.read_text().splitlines()] if path.exists() else []


def test_lines_go_from_a_file_to_the_stream_and_the_drain(user: User) -> None:
    (user.home / "web.log").write_text("one\ntwo\n")
    process = user.up("web.log", "--start", "beginning", "--drain", f"archive=file://{user.home}/archive.log")
    wait_for(lambda: texts(user.home / "archive.log") == ["one", "two"], "the drain")
    with (user.home / "web.log").open("a") as file:
        file.write("three\n")
    wait_for(lambda: texts(user.home / "archive.log") == ["one", "two", "three"], "the drain")
    assert user.lines("sys.web") == ["one", "two", "three"]
    output = process.output()
    assert "embedded, in" in output
    assert f"archive -> file://{user.home}/archive.log" in output
    assert "logyard tail" in output


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
def test_it_ends_in_order_and_leaves_nothing(user: User, number: int, code: int) -> None:
    process = user.up()
    children = children_of(process.pid)
    assert len(children) == 3
    process.send_signal(number)
    assert process.wait() == code
    assert not any(map(alive, children))
    assert "Traceback" not in process.output()
    assert "killing" not in process.output()
    assert process.output().rstrip().endswith("stopping: agent, router, server")


async def test_it_starts_the_server_first_and_the_agent_last(tmp_path: Path) -> None:
    data_dir = prepare(tmp_path / "data")
    settings = Settings(data_dir=data_dir, node="n", server=EmbeddedSettings(maxmemory=64 << 20))
    with claim(data_dir) as lock:
        async with deploy(settings, lock, output=tmp_path / "log") as deployment:
            # They end in the opposite order: see test_children_end_one_after_the_other_the_last_one_first.
            assert list(deployment.supervisor.pids) == ["server", "router", "agent"]


async def test_nothing_is_started_for_a_drain_that_is_wrong(tmp_path: Path) -> None:
    data_dir = prepare(tmp_path / "data")
    drains = {"a": DrainSettings(Secret("nonsense://x"))}
    with claim(data_dir) as lock, pytest.raises(SettingsError, match="drain a: there is no drain for nonsense://"):
        async with deploy(Settings(data_dir=data_dir, node="n", drains=drains), lock):
            pass
    assert not (data_dir / "server.log").exists()


def test_a_second_one_in_the_same_directory_is_refused(user: User) -> None:
    process = user.up()
    done = user.run("up")
    assert done.code == 2
    assert f"another logyard (process {process.pid}) runs in the data directory {user.data}" in done.err
    assert process.alive


def test_killed_it_leaves_no_child_and_loses_no_line(user: User) -> None:
    (user.home / "web.log").write_text("one\n")
    process = user.up("web.log", "--start", "beginning")
    wait_for(lambda: user.lines("sys.web") == ["one"], "the line")
    children = children_of(process.pid)
    assert len(children) == 3
    process.kill()
    wait_for(lambda: not any(map(alive, children)), "the end of the children")
    with (user.home / "web.log").open("a") as file:
        file.write("two\n")
    user.up("web.log", "--start", "beginning")
    wait_for(lambda: user.lines("sys.web") == ["one", "two"], "each line once")


@pytest.mark.parametrize("victim", ["valkey-server", "service router", "service agent"])
def test_a_killed_part_comes_back_and_no_line_is_lost_or_repeated(user: User, victim: str) -> None:
    (user.home / "web.log").write_text("one\n")
    archive = user.home / "archive.log"
    process = user.up("web.log", "--start", "beginning", "--drain", f"archive=file://{archive}")
    wait_for(lambda: texts(archive) == ["one"], "the first line")
    (part,) = (child for child in children_of(process.pid) if victim in command_line(child))
    os.kill(part, signal.SIGKILL)
    with (user.home / "web.log").open("a") as file:
        file.write("two\n")
    wait_for(lambda: texts(archive) == ["one", "two"], "the second line")
    assert len(children_of(process.pid)) == 3
    assert process.output().count("was ended by SIGKILL; starting it again") == 1


def test_no_child_shows_a_secret(user: User, secure_redis: SecureRedis) -> None:
    user.environ["LOGYARD_REDIS_URL"] = secure_redis.url
    process = user.up("--drain", "out=redis://:hunter2@127.0.0.1:9/?key=logs")
    children = children_of(process.pid)
    assert len(children) == 2, "no server: there is one"
    for child in children:
        assert "hunter2" not in command_line(child)
        assert PASSWORD not in command_line(child)
    assert PASSWORD not in process.output()
    assert "hunter2" not in process.output()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["."], "is a directory: say which files, e.g. ./*.log"),
        (["=x"], "a stream's key is missing"),
        (["nginx="], "a path is missing"),
        (["--app", "web"], "write NAME=PATH or NAME.INSTANCE=PATH"),
        (["--app", "a/b=x"], "'a/b' is not the name of an application"),
        (["--app", "web={nonsense}.log"], "{nonsense}"),
        (["--drain", "archive"], "--drain: write NAME=URI"),
        (["--drain", "a=ftp://x"], "there is no drain for ftp://"),
        (["--drain", "a=file:///x?colour=red"], "colour"),
        (["--start", "middle"], "'middle' is not one of 'beginning', 'end'"),
        (["--redis", "mysql://x"], "'mysql' is no Redis address"),
        (["--node", "a b"], '--node = "a b": give a name'),
        (["--config", "none.toml"], "none.toml: there is no such settings file"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_in_one_line(user: User, arguments: list[str], told: str) -> None:
    done = user.run("up", *arguments)
    assert done.code == 2, done
    assert told in done.err
    assert done.err.count("\n") == 1
    assert not (user.data / "server.log").exists()


def test_a_wrong_settings_file_is_refused_with_its_line(user: User) -> None:
    (user.home / "logyard.toml").write_text('[agent]\nstrat = "end"\n')
    done = user.run("up")
    assert (done.code, done.out) == (2, "")
    assert done.err == ("logyard: logyard.toml:2: there is no setting 'strat' in [agent]; did you mean start?\n")


def test_a_file_that_is_not_there_yet_is_followed_when_it_appears(user: User) -> None:
    process = user.up("later.log", "--app", "web.3=web.log", "--app", "api={instance}.api.log")
    assert f"{user.home}/later.log does not exist yet" in process.output()
    assert "matches no file yet" in process.output()
    for name in ("later.log", "web.log", "7.api.log"):
        (user.home / name).write_text(f"in {name}\n")
    wait_for(lambda: user.lines() and len(user.lines()) == 3, "the lines")
    assert user.lines("sys.later") == ["in later.log"]
    assert user.lines("app.web.3") == ["in web.log"]
    assert user.lines("app.api.7") == ["in 7.api.log"]


def test_the_settings_file_says_what_to_run(user: User) -> None:
    (user.home / "logs").mkdir()
    (user.home / "logs/shop.log").write_text("one\n")
    (user.home / "logyard.toml").write_text(
        f"""
        data_dir = "here"
        node = "n1"
        agent.start = "beginning"
        [[agent.files]]
        path = "logs/*.log"
        app = "shop"
        instance = "4"
        [drains.archive]
        uri = "file://{user.home}/archive.log"
        keys = ["app.*"]
        format = "template={{node}} {{app}}.{{instance}} {{text}}"
        """
    )
    user.up()
    archive = user.home / "archive.log"
    wait_for(lambda: archive.exists() and archive.read_text() == "n1 shop.4 one\n", "the archive")
    assert (user.home / "here/server.sock").is_socket()


def test_ctrl_c_while_it_starts_ends_it_without_a_word_too_many(user: User) -> None:
    # A program that takes the place of the server and never answers.
    slow = user.home / "slow"
    slow.write_text("#!/bin/sh\ntouch begun\nexec sleep 1000\n")
    slow.chmod(0o700)
    user.environ["LOGYARD_SERVER_BINARY"] = str(slow)
    process = user.start("up", name="up")
    wait_for((user.data / "begun").exists, "the server")
    children = children_of(process.pid)
    assert len(children) == 1
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert not any(map(alive, children))
    assert process.output() == ""


async def test_a_child_that_refuses_its_settings_ends_everything(tmp_path: Path) -> None:
    data_dir = prepare(tmp_path / "data")
    # The parent takes the rule; what the agent finds wrong, it says itself.
    settings = Settings(
        data_dir=data_dir,
        node="n",
        server=EmbeddedSettings(maxmemory=64 << 20),
        agent=AgentSettings(start="nonsense", files=(FileSettings(tmp_path / "x.log"),)),
    )
    with claim(data_dir) as lock, pytest.raises(Exception, match="agent refuses its settings"):
        async with deploy(settings, lock, output=tmp_path / "log") as deployment:
            await deployment.supervisor.over()
    assert "start='nonsense'" in (tmp_path / "log").read_text()


def test_a_drain_gets_the_secret_that_its_address_refers_to(user: User) -> None:
    user.environ["FOLDER"] = "secret place"
    archive = user.home / "secret place/archive.log"
    archive.parent.mkdir()
    (user.home / "web.log").write_text("one\n")
    process = user.up("web.log", "--drain", f"archive=file://{user.home}/${{env:FOLDER}}/archive.log?format=raw")
    wait_for(lambda: archive.exists() and archive.read_text() == "one\n", "the archive")
    assert "secret place" not in process.output()
    assert "${env:FOLDER}" in user.run("drain", "list").out
    done = user.run("up", "--data-dir", "other", "--drain", "a=tcp://${env:NOWHERE}@h:1")
    assert done.code == 2
    assert "the environment variable NOWHERE is not set" in done.err
