"""Real rsyslog and syslog-ng, receiving on every transport and writing what they understood as JSON lines."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.certificates import Certificates
from tests.servers.processes import Process, free_port, wait_for
from tests.servers.requirements import find_program, missing, require, syslog_ng_root

__all__ = ["Rsyslog", "SyslogNg", "SyslogPeer"]


class SyslogPeer:
    """A syslog server of somebody else's making.

    Attributes:
        ports: of 127.0.0.1, by transport: ``udp``, ``octet`` (TCP, octet counting), ``lf`` (TCP, newlines), ``tls``
            and ``mtls`` (which wants the client certificate of ``agent1.logyard``).
    """

    def __init__(self, certificates: Certificates | None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ly-"))
        self.certificates = certificates
        self.output = self.directory / "out.jsonl"
        self.ports = {name: free_port() for name in ("udp", "octet", "lf", "tls", "mtls")}
        self.process: Process | None = None

    def command(self) -> list[str]:
        """The program with its arguments; writes its configuration."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {}

    def start(self) -> None:
        name = type(self).__name__.lower()
        self.process = Process(name, self.command(), self.directory / "log", self.environment(), None)
        wait_for(self._listens, f"{name} to listen")

    def _listens(self) -> bool:
        assert self.process is not None
        if not self.process.alive:
            raise AssertionError(f"it has ended:\n{self.process.output()}")
        for name, port in self.ports.items():
            if name == "udp" or (self.certificates is None and name in {"tls", "mtls"}):
                continue
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) != 0:
                    return False
        return True

    def records(self) -> list[dict[str, Any]]:
        """What has arrived, in order: ``input``, ``pri``, ``facility``, ``severity``, ``time``, ``host``, ``app``,
        ``procid``, ``msgid``, ``sd`` (structured data as text), ``fields`` (the same as id → name → value), ``msg``;
        what is absent is absent, "" or "-", as the peer writes it."""
        if not self.output.exists():
            return []
        text = self.output.read_bytes().decode("utf-8", "surrogateescape")
        complete = text[: text.rfind("\n") + 1]
        return [self.record(json.loads(line)) for line in complete.split("\n") if line]

    def record(self, raw: dict[str, Any]) -> dict[str, Any]:
        return raw

    def wait(self, count: int) -> list[dict[str, Any]]:
        """The records, once there are ``count`` of them."""
        wait_for(lambda: len(self.records()) >= count, f"{count} records at {type(self).__name__}")
        return self.records()

    def end(self) -> None:
        if self.process is not None:
            self.process.end()
        shutil.rmtree(self.directory, ignore_errors=True)


class Rsyslog(SyslogPeer):
    """rsyslogd in the foreground."""

    def command(self) -> list[str]:
        ports, folder = self.ports, self.directory
        tls_global = tls_inputs = ""
        if (certs := self.certificates) is not None:
            tls_global = (
                f'defaultNetstreamDriverCAFile="{certs.ca}" defaultNetstreamDriverCertFile="{certs.server.cert}" '
                f'defaultNetstreamDriverKeyFile="{certs.server.key}"'
            )
            driver = 'streamdriver.name="gtls" streamdriver.mode="1"'
            tls_inputs = f"""
input(type="imtcp" address="127.0.0.1" port="{ports["tls"]}" name="tls" ruleset="j" {driver}
      streamdriver.authmode="anon")
input(type="imtcp" address="127.0.0.1" port="{ports["mtls"]}" name="mtls" ruleset="j" {driver}
      streamdriver.authmode="x509/name" permittedpeer="agent1.logyard")
"""
        # Without maxFrameSize rsyslog cuts frames above 200,000 bytes without a word.
        config = f"""
global(workDirectory="{folder}" maxMessageSize="2m" parser.escapeControlCharactersOnReceive="off" {tls_global})
module(load="imudp") module(load="imtcp" maxFrameSize="10000000") module(load="mmpstrucdata")
input(type="imudp" address="127.0.0.1" port="{ports["udp"]}" name="udp" ruleset="j")
input(type="imtcp" address="127.0.0.1" port="{ports["octet"]}" name="octet" ruleset="j")
input(type="imtcp" address="127.0.0.1" port="{ports["lf"]}" name="lf" ruleset="j")
{tls_inputs}
template(name="jl" type="list"){{ property(name="$!all-json-plain") constant(value="\\n") }}
template(name="ts" type="string" string="%timereported:::date-rfc3339%")
ruleset(name="j" parser=["rsyslog.rfc5424","rsyslog.rfc3164"]){{
  action(type="mmpstrucdata" jsonRoot="$!fields" sd_name.lowercase="off")
  set $!input=$inputname; set $!version=$protocol-version; set $!pri=$pri;
  set $!facility=$syslogfacility-text; set $!severity=$syslogseverity-text; set $!time=exec_template("ts");
  set $!host=$hostname; set $!app=$app-name; set $!procid=$procid; set $!msgid=$msgid;
  set $!sd=$structured-data; set $!msg=$msg; set $!tag=$syslogtag;
  action(type="omfile" file="{self.output}" template="jl")
}}
"""
        file = folder / "rsyslog.conf"
        file.write_text(config)
        return [find_program("rsyslogd") or "rsyslogd", "-n", "-i", str(folder / "pid"), "-f", str(file)]


class SyslogNg(SyslogPeer):
    """syslog-ng in the foreground, installed or unpacked from its Debian packages."""

    def __init__(self, certificates: Certificates | None) -> None:
        super().__init__(certificates)
        root = syslog_ng_root()
        assert root is not None
        self._root = root

    def record(self, raw: dict[str, Any]) -> dict[str, Any]:
        fields = raw.pop("fields", None) or {}
        return {**raw, "input": raw["input"].split(",")[0], "fields": fields.get("_SDATA", {})}

    def environment(self) -> dict[str, str]:
        if self._root == Path("/"):
            return {}
        folders = [self._root / "usr/lib/syslog-ng", *self._root.glob("usr/lib/*-linux-gnu")]
        return {"LD_LIBRARY_PATH": ":".join(map(str, folders))}

    def command(self) -> list[str]:
        ports, folder = self.ports, self.directory
        # "3.38.1" names the folder of modules and the version its configuration must state.
        modules = next(iter(sorted(self._root.glob("usr/lib/syslog-ng/[0-9]*"))))
        tls = ""
        if (certs := self.certificates) is not None:
            pair = f"key-file({_quoted(certs.server.key)}) cert-file({_quoted(certs.server.cert)})"
            tls = f"""
source s_tls {{ syslog(ip("127.0.0.1") port({ports["tls"]}) transport("tls")
  tls({pair} peer-verify(optional-untrusted)) tags("tls")); }};
source s_mtls {{ syslog(ip("127.0.0.1") port({ports["mtls"]}) transport("tls")
  tls({pair} ca-file({_quoted(certs.ca)}) peer-verify(required-trusted)) tags("mtls")); }};
log {{ source(s_tls); source(s_mtls); destination(d); }};
"""
        config = f"""@version: {modules.name}
@module syslogformat
@module json-plugin
@module basicfuncs
@module afsocket
@module affile
options {{ chain_hostnames(no); keep_hostname(yes); keep_timestamp(yes); use_dns(no); log_msg_size(2097152);
  stats_freq(0); ts_format(iso); frac_digits(6); }};
source s_udp {{ network(ip("127.0.0.1") port({ports["udp"]}) transport("udp") flags(syslog-protocol)
  so_rcvbuf(4194304) tags("udp")); }};
source s_lf {{ network(ip("127.0.0.1") port({ports["lf"]}) transport("tcp") flags(syslog-protocol)
  log_iw_size(1000) tags("lf")); }};
source s_octet {{ syslog(ip("127.0.0.1") port({ports["octet"]}) transport("tcp") tags("octet")); }};
template t_jl {{ template("$(format-json --scope none input='$TAGS' pri='$PRI' facility='$FACILITY'
severity='$LEVEL' time='$S_ISODATE' host='$HOST' app='$PROGRAM' procid='$PID' msgid='$MSGID' sd='$SDATA' msg='$MSG'
fields=literal($(format-json --key .SDATA.*)))\\n"); template_escape(no); }};
destination d {{ file({_quoted(self.output)} template(t_jl) flush-lines(1)); }};
log {{ source(s_udp); source(s_lf); source(s_octet); destination(d); }};
{tls}
"""
        file = folder / "syslog-ng.conf"
        file.write_text(config)
        return [
            str(self._root / "usr/sbin/syslog-ng"), "-F", "--no-caps", f"--module-path={modules}",
            "-f", str(file), "-p", str(folder / "pid"), "-c", str(folder / "ctl"), "-R", str(folder / "persist"),
        ]  # fmt: skip


def _quoted(path: Path) -> str:
    return f'"{path}"'


def _started(peer: SyslogPeer) -> Iterator[Any]:
    try:
        peer.start()
        yield peer
    finally:
        peer.end()


@pytest.fixture
def rsyslog() -> Iterator[Rsyslog]:
    """A running rsyslog without TLS."""
    require("rsyslog")
    yield from _started(Rsyslog(None))


@pytest.fixture
def rsyslog_tls(certificates: Certificates) -> Iterator[Rsyslog]:
    """A running rsyslog with TLS."""
    require("rsyslog-tls")
    yield from _started(Rsyslog(certificates))


@pytest.fixture
def syslog_ng(request: pytest.FixtureRequest) -> Iterator[SyslogNg]:
    """A running syslog-ng, with TLS when there is openssl."""
    require("syslog-ng")
    certs = None if missing("openssl") else request.getfixturevalue("certificates")
    yield from _started(SyslogNg(certs))
