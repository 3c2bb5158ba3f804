"""Files and drains on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from logyard.errors import UsageError
from logyard.settings.arguments import app_argument, drain_argument, file_argument, missing_file


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "path", "key"),
    [
        ("/var/log/syslog", "/var/log/syslog", None),
        ("web.log", "web.log", None),
        ("nginx=/var/log/nginx/*.log", "/var/log/nginx/*.log", "sys.nginx"),
        ("app.web=web.log", "web.log", "app.web"),
        ("event.oom=x", "x", "event.oom"),
        ("./a=b.log", "a=b.log", None),
        ("a=b=c.log", "b=c.log", "sys.a"),
        ("../x.log", "../x.log", None),
        ("/a/b=c", "/a/b=c", None),
    ],
)
def test_a_path_may_have_a_key_before_it(text: str, path: str, key: str | None, tmp_path: Path) -> None:
    file = file_argument(text)
    assert (file.path, file.key) == ((tmp_path / path).parent.resolve() / Path(path).name, key)


def test_a_tilde_is_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert file_argument("x=~/a.log").path == Path("/home/someone/a.log")


@pytest.mark.parametrize(
    ("text", "app", "instance"),
    [
        ("web=x", "web", None), ("web.3=x", "web", "3"), ("my.web=x", "my.web", None), ("my.web.12=x", "my.web", "12"),
        ("3=x", "3", None), ("web={instance}.log", "web", None),
    ],
)  # fmt: skip
def test_an_application_may_have_an_instance(text: str, app: str, instance: str | None) -> None:
    file = app_argument(text)
    assert (file.app, file.instance, file.key) == (app, instance, None)


def test_a_drain_is_a_name_and_an_address() -> None:
    name, drain = drain_argument("siem=syslog://h:601?format=raw&a=b")
    assert (name, drain.uri.reveal()) == ("siem", "syslog://h:601?format=raw&a=b")


@pytest.mark.parametrize("text", ["", "=x", "a=", ".", "a=.", "a\0b"])
def test_what_is_no_file_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        file_argument(text)


@pytest.mark.parametrize("text", ["", "web", "=x", "web=", "a b=x"])
def test_what_is_no_application_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        app_argument(text)


@pytest.mark.parametrize("text", ["", "x", "=file:///x", "a=b", "a b=file:///x", "file:///x"])
def test_what_is_no_drain_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(UsageError, match="write NAME=URI") as caught:
        drain_argument(text)
    assert "a b" not in str(caught.value)


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "there.log").touch()
    assert missing_file(file_argument("there.log")) is None
    assert missing_file(file_argument("*.log")) is None
    assert missing_file(file_argument("{process}.log")) is None
    assert "does not exist yet" in (missing_file(file_argument("none.log")) or "")
    assert "matches no file yet" in (missing_file(file_argument("*.txt")) or "")
