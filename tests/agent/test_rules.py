"""Patterns of files and the labels that they give."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logyard.agent.rules import FileRule, Labels, Pattern
from logyard.errors import UsageError


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/var/log/nginx.log", "/var/log/nginx.log", True),
        ("/var/log/nginx.log", "/var/log/nginxslog", False),
        ("/var/log/*.log", "/var/log/a.log", True),
        ("/var/log/*.log", "/var/log/a/b.log", False),
        ("/var/log/*.log", "/var/log/.a.log", False),
        ("/var/log/.*.log", "/var/log/.a.log", True),
        ("/var/log/a?.log", "/var/log/ab.log", True),
        ("/var/log/a[0-9].log", "/var/log/a7.log", True),
        ("/var/log/a[!0-9].log", "/var/log/a7.log", False),
        ("/var/log/a[^].log", "/var/log/a^.log", True),
        ("/var/log/a[{]b.log", "/var/log/a{b.log", True),
        ("/var/**/x.log", "/var/x.log", True),
        ("/var/**/x.log", "/var/a/b/c/x.log", True),
        ("/var/**/x.log", "/var/.git/x.log", False),
        ("/var/**/x.log", "/var/x.log/y", False),
        ("/apps/{app}/{instance}.log", "/apps/web/3.log", True),
        ("/apps/{app}/{instance}.log", "/apps/web/a/3.log", False),
    ],
)
def test_a_pattern_matches_like_a_shell(pattern: str, path: str, matches: bool) -> None:
    assert Pattern(FileRule(pattern)).matches(path) is matches


@pytest.mark.parametrize(
    ("rule", "path", "labels"),
    [
        (FileRule("/var/log/nginx.log"), "/var/log/nginx.log", Labels("sys.nginx", "nginx.log")),
        (FileRule("/var/log/*"), "/var/log/syslog", Labels("sys.syslog", "syslog")),
        (FileRule("/var/log/*"), "/var/log/my app.log", Labels("sys.my-app", "my app.log")),
        (FileRule("/x/a.log", key="sys.b"), "/x/a.log", Labels("sys.b", "a.log")),
        (FileRule("/x/a.log", key="b"), "/x/a.log", Labels("sys.b", "a.log")),
        (FileRule("/x/a.log", key="app.web"), "/x/a.log", Labels("app.web", "a.log", "web")),
        (FileRule("/x/a.log", app="web"), "/x/a.log", Labels("app.web", "a.log", "web")),
        (
            FileRule("/x/a.log", app="web", instance="0", source="stdout"),
            "/x/a.log",
            Labels("app.web", "stdout", "web", "0"),
        ),
        (
            FileRule("/apps/{app}/{instance}/{source}.log"),
            "/apps/web/3/stderr.log",
            Labels("app.web", "stderr", "web", "3"),
        ),
        (
            FileRule("/apps/{app}-{instance}.log"),
            "/apps/my-app-0.log",
            Labels("app.my-app", "my-app-0.log", "my-app", "0"),
        ),
        (FileRule("/x/{process}/log"), "/x/cron/log", Labels("sys.cron", "log")),
        (FileRule("/x/{app}.log", key="sys.all"), "/x/web.log", Labels("sys.all", "web.log", "web")),
    ],
)
def test_labels_come_from_the_path_and_the_rule(rule: FileRule, path: str, labels: Labels) -> None:
    assert Pattern(rule).labels(path) == labels


def test_a_name_that_is_no_text_is_made_readable() -> None:
    path = os.fsdecode(b"/x/a\xff.log")
    assert Pattern(FileRule("/x/*.log")).labels(path) == Labels("sys.a", "a\ufffd.log")


def test_a_relative_pattern_starts_at_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Pattern(FileRule("logs/*.log")).matches(f"{tmp_path}/logs/a.log")


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("", "names no files"),
        ("/var/log/", "names no files"),
        ("/var/log/**", "which files"),
        ("/x/{apps}.log", r"\{app\}"),
        ("/x/{app.log", r"\{app\}"),
        ("/x/}.log", r"\{app\}"),
        ("/x/{app}/{app}.log", "not a pattern"),
        ("/x/[z-a].log", "not a pattern"),
    ],
)
def test_a_wrong_pattern_says_what_is_wrong(pattern: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Pattern(FileRule(pattern))


def test_a_file_whose_name_makes_no_key_is_refused() -> None:
    with pytest.raises(UsageError):
        Pattern(FileRule("/x/*.log")).labels("/x/---.log")
