"""What is found wrong without starting anything, and how the command tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from logyard.settings.checking import check_settings, strange_variables
from tests.servers.home import User

HOME = {"HOME": "/home/someone"}


def check(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> tuple[list[str], list[str]]:
    """Problems and warnings, without the path."""
    path = tmp_path / "logyard.toml"
    path.write_text(text)
    checked = check_settings(path, {**HOME, **(environ or {})})
    short = [[str(each).removeprefix(str(path)) for each in part] for part in (checked.problems, checked.warnings)]
    return short[0], short[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('\n[redis]\nurl = "mysql://x"', ":3: redis.url: 'mysql' is no Redis address"),
        ('redis.url = "redis://h/x"', ":1: redis.url: 'x' is not the number of a Redis database"),
        ('redis.url = "redis://:${env:PW}@h/x"', ":1: redis.url: 'x' is not the number"),
        ('[[agent.files]]\npath = "a"\n[[agent.files]]\npath = "{b}"', ":3: agent.files: {b} in "),
        ('[drains.a]\nkeys = []\nuri = "ftp://x"', ":3: drain a: there is no drain for ftp://"),
        ('[drains.a]\nuri = "file:///x?colour=red"', ":2: drain a: "),
        ('[drains.a]\nuri = "file:///x"\nparams = { colour = "red" }', ":2: drain a: "),
        ('[drains.a]\nuri = "file:///x"\nformat = "nonsense"', ":2: drain a: "),
        ('[drains.a]\nuri = "nothing"', ":2: drain a: "),
        ('[drains.-a]\nuri = "file:///x"', ":1: "),
    ],
)
def test_what_is_well_formed_and_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    problems, _ = check(tmp_path, text, {"PW": "secret"})
    assert len(problems) == 1, problems
    assert problems[0].startswith(told)


def test_problems_of_both_kinds_come_in_the_order_of_lines(tmp_path: Path) -> None:
    problems, _ = check(tmp_path, 'redis.url = "x://"\n[agent]\nfoo = 1\n[drains.a]\nuri = "ftp://x"\n')
    assert [problem.split(":")[1] for problem in problems] == ["1", "3", "5"]


def test_a_secret_that_is_not_here_is_a_warning(tmp_path: Path) -> None:
    text = """
redis.url = "redis://:${env:REDIS_PASSWORD}@h"
[drains.a]
uri = "tcp://h:1?ca=${file:/no/such/file}"
[drains.b]
uri = "${env:URI}"
"""
    problems, warnings = check(tmp_path, text)
    assert [warning.split(": ")[0] for warning in warnings] == [":2", ":4", ":6"]
    assert "the environment variable REDIS_PASSWORD is not set" in warnings[0]
    assert "/no/such/file" in warnings[1]
    assert [problem for problem in problems if "file:/no" not in problem and ":4" not in problem] == []
    problems, warnings = check(tmp_path, 'redis.url = "redis://:${env:REDIS_PASSWORD}@h"', {"REDIS_PASSWORD": "x"})
    assert (problems, warnings) == ([], [])


def test_a_secret_is_not_told(tmp_path: Path) -> None:
    environ = {"PW": "hunter2"}
    text = 'redis.url = "redis://:${env:PW}@h:port"\n[drains.a]\nuri = "syslog://u:${env:PW}@h:port?token=${env:PW}"\n'
    problems, warnings = check(tmp_path, text, environ)
    assert problems
    assert "hunter2" not in "".join(problems + warnings)


def test_misspelt_variables_are_warned_of_and_others_left_alone() -> None:
    environ = {
        "LOGYARD_REDIS_ULR": "x",
        "LOGYARD_NODE": "n",
        "LOGYARD_CONFIG": "c",
        "LOGYARD_MY_TOKEN": "t",
        "NODE": "x",
    }
    (message,) = strange_variables(environ)
    assert message == "the environment variable LOGYARD_REDIS_ULR means nothing; did you mean LOGYARD_REDIS_URL?"


def test_a_good_file_is_said_to_be_good(user: User) -> None:
    (user.home / "logyard.toml").write_text(
        'data_dir = "/d"\n[[agent.files]]\npath = "x.log"\n[drains.a]\nuri = "file:///x"\n[drains.b]\nuri = "file:///y"\n'
    )
    done = user.run("check")
    assert (done.code, done.err) == (0, "")
    assert done.out == "logyard.toml: ok (1 file or pattern, 2 drains, the embedded server, data in /d)\n"
    assert not user.data.exists(), "it has changed something"


def test_without_a_file_the_environment_is_checked(user: User) -> None:
    assert user.run("check").out.startswith("no settings file: ok (0 files or patterns, 0 drains, the embedded server")
    user.environ["LOGYARD_AGENT_START"] = "middle"
    done = user.run("check")
    assert (done.code, done.out) == (1, 'LOGYARD_AGENT_START = "middle": give "beginning" or "end"\n')


def test_every_problem_is_a_line_with_file_and_line(user: User) -> None:
    (user.home / "my.toml").write_text('node = 1\n[drains.a]\nuri = "ftp://x"\n')
    done = user.run("check", "my.toml")
    assert (done.code, done.err) == (1, "")
    assert [line.partition(": ")[0] for line in done.out.splitlines()] == ["my.toml:1", "my.toml:3"]


def test_what_a_file_says_does_not_reach_the_terminal_as_it_is(user: User) -> None:
    (user.home / "my.toml").write_text('"\\u001b[31mred" = 1\n')
    assert "\x1b" not in user.run("check", "my.toml").out


def test_a_file_that_is_not_there_is_a_wrong_command(user: User) -> None:
    done = user.run("check", "none.toml")
    assert (done.code, done.out) == (2, "")
    assert "none.toml" in done.err
    done = user.run("check", ".")
    assert done.code == 2


def test_a_wrong_filter_is_told_where_it_stands(tmp_path: Path) -> None:
    text = """
[drains.a]
uri = "tcp://h:1"
filter = "app:web level:>=("
"""
    problems, _ = check(tmp_path, text)
    assert len(problems) == 1 and problems[0].startswith(":4: drain a: filter: ") and "\n" not in problems[0]
