"""Certificates checked both ways; every refusal is one line that says what to set."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from logyard.drain import DrainURI
from logyard.errors import NotConnected, Permanent
from logyard_drains.tls_socket import PARAMETERS, TlsSettings, TlsSocket, connect_tls
from tests.drains.sinks import TcpSink, TlsSink
from tests.servers.certificates import Certificates, KeyPair
from tests.servers.processes import eventually


@asynccontextmanager
async def server(
    pair: KeyPair, clients: Path | None = None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> AsyncIterator[TlsSink]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)
    context.maximum_version = version
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    sink = TlsSink(context)
    sink.start()
    try:
        yield sink
    finally:
        await asyncio.to_thread(sink.stop)


async def connect(sink: TlsSink | TcpSink, settings: TlsSettings, timeout: float = 10.0) -> TlsSocket:
    return await connect_tls("localhost", sink.port, settings, timeout)


async def refusal(sink: TlsSink | TcpSink, settings: TlsSettings, timeout: float = 10.0) -> Exception:
    with pytest.raises((Permanent, NotConnected)) as caught:
        (await connect(sink, settings, timeout)).close()
    assert "\n" not in str(caught.value)
    return caught.value


async def deliver(sink: TlsSink, settings: TlsSettings, data: bytes) -> None:
    tls = await connect(sink, settings)
    try:
        await tls.write(data)
        await tls.shut()
        await asyncio.wait_for(tls.ended.wait(), 20)
        assert tls.ended_well
    finally:
        tls.close()
    await eventually(lambda: len(sink.received) >= len(data), "the data")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_much_data_arrives_whole_by_either_version(certificates: Certificates, version: ssl.TLSVersion) -> None:
    data = bytes(range(256)) * 12_000
    async with server(certificates.server, certificates.ca, version) as sink:
        pair = certificates.client
        await deliver(sink, TlsSettings(certificates.ca, pair.cert, pair.key), data)
        assert bytes(sink.received) == data


@pytest.mark.usefixtures("patient_with_refusals")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_wants_a_certificate_refuses_before_anything_is_sent(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    async with server(certificates.server, certificates.ca, version) as sink:
        error = await refusal(sink, TlsSettings(certificates.ca))
        assert isinstance(error, Permanent)
        assert "refused our certificate" in str(error)
        assert "set cert= and key=" in str(error)


@pytest.mark.usefixtures("patient_with_refusals")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_certificate_of_a_foreign_authority_is_refused(
    certificates: Certificates, version: ssl.TLSVersion
) -> None:
    pair = certificates.foreign_client
    async with server(certificates.server, certificates.ca, version) as sink:
        error = await refusal(sink, TlsSettings(certificates.ca, pair.cert, pair.key))
    assert isinstance(error, Permanent)
    assert "refused our certificate (unknown ca)" in str(error)


async def test_an_expired_certificate_is_refused(certificates: Certificates) -> None:
    async with server(certificates.expired) as sink:
        error = await refusal(sink, TlsSettings(certificates.ca))
    assert isinstance(error, Permanent)
    assert str(error) == f"localhost:{sink.port}: the server's certificate has expired: it must be renewed there"


async def test_a_certificate_for_another_host_is_refused(certificates: Certificates) -> None:
    async with server(certificates.wrong_host) as sink:
        error = await refusal(sink, TlsSettings(certificates.ca))
        assert isinstance(error, Permanent)
        assert "is not for 'localhost': set servername=" in str(error)
        await deliver(sink, TlsSettings(certificates.ca, servername="other.example"), b"x")


async def test_without_ca_the_authorities_of_the_system_count(certificates: Certificates) -> None:
    async with server(certificates.server) as sink:
        error = await refusal(sink, TlsSettings())
    assert isinstance(error, Permanent)
    assert "set ca=" in str(error)


async def test_a_server_that_speaks_no_tls_is_told() -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello, this is no TLS\r\n")
        await writer.drain()
        writer.close()

    greeter = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = greeter.sockets[0].getsockname()[1]
    async with greeter:
        with pytest.raises(Permanent, match="does not speak TLS on this port"):
            await connect_tls("localhost", port, TlsSettings())


async def test_a_silent_server_is_given_up() -> None:
    sink = TcpSink()
    await sink.start()
    error = await refusal(sink, TlsSettings(), timeout=2.0)
    await sink.stop()
    assert isinstance(error, NotConnected)
    assert "no TLS handshake in 2 s; does this port speak TLS?" in str(error)


async def test_a_server_that_hangs_up_in_the_handshake_is_tried_again() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    rude = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = rude.sockets[0].getsockname()[1]
    async with rude:
        with pytest.raises(NotConnected, match="during the TLS handshake"):
            await connect_tls("localhost", port, TlsSettings())


async def test_files_are_read_again_at_each_connection(certificates: Certificates, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    shutil.copy(certificates.other_ca, ca)
    async with server(certificates.server) as sink:
        assert isinstance(await refusal(sink, TlsSettings(ca)), Permanent)
        shutil.copy(certificates.ca, ca)
        await deliver(sink, TlsSettings(ca), b"now")


def files(certificates: Certificates, folder: Path) -> dict[str, tuple[TlsSettings, str]]:
    """Wrong files, and what is said of them."""
    ours, garbage, locked = certificates.client, folder / "garbage.pem", folder / "locked.key"
    garbage.write_text("not a certificate")
    if not locked.exists():
        command = ["openssl", "ec", "-in", str(ours.key), "-aes128", "-passout", "pass:word", "-out", str(locked)]
        subprocess.run(command, check=True, capture_output=True)
    return {
        "missing ca": (TlsSettings(folder / "none.pem"), "none.pem: No such file or directory"),
        "garbage ca": (TlsSettings(garbage), "no certificate in PEM form"),
        "missing cert": (TlsSettings(None, folder / "none.crt", ours.key), "none.crt: No such file or directory"),
        "missing key": (TlsSettings(None, ours.cert, folder / "none.key"), "none.key: No such file or directory"),
        "garbage cert": (TlsSettings(None, garbage, ours.key), "not a certificate and a key in PEM form"),
        "other key": (TlsSettings(None, ours.cert, certificates.server.key), "does not belong to the certificate"),
        "locked key": (TlsSettings(None, ours.cert, locked), "the key has a password"),
    }


@pytest.mark.parametrize(
    "case", ["missing ca", "garbage ca", "missing cert", "missing key", "garbage cert", "other key", "locked key"]
)
async def test_a_wrong_file_is_named(certificates: Certificates, tmp_path: Path, case: str) -> None:
    settings, complaint = files(certificates, tmp_path)[case]
    async with server(certificates.server) as sink:
        error = await refusal(sink, settings)
    assert isinstance(error, Permanent)
    assert complaint in str(error)


async def test_a_server_that_closes_is_noticed_before_the_next_write(certificates: Certificates) -> None:
    async with server(certificates.server) as sink:
        tls = await connect(sink, TlsSettings(certificates.ca))
        await tls.write(b"first")
        await eventually(lambda: sink.received, "the first write")
    await asyncio.wait_for(tls.ended.wait(), 20)
    with pytest.raises(NotConnected, match="closed the connection"):
        await tls.write(b"second")
    tls.close()
    assert not tls.ended_well


def test_parameters_are_those_of_the_settings() -> None:
    uri = DrainURI.parse("syslog+tls://h", {"ca": "/a", "cert": "/c", "key": "/k", "servername": "s"})
    assert tuple(uri.params) == PARAMETERS
    assert TlsSettings.of(uri) == TlsSettings(Path("/a"), Path("/c"), Path("/k"), "s")
    assert TlsSettings.of(DrainURI.parse("syslog+tls://h")) == TlsSettings()
