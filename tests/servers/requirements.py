"""What a machine must have for some tests: found out once, and told with the way to get it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

__all__ = [
    "elasticsearch_home", "elasticsearch_java", "find_program", "missing", "opensearch_home", "require",
    "syslog_ng_root",
]  # fmt: skip

_FETCH = Path(__file__).parents[2] / ".ci"
_SBIN = ("/usr/sbin", "/sbin", "/usr/local/sbin")
"""Debian keeps servers where an unprivileged user's PATH does not look."""


def find_program(name: str) -> str | None:
    """The path of a program, also when only root's PATH would show it."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *_SBIN)))


def _cache() -> Path:
    """Where .ci/run keeps what no package installs; later runs of the tests alone find it there."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "logyard-ci"


def elasticsearch_home() -> Path:
    """The folder of an Elasticsearch: ``LOGYARD_TEST_ELASTICSEARCH_HOME``, or one that is fetched when first needed."""
    return _home("elasticsearch")


def opensearch_home() -> Path:
    """The folder of an OpenSearch: ``LOGYARD_TEST_OPENSEARCH_HOME``, or one that is fetched when first needed."""
    return _home("opensearch")


def _home(product: str) -> Path:
    if named := os.environ.get(f"LOGYARD_TEST_{product.upper()}_HOME"):
        return Path(named)
    fetch = [_FETCH / product, _cache()]
    return Path(subprocess.run(fetch, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def elasticsearch_java() -> Path | None:
    """The folder of a Java for it and for OpenSearch: ``ES_JAVA_HOME``, Debian's Java 17 or 21, or what ``java`` is."""
    if named := os.environ.get("ES_JAVA_HOME"):
        return Path(named)
    found = [home for version in (17, 21) for home in Path("/usr/lib/jvm").glob(f"java-{version}-openjdk-*")]
    java = shutil.which("java")
    return found[0] if found else Path(java).resolve().parent.parent if java else None


def syslog_ng_root() -> Path | None:
    """Where syslog-ng is: ``/``, or ``LOGYARD_TEST_SYSLOG_NG``, a folder that its Debian package was unpacked into."""
    unpacked = os.environ.get("LOGYARD_TEST_SYSLOG_NG") or _cache() / "syslog-ng"
    return next((root for root in (Path(unpacked), Path("/")) if (root / "usr/sbin/syslog-ng").exists()), None)


def _program(name: str, package: str) -> Callable[[], str | None]:
    return lambda: None if find_program(name) else f"{name} is not installed (Debian: apt-get install {package})"


def _syslog_ng() -> str | None:
    if syslog_ng_root() is not None:
        return None
    return "syslog-ng is not there: unpack its package and name the folder in LOGYARD_TEST_SYSLOG_NG (.ci/run does)"


def _elasticsearch_node() -> str | None:
    if elasticsearch_java() is None:
        return "there is no Java for Elasticsearch (Debian: apt-get install default-jre-headless)"
    here = os.environ.get("LOGYARD_TEST_ELASTICSEARCH_HOME") or next(_cache().glob("elasticsearch-*/bin"), None)
    if here is None and not (find_program("mvn") and find_program("unzip")):
        return "Elasticsearch is not there, nor what fetches it (Debian: apt-get install maven unzip)"
    return None


def _opensearch() -> str | None:
    if os.environ.get("LOGYARD_TEST_OPENSEARCH"):
        return None
    if elasticsearch_java() is None:
        return "there is no Java for OpenSearch (Debian: apt-get install default-jre-headless)"
    here = os.environ.get("LOGYARD_TEST_OPENSEARCH_HOME") or next(_cache().glob("opensearch-*/lib"), None)
    if here is None and not find_program("mvn"):
        return "OpenSearch is not there, nor what fetches it (Debian: apt-get install maven)"
    return None


def _elasticsearch() -> str | None:
    return None if os.environ.get("LOGYARD_TEST_ELASTICSEARCH") else _elasticsearch_node()


def _rsyslog_tls() -> str | None:
    folders = (Path("/usr/lib"), Path("/usr/lib64"))
    if any(next(folder.glob("**/rsyslog/lmnsd_gtls.so"), None) for folder in folders):
        return _REQUIREMENTS["rsyslog"]()
    return "rsyslog has no TLS (Debian: apt-get install rsyslog-gnutls)"


def _zlib() -> str | None:
    return None if Path("/usr/include/zlib.h").exists() else "zlib.h is not there (Debian: apt-get install zlib1g-dev)"


def _linux() -> str | None:
    return None if sys.platform == "linux" else "this needs Linux"


def _native() -> str | None:
    from logyard import native

    return f"logyard's part in C is {native.missing}" if native.module is None else None


def _root() -> str | None:
    return None if os.geteuid() == 0 else "this needs root"


_REQUIREMENTS: dict[str, Callable[[], str | None]] = {
    "elasticsearch": _elasticsearch,
    "elasticsearch-node": _elasticsearch_node,
    "gcc": _program("gcc", "gcc libc6-dev"),
    "linux": _linux,
    "logrotate": _program("logrotate", "logrotate"),
    "make": _program("make", "make"),
    "native": _native,
    "opensearch": _opensearch,
    "openssl": _program("openssl", "openssl"),
    "redis-server": _program("redis-server", "redis-server"),
    "root": _root,
    "rsyslog": _program("rsyslogd", "rsyslog"),
    "rsyslog-tls": _rsyslog_tls,
    "syslog-ng": _syslog_ng,
    "tmux": _program("tmux", "tmux"),
    "zlib": _zlib,
}


@cache
def missing(what: str) -> str | None:
    """Why the machine lacks ``what``, None when it has it."""
    if what not in _REQUIREMENTS:
        raise pytest.UsageError(f"needs({what!r}): choose from {', '.join(sorted(_REQUIREMENTS))}")
    return _REQUIREMENTS[what]()


def require(*what: str) -> None:
    """Skip the test, with the reason, when something is missing; fail it where ``LOGYARD_TEST_REQUIRE_ALL=1``."""
    for name in what:
        reason = missing(name)
        if reason is None:
            continue
        if os.environ.get("LOGYARD_TEST_REQUIRE_ALL") == "1":
            pytest.fail(f"LOGYARD_TEST_REQUIRE_ALL=1, but {reason}", pytrace=False)
        pytest.skip(reason)
