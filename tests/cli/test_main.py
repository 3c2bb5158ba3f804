"""The command line's face: fast, helpful, with stable exit codes and never a traceback for what users can cause."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from logyard import __version__
from logyard.errors import ConnectionLost, LogyardError, ServerError, UsageError
from logyard_cli.exits import exit_code
from logyard_cli.main import cli
from tests.cli.conftest import COMMAND, PATIENT, Run
from tests.servers.publishing import Publisher
from tests.servers.redis import RedisServer

COMMANDS = sorted(cli.table)


def invoke(*args: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, args)
    return result.exit_code, result.stdout, result.stderr


def test_help_lists_every_command_with_a_line_and_imports_none() -> None:
    script = (
        "import sys\n"
        "from logyard_cli.main import cli\n"
        "try:\n    cli.main(['--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "parts = ('logyard_cli.commands', 'logyard.server', 'logyard.bus', 'logyard.agent', 'logyard.router')\n"
        "heavy = {name for name in sys.modules if name.startswith(parts)}\n"
        "heavy |= sys.modules.keys() & {'asyncio', 'redis', 'orjson', 'ssl'}\n"
        "print(sorted(heavy), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z]", done.stdout, re.MULTILINE), name
    assert "Exit codes: 0 done" in " ".join(done.stdout.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_imported_and_explains_itself(name: str) -> None:
    code, out, err = invoke(name, "--help")
    assert (code, err) == (0, "")
    assert f"Usage: logyard {name}" in out


@pytest.mark.parametrize("group", ["drain", "stream", "node"])
def test_every_command_of_a_group_explains_itself(group: str) -> None:
    command = cli.get_command(click.Context(cli), group)
    assert command is not None
    for name in command.table:  # type: ignore[attr-defined]
        code, out, _ = invoke(group, name, "--help")
        assert code == 0 and f"Usage: logyard {group} {name}" in out
        if "COMMAND" in out.partition("\n")[0]:  # a group itself: its commands have the options
            code, out, _ = invoke(group, name, "some", "list", "--help")
            assert code == 0
        assert "--redis URL" in out and "--data-dir" in out and "--config" in out


def test_the_version() -> None:
    assert invoke("--version") == (0, f"logyard {__version__}\n", "")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["tial"], "there is no command 'tial'; did you mean tail?"),
        (["drain", "lst"], "there is no command 'lst'; did you mean list?"),
        (["--nope"], "no such option"),
        (["tail", "-o", "xml"], "'xml' is not one of"),
        (["tail", "-n", "ten"], "give a number of lines, or all"),
        (["tail", "--since", "soon"], "is no point in time"),
        (["drain", "rm"], "missing argument"),
        (["tail", "--redis", "http://x"], "is no Redis address"),
        (["tail", "--config", "none.toml"], "there is no such settings file"),
        (["drain", "add", "a b", "file:///x"], "cannot be a drain's name"),
        (["drain", "add", "a", "file:///x", "--param", "x"], "write name=value"),
        (["drain", "add", "a", "nope://x"], "there is no drain for nope://"),
    ],
)
def test_wrong_usage_is_one_clear_line_and_code_2(args: list[str], message: str) -> None:
    code, out, err = invoke(*args)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("logyard: ") and err.count("\n") == 1


def test_without_a_command_it_shows_the_help_and_fails() -> None:
    code, _, err = invoke()
    assert code == 2 and "Usage: logyard" in err


@pytest.mark.parametrize(
    "args",
    [
        ["tail"],
        ["stream", "list"],
        ["node", "list"],
        ["drain", "list"],
        ["drain", "status"],
        ["drain", "rm", "x"],
        ["send"],
    ],
)
def test_where_no_logyard_is_running_it_says_what_to_do_and_code_3(args: list[str], tmp_path: Path) -> None:
    code, out, err = invoke(*args, "--data-dir", str(tmp_path))
    assert (code, out) == (3, "")
    assert err == f'logyard: no logyard is running in {tmp_path}; start one with "logyard up"\n'


def test_the_settings_file_names_the_redis(logyard: Run, tmp_path: Path) -> None:
    (tmp_path / "l.toml").write_text(f'[redis]\nurl = "unix://{tmp_path}/none.sock"\n')
    done = logyard("stream", "list", "--config", str(tmp_path / "l.toml"), url=None)
    assert done.code == 3 and f"{tmp_path}/none.sock" in done.err


async def test_a_redis_that_is_too_old_is_code_3(logyard: Run, tmp_path: Path) -> None:
    done = logyard("tail", url="redis://127.0.0.1:1")
    assert done.code == 3
    assert done.err.startswith("logyard: cannot reach redis://127.0.0.1:1") and done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("u"), 2), (ServerError("s"), 3), (ConnectionLost("c"), 3), (LogyardError("l"), 1),
        (click.UsageError("c"), 2), (KeyboardInterrupt(), 130), (BrokenPipeError(), 0),
        (PermissionError(13, "Permission denied", "/x"), 1),
        (ExceptionGroup("g", [ValueError("v"), ExceptionGroup("h", [ConnectionLost("c")])]), 3),
        (BaseExceptionGroup("g", [ConnectionLost("c"), KeyboardInterrupt()]), 130),
    ],
)  # fmt: skip
def test_every_kind_of_error_has_its_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("logyard_cli.exits.silence_stdout", lambda: None)

    def fail() -> None:
        raise error

    assert exit_code(fail) == code
    said = capsys.readouterr().err
    assert said == "" if code in {130, 0} else said.startswith("logyard: ")


def test_a_bug_is_not_hidden() -> None:
    def fail() -> None:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        exit_code(fail)
    with pytest.raises(ExceptionGroup):
        exit_code(lambda: (_ for _ in ()).throw(ExceptionGroup("g", [KeyError("bug")])))


def test_a_message_cannot_act_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise UsageError("evil \x1b]0;title\x07")

    assert exit_code(fail) == 2
    assert capsys.readouterr().err == "logyard: evil ␛]0;title␇\n"


async def test_ctrl_c_ends_a_tail_with_a_summary(
    publisher: Publisher, start_logyard: Callable[..., subprocess.Popen[bytes]]
) -> None:
    await publisher.publish("app.web", b"one", b"two")
    process = start_logyard("tail", "-o", "raw")
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == b"one\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    said = process.stderr.read()
    assert re.fullmatch(rb"logyard: 2 lines of 1 stream shown, 2 matched, 0 dropped, in .* \(.* a second\)\n", said), (
        said
    )


async def test_a_reader_that_has_enough_ends_a_tail_silently(
    publisher: Publisher, start_logyard: Callable[..., subprocess.Popen[bytes]]
) -> None:
    await publisher.publish("app.web", b"needle")
    process = start_logyard("tail")
    assert process.stdout is not None and process.stderr is not None
    done = subprocess.run(["grep", "-m1", "needle"], stdin=process.stdout, capture_output=True, check=True)
    process.stdout.close()
    assert b"needle" in done.stdout
    assert process.wait(30) == 0
    assert process.stderr.read() == b""


async def test_head_ends_a_listing_silently(publisher: Publisher, valkey: RedisServer) -> None:
    await publisher.publish("app.web", b"x")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, "stream", "list", "--redis", valkey.url], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("module", ["click", "orjson", "asyncio", "logyard_cli.commands.query", "logyard.server"])
def test_ctrl_c_while_modules_are_loaded_ends_it_without_a_word(module: str, tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "class Pressed:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == os.environ.pop(name, None):\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "from logyard_cli.entry import main\n"
        "sys.meta_path.insert(0, Pressed())\n"
        "main()\n"
    )
    arguments = ["query", "x", "--redis", f"unix://{tmp_path}/none.sock"]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], env={**os.environ, module: module},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in {-signal.SIGINT, 130}
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell: str) -> None:
    code, out, _ = invoke("completion", shell)
    assert code == 0 and "_LOGYARD_COMPLETE" in out


def complete(valkey: RedisServer, words: str) -> list[str]:
    done = subprocess.run(
        PATIENT,
        env={
            **os.environ, "_LOGYARD_COMPLETE": "bash_complete", "COMP_WORDS": words, "LOGYARD_REDIS_URL": valkey.url,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        },
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line.partition(",")[2] for line in done.stdout.split()]


async def test_commands_and_names_are_completed(publisher: Publisher, valkey: RedisServer) -> None:
    await publisher.publish("app.web", b"x")
    await publisher.publish("sys.nginx", b"x")
    assert complete(valkey, "logyard ta") == ["tail"]
    assert complete(valkey, "logyard drain re") == ["replay", "resume"]
    assert complete(valkey, "logyard tail ") == ["web", "nginx"]
    assert complete(valkey, "logyard tail sys.") == ["sys.nginx"]
    valkey.flush()
    assert complete(valkey, "logyard drain rm ") == []
