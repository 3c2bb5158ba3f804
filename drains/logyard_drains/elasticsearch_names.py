"""Which index, or data stream, a record goes to. Pure.

What Elasticsearch demands of names: lower case; none of ``\\ / * ? " < > | , # :`` and blank; not beginning with ``-``,
``_`` or ``+`` (nor, since 8, with a dot); at most 255 bytes. A data stream is called
``logs-<dataset>-<namespace>``, these two without ``-`` and of at most 100 bytes
(elastic.co/guide/en/ecs/current/ecs-data_stream.html).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from logyard.batch import Batch
from logyard.errors import UsageError
from logyard.names import application_of

__all__ = ["IndexName", "data_stream", "index_pattern"]

MOST_BYTES = 255
DATASET_BYTES = 100
_FIELDS = ("app", "instance", "key", "node", "source")
_DATE_PARTS = {"yyyy": slice(0, 4), "MM": slice(5, 7), "dd": slice(8, 10), "HH": slice(11, 13)}
"""Where they stand in 2026-11-22T09:30:00Z."""
_HOLE = re.compile(r"\{([^{}]*)\}")
_DATE = re.compile(r"(yyyy|MM|dd|HH)|[._-]")
_FORBIDDEN = re.compile(r'[\\/*?"<>|,#:\s\x00-\x1f]')
_FIRST = "-_+."


@dataclass(frozen=True, slots=True)
class IndexName:
    """A name with holes that each record fills.

    Attributes:
        text: as it was given, such as ``logs-{app}-{yyyy.MM.dd}``.
        stamp: how many characters of a record's time (``2026-11-22T09...``) decide where it goes; 0 for none.
        dashes: whether what fills a hole may hold ``-``.
    """

    text: str
    stamp: int = 0
    dashes: bool = True

    def of(self, batch: Batch, stamp: str = "") -> str:
        """The name for records of a batch whose time begins with ``stamp``."""
        app = batch.app or application_of(batch.key) or batch.key
        return _filled(self, app, batch.instance or "", batch.key, batch.node, batch.source, stamp)

    @property
    def wildcard(self) -> str:
        """A pattern of Elasticsearch that matches every name which this makes, and as little else as it can."""

        def hole(match: re.Match[str]) -> str:
            inner = match[1]
            return "*" if inner in _FIELDS else re.sub("yyyy|MM|dd|HH", "*", inner)

        return re.sub(r"\*+", "*", _HOLE.sub(hole, self.text))


@lru_cache(maxsize=4096)
def _filled(name: IndexName, app: str, instance: str, key: str, node: str, source: str, stamp: str) -> str:
    values = {"app": app, "instance": instance, "key": key, "node": node, "source": source}

    def fill(match: re.Match[str]) -> str:
        inner = match[1]
        if inner not in values:
            return _DATE.sub(lambda part: stamp[_DATE_PARTS[part[1]]] if part[1] else part[0], inner)
        value = _FORBIDDEN.sub("_", values[inner].lower())
        return value if name.dashes else _cut(value.replace("-", "_"), DATASET_BYTES)

    return _cut(_HOLE.sub(fill, name.text).lstrip(_FIRST), MOST_BYTES) or "unnamed"


def _cut(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore")


def data_stream(namespace: str) -> IndexName:
    """``logs-{app}-<namespace>``. Raises `UsageError` for a namespace that cannot be one."""
    if not namespace or namespace != namespace.lower() or "-" in namespace or _FORBIDDEN.search(namespace):
        raise UsageError(f"namespace={namespace!r}: give lower-case letters, digits, dots and underscores")
    if "{" in namespace or len(namespace.encode()) > DATASET_BYTES:
        raise UsageError(f"namespace={namespace!r}: give one name for all records, of at most {DATASET_BYTES} bytes")
    return IndexName("logs-{app}-" + namespace, dashes=False)


def index_pattern(text: str) -> IndexName:
    """The name that ``index=`` gives. Raises `UsageError` saying what is wrong with it."""
    stamp = 0
    for match in _HOLE.finditer(text):
        inner = match[1]
        if inner in _FIELDS:
            continue
        parts = _DATE.findall(inner)
        if not any(parts) or _DATE.sub("", inner):
            raise UsageError(
                f"index={text!r}: {match[0]} is neither a field ({', '.join(_FIELDS)})"
                " nor a date such as {yyyy.MM.dd}"
            )
        stamp = max(stamp, *(_DATE_PARTS[part].stop for part in parts if part))
    literal = _HOLE.sub("", text)
    if not text or "{" in literal or "}" in literal:
        raise UsageError(f"index={text!r}: write a name such as logs-{{app}}-{{yyyy.MM.dd}}")
    if literal != literal.lower() or _FORBIDDEN.search(literal) or text[0] in _FIRST:
        raise UsageError(
            f'index={text!r}: an index name has lower-case letters, none of \\ / * ? " < > | , # : and blanks,'
            " and does not begin with - _ + or a dot"
        )
    return IndexName(text, stamp)
