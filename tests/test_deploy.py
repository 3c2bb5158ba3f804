"""What deploy/ offers works as it says."""

from __future__ import annotations

import configparser
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from tests.faults.pipeline import LINE_BYTES, STREAM, Pipeline, make_lines
from tests.servers.processes import Processes, wait_for
from tests.servers.redis import RedisServer, debian_redis
from tests.servers.requirements import find_program

DEPLOY = Path(__file__).parents[1] / "deploy"
UNITS = sorted(DEPLOY.glob("systemd/*.service"))
LINES = 5_000


def logyard(*args: str | Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("logyard")
    return subprocess.run([program, *args], capture_output=True, text=True, check=False, timeout=60)


def test_the_redis_user_may_do_what_logyard_does_and_no_more(
    make_redis: Callable[..., RedisServer], processes: Processes, tmp_path: Path
) -> None:
    rules = tmp_path / "users.acl"
    rules.write_text((DEPLOY / "redis-users.acl").read_text() + "user tests on >tests ~* &* +@all\n")
    server = make_redis(debian_redis(), [f"aclfile {rules}"], user="tests", password="tests")
    pipeline = Pipeline(server, processes, tmp_path)
    pipeline.url = f"redis://logyard:change-this-password@127.0.0.1:{server.port}"
    source, target = tmp_path / "web.log", tmp_path / "out.log"
    source.write_bytes(make_lines(0, LINES))

    pipeline.add_drain("file", f"file://{target}", "--format", "raw")
    pipeline.start_router()
    agent = pipeline.start_agent(f"{STREAM}={source}")
    wait_for(lambda: target.exists() and target.stat().st_size == LINES * LINE_BYTES, "all lines in the drain's file")
    wait_for(lambda: pipeline.status("file")["lag_records"] == 0, "the acknowledgements")
    assert json.loads(pipeline.logyard("stream", "list", "--json"))[0]["key"] == STREAM
    wait_for(lambda: json.loads(pipeline.logyard("node", "list", "--json")), "the agent's report")
    assert pipeline.logyard("tail", "-n", "3", "--no-follow", "-o", "raw").count("\n") == 3
    pipeline.logyard("drain", "pause", "file")
    pipeline.logyard("drain", "resume", "file")
    pipeline.logyard("drain", "rm", "file")
    assert agent.stop() == 0

    denied = server.call("ACL LOG")
    assert denied == [], f"logyard is refused what it needs: {denied}"
    client = redis.Redis(
        host="127.0.0.1", port=server.port, username="logyard", password="change-this-password", protocol=2
    )
    for command in ("FLUSHALL", "CONFIG GET dir", "GET other", "ACL LIST", "SHUTDOWN", "FUNCTION DUMP", "KEYS *"):
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*command.split())  # type: ignore[no-untyped-call]
    client.close()


def test_the_example_settings_are_valid() -> None:
    checked = logyard("check", DEPLOY / "logyard.toml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    # The password's file belongs to the machine that the example is for.
    assert checked.stdout.count("warning") == 1


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units_start_commands_that_exist(unit: Path) -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)
    program, command = shlex.split(parser["Service"]["ExecStart"])
    assert program == "/opt/logyard/bin/logyard"
    assert logyard(command, "--help").returncode == 0
    assert parser["Service"]["Restart"] == "always"


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_accepts_the_units(unit: Path, tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed")
    program = Path(sys.executable).with_name("logyard")
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/logyard/bin/logyard", str(program)))
    done = subprocess.run([verify, "verify", copy], capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if unit.name in line], done.stderr


@pytest.mark.needs("logrotate")
def test_logrotate_accepts_its_configuration(tmp_path: Path) -> None:
    config = tmp_path / "logrotate.conf"
    folder = tmp_path / "apps/web/0"
    folder.mkdir(parents=True)
    (folder / "out.log").write_bytes(make_lines(0, 10))
    config.write_text((DEPLOY / "logrotate.conf").read_text().replace("/srv/apps", str(tmp_path / "apps")))
    config.chmod(0o644)
    command = [find_program("logrotate") or "", "-f", "-s", str(tmp_path / "state"), str(config)]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (folder / "out.log").write_bytes(make_lines(10, 20))
    assert (folder / "out.log.1").exists(), "the newest rotated file stays uncompressed"
    assert (folder / "out.log.2.gz").exists()
