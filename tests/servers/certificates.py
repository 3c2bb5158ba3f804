"""An authority of the tests' own and certificates by it, by the openssl program."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.requirements import require

__all__ = ["Certificates", "KeyPair"]


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM files."""

    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """Attributes:
    ca, other_ca: certificates of two authorities.
    server: by ``ca`` for ``localhost`` and 127.0.0.1.
    wrong_host: by ``ca`` for ``other.example`` only.
    client: by ``ca`` for ``agent1.logyard``.
    foreign_client: by ``other_ca`` for ``agent1.logyard``.
    expired: by ``ca`` for ``localhost``, no longer valid.
    """

    ca: Path
    other_ca: Path
    server: KeyPair
    wrong_host: KeyPair
    client: KeyPair
    foreign_client: KeyPair
    expired: KeyPair


def _openssl(*args: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")


# Elliptic curves: an RSA key takes a second to make.
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _authority(folder: Path, name: str) -> KeyPair:
    pair = KeyPair(folder / f"{name}.crt", folder / f"{name}.key")
    _openssl(
        "req", "-x509", *_NEW_KEY, "-keyout", pair.key, "-out", pair.cert, "-days", "30",
        "-subj", f"/CN=logyard tests {name}",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    return pair


def _issue(folder: Path, name: str, authority: KeyPair, host: str, also: str = "", *, days: int = 30) -> KeyPair:
    pair = KeyPair(folder / f"{name}.crt", folder / f"{name}.key")
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    _openssl("req", *_NEW_KEY, "-keyout", pair.key, "-out", request, "-subj", f"/CN={host}")
    extensions.write_text(
        f"basicConstraints=CA:FALSE\nsubjectAltName=DNS:{host}{also}\nextendedKeyUsage=serverAuth,clientAuth\n"
    )
    _openssl(
        "x509", "-req", "-in", request, "-CA", authority.cert, "-CAkey", authority.key, "-CAcreateserial",
        "-days", str(days), "-extfile", extensions, "-out", pair.cert,
    )  # fmt: skip
    return pair


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates for servers and clients, good ones and bad ones."""
    require("openssl")
    folder = tmp_path_factory.mktemp("certificates")
    ca, other = _authority(folder, "ca"), _authority(folder, "other-ca")
    return Certificates(
        ca=ca.cert,
        other_ca=other.cert,
        server=_issue(folder, "server", ca, "localhost", ",IP:127.0.0.1"),
        wrong_host=_issue(folder, "wrong-host", ca, "other.example"),
        client=_issue(folder, "client", ca, "agent1.logyard"),
        foreign_client=_issue(folder, "foreign-client", other, "agent1.logyard"),
        expired=_issue(folder, "expired", ca, "localhost", ",IP:127.0.0.1", days=-1),
    )


@pytest.fixture
def patient_with_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may take long to refuse a certificate, which by TLS 1.3 it does after the handshake."""
    monkeypatch.setattr("logyard_drains.tls_socket.FIRST_ANSWER", 30.0)
