"""Settings: what is accepted, from where, and what is said about the rest."""

import dataclasses
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from logyard.errors import SettingsError, UsageError
from logyard.settings import Settings, examine_settings, find_settings, load_settings, redis_url
from logyard.settings.reading import leaves

HOME = {"HOME": "/home/someone"}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str) -> Path:
        path = tmp_path / "logyard.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems_in(path: Path) -> list[str]:
    return [str(problem).removeprefix(str(path)) for problem in examine_settings(path, {}, HOME)[1]]


def test_without_a_file_there_are_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(environ=HOME)
    assert settings.data_dir == Path("/home/someone/.local/state/logyard")
    assert settings.node
    assert settings.redis.url is None
    assert load_settings(environ={**HOME, "XDG_STATE_HOME": "/state"}).data_dir == Path("/state/logyard")


def test_a_full_file_is_read(write: Any) -> None:
    path = write(
        """
        node = "web-1"
        data_dir = "data"
        redis = { url = "redis://:${env:PW}@redis.example/1", partitions = 4 }
        agent.start = "beginning"
        agent.spacing_ms = 2.5
        agent.rescan = "1m"
        agent.partial_timeout = 2
        agent.compress = false
        [[agent.files]]
        path = "/var/log/nginx/*.log"
        key = "sys.nginx"
        [[agent.files]]
        path = "app/web.log"
        app = "web"
        instance = "3"
        source = "stdout"
        start = "end"
        [drains.archive]
        uri = "file:///var/log/all.log"
        [drains.siem]
        uri = "syslog+tls://siem.example:6514"
        keys = ["app.*", "sys.nginx"]
        format = "raw"
        params = { facility = "local0", linger = 2, secure = true }
        start = "beginning"
        [server]
        maxmemory = "512MiB"
        fsync = "always"
        [retention]
        window = "12h"
        stream_bytes = "1GiB"
        hard_cap = "4GiB"
        """
    )
    settings, problems = examine_settings(path, {}, HOME)
    assert problems == []
    assert settings.node == "web-1"
    assert settings.data_dir == path.parent / "data", "relative paths start at the file's folder"
    assert settings.redis.partitions == 4
    assert redis_url(settings, {"PW": "p@ss/word"}) == "redis://:p%40ss%2Fword@redis.example/1"
    assert (settings.agent.start, settings.agent.spacing_ms, settings.agent.rescan) == ("beginning", 2.5, 60.0)
    assert (settings.agent.partial_timeout, settings.agent.compress) == (2.0, False)
    nginx, web = settings.agent.files
    assert (nginx.path, nginx.key, nginx.start) == (Path("/var/log/nginx/*.log"), "sys.nginx", None)
    assert (web.path, web.app, web.instance, web.source) == (path.parent / "app/web.log", "web", "3", "stdout")
    siem = settings.drains["siem"]
    assert siem.keys == ("app.*", "sys.nginx")
    assert siem.params == {"facility": "local0", "linger": "2", "secure": "yes"}
    assert settings.drains["archive"].uri.reveal() == "file:///var/log/all.log"
    assert (settings.server.maxmemory, settings.server.fsync) == (512 << 20, "always")
    assert settings.retention.window == 12 * 3600
    assert (settings.retention.stream_bytes, settings.retention.hard_cap) == (1 << 30, 4 << 30)


def test_flags_beat_the_environment_and_the_environment_beats_the_file(write: Any) -> None:
    path = write('node = "file"\nagent.start = "end"\nretention.window = "1h"\n')
    environ = {
        **HOME,
        "LOGYARD_NODE": "environment",
        "LOGYARD_AGENT_START": "beginning",
        "LOGYARD_AGENT_COMPRESS": "no",
    }
    settings = load_settings(path, {"node": "flag", "agent.start": None}, environ)
    assert settings.node == "flag"
    assert settings.agent.start == "beginning"
    assert settings.agent.compress is False
    assert settings.retention.window == 3600


def test_an_empty_variable_is_one_that_is_not_set(write: Any) -> None:
    assert load_settings(write('node = "file"'), {}, {**HOME, "LOGYARD_NODE": ""}).node == "file"


EXAMPLES = {
    "redis.url": "redis://x",
    "redis.password": "x",
    "redis.partitions": "7",
    "data_dir": "/x",
    "node": "n",
    "agent.start": "end",
    "agent.spacing_ms": "9.5",
    "agent.rescan": "9s",
    "agent.partial_timeout": "9",
    "agent.compress": "off",
    "server.maxmemory": "9GiB",
    "server.fsync": "always",
    "server.binary": "/x",
    "retention.window": "9h",
    "retention.stream_bytes": "9MiB",
    "retention.hard_cap": "9GiB",
}


@pytest.mark.parametrize("name", leaves())
def test_every_single_value_has_an_environment_variable(name: str) -> None:
    variable = "LOGYARD_" + name.upper().replace(".", "_")
    settings, problems = examine_settings(None, {}, {**HOME, variable: EXAMPLES[name]})
    assert problems == []
    get = attrgetter(name)
    assert get(settings) != get(Settings())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('nod = "a"', ":1: there is no setting 'nod'; did you mean node?"),
        ('\n[agent]\nstrt = "end"', ":3: there is no setting 'strt' in [agent]; did you mean start?"),
        ('[agent]\nzzz = 1', ":2: there is no setting 'zzz' in [agent]; there are: start, "),
        ('[[agent.files]]\npath="a"\n[[agent.files]]\npath="b"\ninstanse="1"', ":5: there is no setting 'instanse'"),
        ('agent.start = "begin"', ':1: agent.start = "begin": give "beginning" or "end"'),
        ("agent.start = 1", ':1: agent.start = 1: give "beginning" or "end"'),
        ("agent.compress = 1", ":1: agent.compress = 1: give true or false"),
        ('agent.rescan = "soon"', ':1: agent.rescan = "soon": give a duration'),
        ("agent.rescan = true", ":1: agent.rescan = true: give a duration"),
        ("agent.rescan = nan", ":1: agent.rescan = nan: give a duration"),
        ("agent.spacing_ms = -1", ":1: agent.spacing_ms = -1: give a number from 0 to 1000"),
        ('redis.partitions = "4"', ':1: redis.partitions = "4": give a whole number'),
        ('retention.stream_bytes = "1 parsec"', ":1: retention.stream_bytes"),
        ('retention.hard_cap = "1MiB"', ":1: retention.hard_cap: give at least stream_bytes"),
        ("[agent]\nfiles = 3", ":2: agent.files is not a list of tables: write [[agent.files]]"),
        ("[agent]\nfiles = [3]", ":2: agent.files is not a table"),
        ("agent = 3", ":1: agent is not a table: write [agent]"),
        ("drains = 3", ":1: drains is not a table: write [drains.NAME]"),
        ('[[agent.files]]\nkey = "sys.a"', ":1: [agent.files] has no path"),
        ('[[agent.files]]\npath="a"\napp="b"\nkey="c"', ":4: agent.files.key: give key or app, not both"),
        ('[[agent.files]]\npath="a"\ninstance="1"', ":3: agent.files.instance: an instance belongs to an application"),
        ("\n\n[drains.a]\n", ":3: [drains.a] has no uri"),
        ('[drains."a b"]\nuri = "file:///x"', ":1: 'a b' in [drains]: give a name"),
        ('[drains.a]\nuri = "file:///x"\nkeys = ["a/b"]', ":3: drains.a.keys: 'a/b' matches no key"),
        ('node = "a b"', ':1: node = "a b": give a name'),
        ("\nnode = ", ":2: not TOML: invalid value"),
        ('a = 1\nnode = "x', ":2: not TOML: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(write: Any, text: str, message: str) -> None:
    (problem,) = problems_in(write(text))
    assert problem.startswith(message)


def test_all_problems_are_found_in_the_order_of_lines(write: Any) -> None:
    found = problems_in(write('[agent]\nstart = 1\nfils = 2\n[retention]\nwindow = "x"\n'))
    assert [line.split(":")[1] for line in found] == ["2", "3", "5"]


def test_the_first_problem_is_raised_with_file_and_line(write: Any) -> None:
    path = write("node = 1\nagent = 2\n")
    with pytest.raises(
        SettingsError, match=r"logyard\.toml:1: node = 1: .* \(and 1 more: see logyard check\)"
    ) as caught:
        load_settings(path, {}, HOME)
    assert (caught.value.path, caught.value.line) == (path, 1)


def test_a_variable_or_flag_that_is_wrong_is_named() -> None:
    _, problems = examine_settings(None, {"node": "a b"}, {**HOME, "LOGYARD_AGENT_RESCAN": "soon"})
    assert sorted(str(problem).split(":")[0] for problem in problems) == [
        '--node = "a b"',
        'LOGYARD_AGENT_RESCAN = "soon"',
    ]


def test_a_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "logyard.toml"
    path.write_bytes(b'node = "a"\n# caf\xe9\n')
    assert problems_in(path) == [":2: this is not UTF-8"]


def test_secrets_are_never_shown(write: Any) -> None:
    path = write("""
        redis = { url = "redis://:hunter2@h", password = "hunter2" }
        [drains.a]
        uri = "tcp://u:hunter2@h:1"
        params = { token = "hunter2" }
    """)
    settings, problems = examine_settings(path, {}, HOME)
    assert problems == []
    assert "hunter2" not in repr(settings)
    _, problems = examine_settings(write("redis.password = 12345\n"), {}, HOME)
    assert "12345" not in str(problems[0])


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("redis://h:1", "redis://:p%3Aw@h:1"),
        ("redis://me@h:1/2", "redis://me:p%3Aw@h:1/2"),
        ("redis://me:other@h:1", "redis://me:other@h:1"),
        ("unix:///run/redis.sock", "unix://:p%3Aw@/run/redis.sock"),
    ],
)
def test_the_password_setting_goes_into_an_address_without_one(write: Any, url: str, whole: str) -> None:
    settings = load_settings(write(f'redis = {{ url = "{url}", password = "${{env:PW}}" }}'), {}, HOME)
    assert redis_url(settings, {"PW": "p:w"}) == whole


def test_a_secret_may_be_in_a_file(write: Any, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://:a@b\n")
    settings = load_settings(write(f'redis.url = "${{file:{tmp_path}/url}}"'), {}, HOME)
    assert redis_url(settings, {}) == "redis://:a@b"
    settings = load_settings(write(f'redis.url = "${{file:{tmp_path}/none}}"'), {}, HOME)
    with pytest.raises(UsageError, match="No such file"):
        redis_url(settings, {})


def test_the_first_settings_file_that_exists_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = {"HOME": str(tmp_path / "home")}
    config = tmp_path / "home/.config/logyard/logyard.toml"
    config.parent.mkdir(parents=True)
    config.touch()
    assert find_settings(None, home) == config
    Path("logyard.toml").touch()
    assert find_settings(None, home) == Path("logyard.toml")
    other = tmp_path / "other.toml"
    with pytest.raises(UsageError, match="no such settings file"):
        find_settings(None, {**home, "LOGYARD_CONFIG": str(other)})
    other.touch()
    assert find_settings(None, {**home, "LOGYARD_CONFIG": str(other)}) == other
    assert find_settings(config, {**home, "LOGYARD_CONFIG": str(other)}) == config


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().node = "other"  # type: ignore[misc]
