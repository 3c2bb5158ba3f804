"""Other log shippers, from Debian's packages."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.programs import Program
from bench.system import Job, Used

__all__ = ["Rsyslog", "RsyslogElasticsearch", "SyslogNg"]

_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


class _Peer:
    """A peer is one process, started when the file shall be read."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, env: dict[str, str] | None = None) -> None:
        self._name = name
        self._command = command
        self._folder = folder
        self._env = env
        self._program: Program | None = None

    @property
    def programs(self) -> Sequence[Program]:
        return [] if self._program is None else [self._program]

    def start(self) -> float:
        started = time.monotonic()
        self._program = Program(self._name, self._command, self._folder / "log", env=self._env)
        return started

    def cpu(self) -> dict[str, float]:
        return {program.name: program.cpu() for program in self.programs}

    def finish(self) -> Used:
        assert self._program is not None
        peak = self._program.peak_rss()
        return Used(cpu={self._name: self._program.stop()}, peak_rss={self._name: peak})

    def end(self) -> None:
        if self._program is not None:
            self._program.stop()


# The fastest configuration that was found: one queue worker (two are no faster on two cores), large batches, inotify.
_RSYSLOG = """
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imfile" mode="inotify")
main_queue(queue.type="FixedArray" queue.size="200000" queue.dequeueBatchSize="4096" queue.workerThreads="1")
input(type="imfile" file="{file}" tag="web" readMode="0" freshStartTail="off" ruleset="r")
ruleset(name="r") {{
  action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
         template="RSYSLOG_SyslogProtocol23Format")
}}
"""


# The line as it is, escaped, between three fields of the envelope: rsyslog does not look whether it is JSON.
_RSYSLOG_ELASTICSEARCH = """
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imfile" mode="inotify")
module(load="omelasticsearch")
template(name="document" type="string" string="{{\\"@timestamp\\":\\"%timegenerated:::date-rfc3339%\\",\\"host\\":{{\\"name\\":\\"%hostname:::json%\\"}},\\"service\\":{{\\"name\\":\\"%programname:::json%\\"}},\\"message\\":\\"%msg:::json%\\"}}")
main_queue(queue.type="FixedArray" queue.size="200000" queue.dequeueBatchSize="4096" queue.workerThreads="1")
input(type="imfile" file="{file}" tag="web" readMode="0" freshStartTail="off" ruleset="r")
ruleset(name="r") {{
  action(type="omelasticsearch" server="127.0.0.1" serverport="{port}" template="document" searchIndex="logs-web-default"
         searchType="" bulkmode="on" maxbytes="10m")
}}
"""  # noqa: E501 - a template is one line


class Rsyslog:
    name = "rsyslog"
    _config = _RSYSLOG

    def missing(self) -> str | None:
        return None if shutil.which("rsyslogd", path=_PATH) else "rsyslogd is not installed (apt-get install rsyslog)"

    def version(self) -> str:
        return _version(shutil.which("rsyslogd", path=_PATH) or "", "-v", r"rsyslogd\s+([\d.]+)")

    @contextlib.contextmanager
    def prepare(self, job: Job) -> Iterator[_Peer]:
        config = job.folder / "rsyslog.conf"
        config.write_text(self._config.format(folder=job.folder, file=job.file, port=job.port))
        program = shutil.which("rsyslogd", path=_PATH) or "rsyslogd"
        peer = _Peer(self.name, [program, "-n", "-i", str(job.folder / "pid"), "-f", str(config)], job.folder)
        try:
            yield peer
        finally:
            peer.end()


class RsyslogElasticsearch(Rsyslog):
    """Debian has no package of its omhttp."""

    name = "rsyslog omelasticsearch"
    _config = _RSYSLOG_ELASTICSEARCH

    def missing(self) -> str | None:
        if any(next(Path(folder).glob("**/rsyslog/omelasticsearch.so"), None) for folder in ("/usr/lib", "/usr/lib64")):
            return super().missing()
        return "rsyslog has no omelasticsearch (apt-get install rsyslog-elasticsearch)"


_SYSLOG_NG = """@version: {version}
@module afsocket
@module affile
options {{ stats_freq(0); use_dns(no); flush_lines(1000); log_fifo_size(200000); log_msg_size(65536); }};
source s {{ file("{file}" flags(no-parse) follow-freq(0.1) log_iw_size(100000) log_fetch_limit(10000)); }};
destination d {{ syslog("127.0.0.1" port({port}) transport("tcp")); }};
log {{ source(s); destination(d); flags(flow-control); }};
"""


class SyslogNg:
    """Installed, or unpacked into the folder that ``LOGYARD_TEST_SYSLOG_NG`` names (it conflicts with rsyslog)."""

    name = "syslog-ng"

    def __init__(self) -> None:
        self._root = Path(os.environ.get("LOGYARD_TEST_SYSLOG_NG") or "/")

    def missing(self) -> str | None:
        return None if (self._root / "usr/sbin/syslog-ng").exists() else "syslog-ng is not installed"

    def _libraries(self) -> dict[str, str]:
        folders = [self._root / "usr/lib/syslog-ng", *self._root.glob("usr/lib/*-linux-gnu")]
        return {} if self._root == Path("/") else {"LD_LIBRARY_PATH": ":".join(map(str, folders))}

    def version(self) -> str:
        return _version(
            str(self._root / "usr/sbin/syslog-ng"), "--version", r"syslog-ng \d* ?\(?([\d.]+)", self._libraries()
        )

    @contextlib.contextmanager
    def prepare(self, job: Job) -> Iterator[_Peer]:
        modules = min(self._root.glob("usr/lib/syslog-ng/[0-9]*"))
        config = job.folder / "syslog-ng.conf"
        config.write_text(_SYSLOG_NG.format(version=modules.name, file=job.file, port=job.port))
        command = [
            str(self._root / "usr/sbin/syslog-ng"), "-F", "--no-caps", f"--module-path={modules}", "-f", str(config),
            "-p", str(job.folder / "pid"), "-c", str(job.folder / "ctl"), "-R", str(job.folder / "persist"),
        ]  # fmt: skip
        peer = _Peer(self.name, command, job.folder, self._libraries())
        try:
            yield peer
        finally:
            peer.end()


def _version(program: str, option: str, pattern: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [program, option], capture_output=True, check=False, text=True, env={**os.environ, **(env or {})}
    )
    found = re.search(pattern, done.stdout)
    return found[1].rstrip(".") if found else "unknown"
