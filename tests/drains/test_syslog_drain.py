"""What real syslog servers make of what the syslog drain sends, and what it makes of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from logyard.batch import Selection
from logyard.drain import Context, Drain, DrainURI
from logyard.errors import NotConnected, Permanent, UsageError
from logyard_drains import syslog
from tests.drains.records import batch_of, numbered, numbers_in
from tests.drains.sinks import TcpSink, UdpSink
from tests.servers.certificates import Certificates
from tests.servers.processes import eventually
from tests.servers.syslog_peers import Rsyslog, SyslogPeer
from tests.servers.syslog_receiver import split_frames

CONTEXT = Context(name="d", node="router1")
AWKWARD = 'a "quoted" back\\slash ]bracket é 漢 tab\there'


@asynccontextmanager
async def opened(address: str, **params: str) -> AsyncIterator[Drain]:
    async with syslog.open(syslog.configure(DrainURI.parse(address, params)), CONTEXT) as drain:
        yield drain


async def send(address: str, selection: Selection, **params: str) -> None:
    async with opened(address, **params) as drain:
        await drain.send([selection])
        await drain.finish()
        assert drain.confirmed() in {None, 1}


@pytest.fixture(
    params=[
        pytest.param("rsyslog_tls", marks=pytest.mark.needs("rsyslog-tls")),
        pytest.param("syslog_ng", marks=pytest.mark.needs("syslog-ng")),
    ]
)
def peer(request: pytest.FixtureRequest) -> SyslogPeer:
    """Both real servers, one after the other."""
    found: SyslogPeer = request.getfixturevalue(request.param)
    return found


def awkward_batch() -> Selection:
    """Structured data, header and text that need every kind of escaping."""
    lines = [
        f"2026-11-22T08:15:30.5Z ERROR {AWKWARD}".encode(),
        f'{{"level":"warn","ts":"2026-11-22T08:15:31.25Z","user":"o\\"neil]","msg":"{"x" * 20}"}}'.encode(),
        b"plain text",
    ]
    return batch_of(lines, key="app.web", node="node-1", source='access "log"].txt')


def address(peer: SyslogPeer, transport: str) -> tuple[str, dict[str, str]]:
    """The drain's address and parameters for one of the peer's ports."""
    port = peer.ports[transport]
    if transport == "udp":
        return f"syslog+udp://127.0.0.1:{port}", {}
    if transport in {"tls", "mtls"}:
        certs = peer.certificates
        assert certs is not None
        params = {"ca": str(certs.ca)}
        if transport == "mtls":
            params |= {"cert": str(certs.client.cert), "key": str(certs.client.key)}
        return f"syslog+tls://localhost:{port}", params
    return f"syslog://127.0.0.1:{port}", {"framing": transport}


def parameters(sd: str) -> dict[str, dict[str, str]]:
    """Structured data taken apart as RFC 5424, 6.3 says."""
    found = {}
    for element in re.finditer(r'\[([^ \]]+)((?: [^=]+="(?:[^"\\\]]|\\.)*")*)\]', sd):
        pairs = re.findall(r' ([^=]+)="((?:[^"\\\]]|\\.)*)"', element[2])
        found[element[1]] = {name: re.sub(r"\\(.)", r"\1", value) for name, value in pairs}
    return found


@pytest.mark.parametrize("transport", ["octet", "lf", "udp", "tls", "mtls"])
async def test_real_servers_read_every_field_of_a_message(peer: SyslogPeer, transport: str) -> None:
    uri, params = address(peer, transport)
    await send(uri, awkward_batch(), facility="local3", sd_json="user", **params)
    first, second, third = await asyncio.to_thread(peer.wait, 3)
    assert [record["severity"] for record in (first, second, third)] == [
        "err",
        "warning",
        "info",
    ]
    for record in (first, second, third):
        assert record["facility"] == "local3"
        assert (record["host"], record["app"], record["procid"]) == ("node-1", "web", "3")
        assert record["msgid"] == 'access_"log"].txt'
        data = parameters(record["sd"])
        assert data["logyard@32473"] == {
            "key": "app.web",
            "node": "node-1",
            "instance": "3",
            "source": 'access "log"].txt',
        }
    assert first["time"].replace("+00:00", "Z").startswith("2026-11-22T08:15:30.5")
    assert second["time"].replace("+00:00", "Z").startswith("2026-11-22T08:15:31.25")
    assert third["time"].replace("+00:00", "Z").startswith("2026-11-22T09:30:00.123456")
    assert AWKWARD in first["msg"]
    assert parameters(second["sd"])["json@32473"] == {"user": 'o"neil]'}
    assert third["msg"].strip() == "plain text"


@pytest.mark.parametrize("transport", ["octet", "tls", "udp"])
async def test_a_record_of_several_lines_stays_one_message(peer: SyslogPeer, transport: str) -> None:
    uri, params = address(peer, transport)
    await send(uri, batch_of([b"Traceback:\n  one\n  two", b"next"]), **params)
    first, second = await asyncio.to_thread(peer.wait, 2)
    assert first["msg"].lstrip() == "Traceback:\n  one\n  two"
    assert second["msg"].lstrip() == "next"


async def test_line_framing_escapes_the_newlines_of_a_record(peer: SyslogPeer) -> None:
    uri, params = address(peer, "lf")
    await send(uri, batch_of([b"Traceback:\n  one\n  two", b"next"]), **params)
    first, second = await asyncio.to_thread(peer.wait, 2)
    assert first["msg"].lstrip() == "Traceback:\\n  one\\n  two"
    assert second["msg"].lstrip() == "next"


@pytest.mark.needs("rsyslog")
@pytest.mark.parametrize("transport", ["octet", "lf", "udp"])
async def test_rsyslog_reads_an_rfc_3164_message(rsyslog: Rsyslog, transport: str) -> None:
    uri, params = address(rsyslog, transport)
    await send(uri, batch_of([b"ERROR disk full"]), rfc="3164", facility="daemon", **params)
    (record,) = await asyncio.to_thread(rsyslog.wait, 1)
    assert (record["facility"], record["severity"]) == ("daemon", "err")
    assert (record["host"], record["app"], record["procid"]) == ("node1", "web", "3")
    assert record["msg"].strip() == "ERROR disk full"


@pytest.mark.parametrize("transport", ["octet", "tls"])
async def test_a_million_bytes_in_one_message_and_many_messages_arrive(peer: SyslogPeer, transport: str) -> None:
    uri, params = address(peer, transport)
    async with opened(uri, **params) as drain:
        await drain.send([batch_of([b"y" * 1_000_000])])
        for start in range(0, 4000, 1000):
            await drain.send([numbered(start, 500, 300), numbered(start + 500, 500, 300)])
        await drain.finish()
        assert drain.confirmed() == 5
    records = await asyncio.to_thread(peer.wait, 4001)
    assert records[0]["msg"].strip() == "y" * 1_000_000
    assert [numbers_in(record["msg"].encode()) for record in records[1:]] == [[number] for number in range(4000)]


async def test_datagrams_are_cut_between_characters_and_counted(peer: SyslogPeer) -> None:
    uri, _ = address(peer, "udp")
    async with opened(uri, max_size="600") as drain:
        receipt = await drain.send([batch_of(["é漢".encode() * 300, b"short"])])
        assert receipt is not None
        assert receipt.cut == 1
    records = await asyncio.to_thread(peer.wait, 2)
    cut, short = sorted((record["msg"].strip() for record in records), key=len, reverse=True)
    assert short == "short"
    assert set(cut) <= {"é", "漢"}
    assert "\ufffd" not in cut


@pytest.mark.usefixtures("patient_with_refusals")
async def test_without_a_client_certificate_the_refusal_is_told(peer: SyslogPeer) -> None:
    uri, params = address(peer, "mtls")
    with pytest.raises((Permanent, NotConnected), match="certificate") as caught:
        await send(uri, numbered(0, 1), ca=params["ca"])
    assert "cert=" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("patient_with_refusals")
async def test_a_foreign_client_certificate_is_refused(peer: SyslogPeer, certificates: Certificates) -> None:
    uri, params = address(peer, "mtls")
    foreign = certificates.foreign_client
    with pytest.raises((Permanent, NotConnected), match="certificate") as caught:
        await send(uri, numbered(0, 1), ca=params["ca"], cert=str(foreign.cert), key=str(foreign.key))
    assert "cert=" in str(caught.value)


async def test_a_server_of_another_authority_is_refused(peer: SyslogPeer, certificates: Certificates) -> None:
    uri, _ = address(peer, "tls")
    with pytest.raises(Permanent, match=r"localhost:\d+: .*not signed by an authority we trust .*set ca="):
        await send(uri, numbered(0, 1), ca=str(certificates.other_ca))


async def test_a_server_of_another_name_is_refused_until_its_name_is_given(peer: SyslogPeer) -> None:
    uri, params = address(peer, "tls")
    with pytest.raises(Permanent, match=r"is not for 'logs\.example\.org': set servername="):
        await send(uri, numbered(0, 1), servername="logs.example.org", **params)
    await send(uri.replace("localhost", "127.0.0.1"), numbered(0, 1), servername="localhost", **params)


@pytest.mark.needs("rsyslog")
async def test_a_killed_server_gets_again_what_it_did_not_confirm(rsyslog: Rsyslog) -> None:
    uri, params = address(rsyslog, "octet")
    async with opened(uri, **params) as drain:
        await drain.send([numbered(0, 10)])
        await eventually(lambda: drain.confirmed() == 1, "the confirmation")
        assert rsyslog.process is not None
        rsyslog.process.kill()
        with pytest.raises(NotConnected):
            await drain.send([numbered(10, 10)])
    rsyslog.process.end()
    rsyslog.start()
    await send(uri, numbered(10, 10), **params)
    records = await asyncio.to_thread(rsyslog.wait, 20)
    assert [number for record in records for number in numbers_in(record["msg"].encode())] == list(range(20))


async def test_octet_frames_are_exact(tmp_path: Path) -> None:
    sink = TcpSink()
    await sink.start()
    try:
        await send(f"syslog://127.0.0.1:{sink.port}", batch_of(["é\nx".encode(), b"", b"y" * 70_000]), sd="no")
    finally:
        await sink.stop()
    frames, rest = split_frames(sink.data)
    assert rest == b""
    assert [frame.partition(b" - ")[2] for frame in frames] == ["é\nx".encode(), b"", b"y" * 70_000]


async def test_headers_and_severity_can_be_chosen() -> None:
    sink = UdpSink()
    await sink.start()
    uri = f"syslog+udp://127.0.0.1:{sink.port}"
    chosen = {"hostname": "h-{node}", "app_name": "{key}", "procid": "{source}", "msgid": "m", "severity": "notice"}
    try:
        await send(uri, batch_of([b"ERROR x"]), sd="no", time="observed", facility="20", **chosen)
        await eventually(lambda: sink.datagrams, "the datagram")
    finally:
        await sink.stop()
    assert sink.datagrams == [b"<165>1 2026-11-22T09:30:00.123456Z h-node1 app.web stdout m - ERROR x"]


async def test_the_text_can_have_a_format_of_its_own() -> None:
    sink = UdpSink()
    await sink.start()
    try:
        await send(f"syslog+udp://127.0.0.1:{sink.port}", batch_of([b"hello"]), format="template={node}/{text}")
        await eventually(lambda: sink.datagrams, "the datagram")
    finally:
        await sink.stop()
    assert sink.datagrams[0].endswith(b"] node1/hello")


@pytest.mark.parametrize(
    ("uri", "port"), [("syslog://h", 514), ("syslog+udp://h", 514), ("syslog+tls://h", 6514), ("syslog://h:99", 99)]
)
def test_ports_are_the_customary_ones(uri: str, port: int) -> None:
    assert syslog.configure(DrainURI.parse(uri)).port == port


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("syslog://", "needs a host"),
        ("syslog://h/path", "nothing behind it"),
        ("syslog://user@h", "no user"),
        ("syslog://h?framing=crlf", "framing='crlf' is not one of octet, lf"),
        ("syslog://h?rfc=1", "rfc='1' is not one of 5424, 3164"),
        ("syslog://h?severity=loud", "severity"),
        ("syslog://h?facility=nobody", "facility"),
        ("syslog://h?time=now", "time='now' is not one of record, observed"),
        ("syslog://h?max_size=10", "at least 480"),
        ("syslog+udp://h?max_size=70000", "at most 65507"),
        ("syslog://h?format=xml", "'xml' is not a format"),
        ("syslog://h?sd=perhaps", "neither yes nor no"),
        ("syslog://h?rfc=3164&sd_json=user", "sd_json"),
        ("syslog://h?resend_window=big", "whole number"),
        ("syslog://h?ca=/x", "no parameter 'ca'"),
        ("syslog+udp://h?framing=lf", "no parameter 'framing'"),
        ("syslog+udp://h?resend_window=1", "no parameter 'resend_window'"),
        ("syslog+tls://h?ca=relative.pem", "absolute path"),
        ("syslog+tls://h?key=/k", "without cert="),
        ("syslog://h?hostname={nobody}", "nobody"),
    ],
)
def test_wrong_settings_are_named(uri: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(complaint)):
        syslog.configure(DrainURI.parse(uri))
