"""Real nodes of Elasticsearch and OpenSearch on loopback, that all tests share; a strict one, and some to be killed."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest

from tests.servers.certificates import Certificates
from tests.servers.processes import free_port, wait_for
from tests.servers.requirements import elasticsearch_home, elasticsearch_java, opensearch_home, require

__all__ = [
    "ADMIN", "WRITER", "ElasticsearchNode", "OpenSearchNode", "Server", "shared_elasticsearch", "shared_opensearch",
]  # fmt: skip

# A node outlives whoever started it, because tests of several processes share it; so something else has to see to it
# that it does not outlive the tests, not even when they are killed. The node's launcher starts the real server and
# does not take it along when it dies: signals go to the whole session.
_WATCH = """
owner=$1 folder=$2 note=$3; shift 3
setsid "$@" >>"$folder/log" 2>&1 </dev/null &
node=$!
echo $node >"$folder/pid.new"; mv "$folder/pid.new" "$folder/pid"
while kill -0 "$owner" 2>/dev/null && kill -0 "$node" 2>/dev/null; do sleep 0.3; done
kill -s KILL -- "-$node" 2>/dev/null
kill -0 "$owner" 2>/dev/null || rm -rf "$folder" "$note"
"""


class Server:
    """A server to talk to.

    Args:
        host, port: of its HTTP.
        account: user and password, None without security.
        ca: with TLS, the file with its authority.

    Attributes:
        product: ``elasticsearch`` or ``opensearch``.
    """

    product = "elasticsearch"

    def __init__(self, host: str, port: int, account: tuple[str, str] | None = None, ca: Path | None = None) -> None:
        self.host = host
        self.port = port
        self.account = account
        self.ca = ca

    def call(self, method: str, target: str, body: object = None, *, good: bool = True) -> Any:
        """One request with a JSON body; its answer.

        Args:
            good: an answer that is no success fails the test.
        """
        status, answer = self.ask(method, target, body)
        assert not good or status < 300, f"{method} {target} was answered {status}: {answer}"
        return answer

    def ask(self, method: str, target: str, body: object = None) -> tuple[int, Any]:
        """One request; the status and what the answer holds."""
        headers = {"Content-Type": "application/json"}
        if self.account is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(self.account).encode()).decode()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        if self.ca is not None:
            context = ssl.create_default_context(cafile=self.ca)
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=60, context=context)
        try:
            connection.request(method, target, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        try:
            return response.status, json.loads(text or b"null")
        except ValueError:
            return response.status, text

    def healthy(self) -> bool:
        """Whether it answers and is ready; to be waited for."""
        try:
            status, answer = self.ask("GET", "/_cluster/health")
        except (OSError, http.client.HTTPException):
            return False
        return status == 200 and answer["status"] in ("green", "yellow")

    def documents(self, index: str, *fields: str) -> list[dict[str, Any]]:
        """Everything in an index or data stream, in the order of its arrival; nothing when there is none.

        Args:
            fields: those of a document that are asked for; all when none are given.
        """
        status, _ = self.ask("POST", f"/{index}/_refresh")
        if status == 404:
            return []
        found: list[dict[str, Any]] = []
        after: list[Any] = []
        while True:
            query: dict[str, Any] = {
                "size": 10_000,
                "sort": ["_seq_no"],
                "_source": fields or True,
                **({"search_after": after} if after else {}),
            }
            hits = self.call("POST", f"/{index}/_search?allow_no_indices=true", query)["hits"]["hits"]
            if not hits:
                return found
            found += hits
            after = hits[-1]["sort"]

    def count(self, index: str) -> int:
        """How many documents are in an index or data stream; 0 when there is none."""
        status, _ = self.ask("POST", f"/{index}/_refresh")
        return 0 if status == 404 else int(self.call("GET", f"/{index}/_count")["count"])


class OpenSearch(Server):
    """An OpenSearch to talk to."""

    product = "opensearch"


class _Node(Server):
    """A node in a folder of its own, which survives being killed and started again.

    Args:
        owner: the process that it must not outlive; with it goes the file ``note``.
        account, ca: as of `Server`.
    """

    _command: list[str]

    def __init__(
        self,
        owner: int | None = None,
        note: Path | None = None,
        account: tuple[str, str] | None = None,
        ca: Path | None = None,
    ) -> None:
        super().__init__("localhost" if ca else "127.0.0.1", free_port(), account, ca)
        self._owner = owner or os.getpid()
        self._note = note or ""
        self.folder = Path(tempfile.mkdtemp(prefix="ly-es-"))

    def _own(self, *names: str) -> list[str]:
        """Give folders to who is going to run it, which must not be root; what stands before the command then."""
        if os.geteuid() != 0:
            return []
        subprocess.run(["chown", "-R", "nobody:nogroup", *(self.folder / name for name in names)], check=True)
        self.folder.chmod(0o755)
        return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]

    def launch(self) -> None:
        """Start it without waiting."""
        (self.folder / "pid").unlink(missing_ok=True)
        watch: list[str | Path] = [
            "setsid",
            "--fork",
            "sh",
            "-c",
            _WATCH,
            "watch",
            str(self._owner),
            self.folder,
            self._note,
        ]
        subprocess.run([*watch, *self._command], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_for(lambda: (self.folder / "pid").exists() and _lives(self.group), "the node to have a process")

    def start(self) -> Self:
        """Start it, again after a `kill`, and wait until it is ready."""
        self.launch()
        wait_for(self._ready, f"{self.product} to be ready", 180)
        return self

    def kill(self) -> None:
        """SIGKILL to launcher and server, as the kernel does when memory runs out; returns when they are gone."""
        group = self.group
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        wait_for(lambda: not _lives(group), "the node to be gone")

    def end(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def group(self) -> int:
        """The process group of launcher and server."""
        return int((self.folder / "pid").read_text())

    def _ready(self) -> bool:
        if not _lives(self.group):
            raise AssertionError(f"{self.product} has ended:\n{(self.folder / 'log').read_text()[-8000:]}")
        return self.healthy()


class ElasticsearchNode(_Node):
    """An Elasticsearch.

    Args:
        settings: beside those that every node has.
        prepare: changes the folder with its configuration before the first start.
        owner, note, account, ca: as of `_Node`.
        heap: its size.
    """

    def __init__(
        self,
        settings: Mapping[str, str | Path] | None = None,
        *,
        owner: int | None = None,
        note: Path | None = None,
        prepare: Callable[[Path], None] = lambda _: None,
        account: tuple[str, str] | None = None,
        ca: Path | None = None,
        heap: str = "512m",
    ) -> None:
        super().__init__(owner, note, account, ca)
        folder = self.folder
        # It refuses to run as root, and root's cache is nobody's business. Links cost nothing.
        shutil.copytree(elasticsearch_home(), folder / "home", copy_function=_link_or_copy)
        for name in ("data", "logs", "tmp"):
            (folder / name).mkdir()
        shutil.copytree(folder / "home/config", folder / "config", copy_function=shutil.copyfile)
        prepare(folder / "config")
        everything: dict[str, object] = {
            "path.data": folder / "data",
            "path.logs": folder / "logs",
            "http.host": "127.0.0.1",
            "http.port": self.port,
            "transport.host": "127.0.0.1",
            "transport.port": free_port(),
            "discovery.type": "single-node",
            # Or it removes the blocks of indices that tests put there: as the disk is not full.
            "cluster.info.update.interval": "1d",
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            "xpack.security.enabled": "false",
            **(settings or {}),
        }
        environment = {
            "ES_JAVA_HOME": elasticsearch_java(),
            # Started in half the time; nobody measures it here.
            "ES_JAVA_OPTS": f"-Xms{heap} -Xmx{heap} -XX:TieredStopAtLevel=1",
            "ES_PATH_CONF": folder / "config",
            "ES_TMPDIR": folder / "tmp",
        }
        become = self._own("config", "data", "logs", "tmp")
        settings_given = [f"-E{name}={value}" for name, value in everything.items()]
        variables = [f"{name}={value}" for name, value in environment.items()]
        self._command = ["env", *variables, *become, str(folder / "home/bin/elasticsearch"), *settings_given]


class OpenSearchNode(_Node):
    """An OpenSearch, of its own jars: no distribution of it can be had without a browser or an account."""

    product = "opensearch"

    def __init__(self, *, owner: int | None = None, note: Path | None = None) -> None:
        super().__init__(owner, note)
        folder = self.folder
        # As above: root's cache is nobody's business.
        shutil.copytree(opensearch_home() / "lib", folder / "lib", copy_function=_link_or_copy)
        config = folder / "node_1/config"
        config.mkdir(parents=True)
        settings = {
            "network.host": "127.0.0.1",
            "transport.port": free_port(),
            "discovery.type": "single-node",
            "cluster.info.update.interval": "1d",
            "cluster.routing.allocation.disk.threshold_enabled": "false",
        }
        (config / "opensearch.yml").write_text("".join(f"{name}: {value}\n" for name, value in settings.items()))
        (folder / "tmp").mkdir()
        java = Path(elasticsearch_java() or "") / "bin/java"
        run = [
            str(java), "-Xms256m", "-Xmx512m", "-XX:TieredStopAtLevel=1", f"-Djava.io.tmpdir={folder / 'tmp'}",
            "-cp", f"{folder / 'lib'}/*", "org.codelibs.opensearch.runner.OpenSearchRunner",
            "-basePath", str(folder), "-numOfNode", "1",
        ]  # fmt: skip
        # It ends when it reads a line, or the end of its input.
        self._command = ["sh", "-c", 'tail -f /dev/null | "$@"', "sh", *self._own("node_1", "tmp"), *run]

    def healthy(self) -> bool:
        """As of `Server`; it looks for a free port by itself, and tells which one it took."""
        told = re.search(r"^HTTP Port: +([0-9]+)$", (self.folder / "log").read_text(), re.MULTILINE)
        if told is None:
            return False
        self.port = int(told[1])
        return super().healthy()


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy(source, target)


ADMIN = ("admin", "secret-of-the-admin")
WRITER = ("writer", "secret-of-the-writer")
"""May create documents in ``may-*`` and nothing else, not even look how the cluster is."""
_ROLES = """
everything:
  cluster: [all]
  indices: [{names: ['*'], privileges: [all]}]
writer:
  indices: [{names: ['may-*'], privileges: [auto_configure, create_doc]}]
"""


def _strict(certificates: Certificates, note: Path) -> ElasticsearchNode:
    """A node with security, TLS, and limits that are reached soon."""

    def prepare(config: Path) -> None:
        (config / "certs").mkdir()
        shutil.copyfile(certificates.server.key, config / "certs/server.key")
        shutil.copyfile(certificates.server.cert, config / "certs/server.crt")
        (config / "roles.yml").write_text(_ROLES)
        (config / "users").write_text("".join(f"{user}:{_hashed(password)}\n" for user, password in (ADMIN, WRITER)))
        (config / "users_roles").write_text("everything:admin\nwriter:writer\n")

    settings = {
        "xpack.security.enabled": "true",
        "xpack.security.http.ssl.enabled": "true",
        "xpack.security.http.ssl.key": "certs/server.key",
        "xpack.security.http.ssl.certificate": "certs/server.crt",
        "xpack.security.transport.ssl.enabled": "false",
        "indexing_pressure.memory.limit": "256kb",
        "http.max_content_length": "1mb",
    }
    options: dict[str, Any] = {"owner": _controller(), "note": note, "heap": "512m"}
    return ElasticsearchNode(settings, prepare=prepare, account=ADMIN, ca=certificates.ca, **options)


def _hashed(password: str) -> str:
    # The server reads this kind as well; its own default takes a program that runs for seconds.
    return "{SHA}" + base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()


def _controller() -> int:
    """The process that all processes of this run of the tests belong to."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


@contextmanager
def _noted(name: str) -> Iterator[Path]:
    """A file of this run of the tests, which one process at a time has."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
    path = Path(tempfile.gettempdir()) / f"ly-{run}-{name}"
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path


@cache
def shared_elasticsearch() -> Server:
    """The server of all tests: the one that LOGYARD_TEST_ELASTICSEARCH names, else one that the first test starts."""
    return _shared(Server, ElasticsearchNode)


@cache
def shared_opensearch() -> Server:
    """As `shared_elasticsearch`; LOGYARD_TEST_OPENSEARCH names another one."""
    return _shared(OpenSearch, OpenSearchNode)


def _shared(kind: type[Server], node: type[ElasticsearchNode] | type[OpenSearchNode]) -> Server:
    require(kind.product)
    if url := os.environ.get(f"LOGYARD_TEST_{kind.product.upper()}"):
        parts = urlsplit(url)
        return kind(parts.hostname or "127.0.0.1", parts.port or 9200)
    with _noted(kind.product) as note:
        if not note.read_text():
            note.write_text(str(node(owner=_controller(), note=note).start().port))
        return kind("127.0.0.1", int(note.read_text()))


@pytest.fixture
def elasticsearch() -> Server:
    """A real Elasticsearch that all tests share: each uses names of its own, and changes nothing for others."""
    return shared_elasticsearch()


@pytest.fixture(params=["elasticsearch", "opensearch"])
def cluster(request: pytest.FixtureRequest) -> Server:
    """A real Elasticsearch and a real OpenSearch, in turn; used as `elasticsearch` is."""
    return shared_elasticsearch() if request.param == "elasticsearch" else shared_opensearch()


@pytest.fixture
def strict_elasticsearch(certificates: Certificates) -> Iterator[Server]:
    """A real Elasticsearch with accounts, TLS and low limits, for this test alone as long as it runs."""
    require("elasticsearch-node")
    with _noted("elasticsearch-strict") as note:
        if not note.read_text():
            node = _strict(certificates, note).start()
            note.write_text(f"{node.port} {node.ca}")
        port, ca = note.read_text().split(" ", 1)
        yield Server("localhost", int(port), ADMIN, Path(ca))


@pytest.fixture
def own_elasticsearch() -> Iterator[ElasticsearchNode]:
    """A real Elasticsearch that belongs to this test, to be killed and started again at will."""
    require("elasticsearch-node")
    node = ElasticsearchNode().start()
    yield node
    node.end()


@pytest.fixture
def index_name() -> str:
    """A word in lower case that no other test uses."""
    return f"t{secrets.token_hex(6)}"
