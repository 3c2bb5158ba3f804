"""The batch: the records that an agent read together from one source, as one block of bytes.

A batch travels as one stream entry whose fields are described in docs/wire-format.md. Lines stay bytes
inside one block until somebody needs more; nothing here makes an object for a record.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate

import zstandard

from logyard.errors import WireError

__all__ = ["BLOCK_LIMIT", "RECORD_LIMIT", "VERSION", "Batch", "Selection", "decode", "encode", "join_records"]

VERSION = b"1"
BLOCK_LIMIT = 256 * 1024
"""Bytes of text that a full batch holds."""
RECORD_LIMIT = 1024 * 1024
"""Bytes of text that a record holds; longer ones are cut, marked and counted."""
COMPRESS_FROM = 512
"""Blocks shorter than this are stored as they are: compressing them does not pay."""
MAX_BLOCK = 64 * 1024 * 1024

_NEWLINE = b"\n"
_compressors = threading.local()
# Level 1 with a table that stays in the processor's first cache: a tenth faster on full blocks and half as fast again
# on small ones, for 1 to 4 % of the ratio (none on JSON lines).
_PARAMETERS = zstandard.ZstdCompressionParameters(
    window_log=18,
    hash_log=12,
    chain_log=12,
    search_log=1,
    min_match=6,
    target_length=0,
    strategy=zstandard.STRATEGY_FAST,
)


class Batch:
    """Some consecutive records of one source.

    Attributes:
        key: the stream, e.g. ``app.web``.
        node: the machine it was read on.
        app: application, or None for system streams.
        instance: instance of the application as text (mostly an index: "0", "3"), or None.
        source: ``stdout``, ``stderr``, a file's name, ...
        time_ns: when the records were observed, ns since 1970 UTC.
        count: number of records, at least 1.
        origin: identity of the source, ``<16 hex digits>.<generation>``; with a record's offset it
            is the record's identity, the same however often it is sent.
        first: offset in the source of the first byte of the first record.
        last: offset just behind the last record and its separator.
        separator: the byte between two records in ``block``; a newline unless records hold newlines.
        cut: original length in bytes of a record that was cut to `RECORD_LIMIT` (it is then alone in
            its batch), else 0.
        partial: the last record had no line end when it was read.
        entry: id of the stream entry, "" before it is stored.
        total: number of records in the stream up to and including this batch (0 before it is stored).
    """

    __slots__ = (
        "_block", "_lines", "_offsets", "_payload", "app", "codec", "count", "cut", "entry", "first", "instance", "key",
        "last", "node", "origin", "partial", "separator", "source", "time_ns", "total",
    )  # fmt: skip

    def __init__(
        self,
        *,
        key: str,
        node: str,
        source: str,
        time_ns: int,
        count: int,
        origin: str,
        first: int,
        last: int,
        block: bytes | None = None,
        app: str | None = None,
        instance: str | None = None,
        separator: bytes = _NEWLINE,
        cut: int = 0,
        partial: bool = False,
        entry: str = "",
        total: int = 0,
        payload: bytes = b"",
        codec: bytes = b"",
    ) -> None:
        self.key = key
        self.node = node
        self.app = app
        self.instance = instance
        self.source = source
        self.time_ns = time_ns
        self.count = count
        self.origin = origin
        self.first = first
        self.last = last
        self.separator = separator
        self.cut = cut
        self.partial = partial
        self.entry = entry
        self.total = total
        self.codec = codec
        self._block = block
        self._payload = payload
        self._lines: list[bytes] | None = None
        self._offsets: list[int] | None = None

    def __repr__(self) -> str:
        where = f"{self.origin}:{self.first}-{self.last}"
        return f"<Batch {self.key} {self.entry or 'unsent'} {self.count} records of {where}>"

    @property
    def block(self) -> bytes:
        """The records' text joined by the separator, no separator at the end; decompressed when first asked for.

        Raises:
            WireError: the payload is damaged.
        """
        if self._block is None:
            self._block = _decompress(self._payload, self.codec)
            self._payload = b""
        return self._block

    @property
    def lines(self) -> list[bytes]:
        """The records' texts; kept, so that several drains split a batch once.

        Raises:
            WireError: the block does not hold ``count`` records.
        """
        if self._lines is None:
            lines = _split(self.block, self.separator)
            if len(lines) != self.count:
                raise WireError(f"entry {self.entry} of {self.key} says {self.count} records and holds {len(lines)}")
            self._lines = lines
        return self._lines

    def offsets(self) -> list[int]:
        """Each record's offset in its source."""
        if self._offsets is not None:
            return self._offsets
        # Of lengths alone, each with its separator.
        found = list(accumulate([len(line) + 1 for line in self.lines], initial=self.first))
        found.pop()
        return found

    def excerpt(self, spans: Sequence[tuple[int, int]], *, last: bool) -> Batch:
        """A batch of some records, so that nothing needs to be done to the others.

        Args:
            spans: where each of them begins and ends in the block.
            last: whether the last record is one of them.
        """
        block = self.block
        lines = [block[start:end] for start, end in spans]
        some: Batch = copy(self)
        some.count = len(lines)
        some.partial = self.partial and last
        some._block = self.separator.join(lines)
        some._lines = lines
        some._offsets = [self.first + start for start, _ in spans]
        return some

    def identity(self, offset: int) -> str:
        """The identity of the record at ``offset``: ``<origin>:<offset>``."""
        return f"{self.origin}:{offset}"


@dataclass(frozen=True, slots=True)
class Selection:
    """Records of one batch: all of them, or those at ``positions`` (ascending, 0-based)."""

    batch: Batch
    positions: Sequence[int] | None = None

    @property
    def count(self) -> int:
        return self.batch.count if self.positions is None else len(self.positions)

    @property
    def lines(self) -> list[bytes]:
        """The texts of the selected records."""
        lines = self.batch.lines
        return lines if self.positions is None else [lines[position] for position in self.positions]

    @property
    def whole(self) -> bool:
        """Whether this is the whole batch, so that work on the block serves for it."""
        return self.positions is None

    def offsets(self) -> list[int]:
        offsets = self.batch.offsets()
        return offsets if self.positions is None else [offsets[position] for position in self.positions]

    def at(self, places: Sequence[int]) -> Selection:
        """The selected records at ``places`` (ascending, 0-based within this selection)."""
        if len(places) == self.count:
            return self
        own = self.positions
        return Selection(self.batch, places if own is None else [own[place] for place in places])

    def part(self, start: int, stop: int) -> Selection:
        """The selected records from ``start`` up to ``stop`` (positions within this selection)."""
        positions: Sequence[int] = range(self.batch.count) if self.positions is None else self.positions
        return Selection(self.batch, positions[start:stop])


def _split(block: bytes, separator: bytes) -> list[bytes]:
    if separator != _NEWLINE:
        return block.split(separator)
    # Reading lines finds newlines by memchr; `split` looks at each byte and takes nearly twice as long.
    lines = [line.rstrip(_NEWLINE) for line in BytesIO(block)]
    if not block or block.endswith(_NEWLINE):
        lines.append(b"")
    return lines


def join_records(records: Sequence[bytes]) -> tuple[bytes, bytes]:
    """A block of ``records`` and its separator: newline, else a byte that occurs in none of them.

    Raises:
        WireError: the records hold every control byte there is.
    """
    joined = _NEWLINE.join(records)
    if joined.count(_NEWLINE) == len(records) - 1:
        return joined, _NEWLINE
    for code in (0x1E, 0x1F, 0x1D, 0x1C, 0x00, *range(1, 0x20), 0xFF, 0xFE, 0xC0, 0xC1, *range(0xF5, 0xFE)):
        separator = bytes((code,))
        if not any(separator in record for record in records):
            return separator.join(records), separator
    raise WireError("the records hold every byte that could separate them; send fewer at once")


def _compressor() -> zstandard.ZstdCompressor:
    # One per thread: a compressor shared between threads crashes.
    found: zstandard.ZstdCompressor | None = getattr(_compressors, "zstd", None)
    if found is None:
        found = _compressors.zstd = zstandard.ZstdCompressor(compression_params=_PARAMETERS)
    return found


def _decompressor() -> zstandard.ZstdDecompressor:
    found: zstandard.ZstdDecompressor | None = getattr(_compressors, "unzstd", None)
    if found is None:
        found = _compressors.unzstd = zstandard.ZstdDecompressor()
    return found


def _decompress(payload: bytes, codec: bytes) -> bytes:
    if not codec:
        return payload
    if codec != b"zstd":
        raise WireError(f"a block is stored with the codec {codec!r}; this version reads zstd: update logyard")
    try:
        size = zstandard.frame_content_size(payload)
        if not 0 <= size <= MAX_BLOCK:
            raise WireError(f"a block says that it holds {size} bytes; the limit is {MAX_BLOCK}")
        return _decompressor().decompress(payload)
    except zstandard.ZstdError as error:
        raise WireError(f"a block cannot be decompressed: {error}") from error


def encode(batch: Batch, *, compress: bool = True) -> list[bytes]:
    """The batch's stream-entry fields: name, value, name, value, ... (docs/wire-format.md).

    The publish script adds ``total``. Fields with an empty value are left out.
    """
    block: bytes = batch.block
    codec = b""
    if compress and len(block) >= COMPRESS_FROM:
        packed = _compressor().compress(block)
        if len(packed) < len(block) - len(block) // 8:
            block, codec = packed, b"zstd"
    fields = [
        b"v", VERSION, b"node", batch.node.encode(), b"source", batch.source.encode(),
        b"time", b"%d" % batch.time_ns, b"count", b"%d" % batch.count, b"origin", batch.origin.encode(),
        b"first", b"%d" % batch.first, b"last", b"%d" % batch.last,
    ]  # fmt: skip
    if batch.app is not None:
        fields += (b"app", batch.app.encode())
    if batch.instance is not None:
        fields += (b"instance", batch.instance.encode())
    if batch.separator != _NEWLINE:
        fields += (b"sep", b"%d" % batch.separator[0])
    if batch.cut:
        fields += (b"cut", b"%d" % batch.cut)
    if batch.partial:
        fields += (b"partial", b"1")
    if codec:
        fields += (b"codec", codec)
    fields += (b"block", block)
    return fields


def decode(key: str, entry: bytes | str, fields: Sequence[bytes] | Mapping[bytes, bytes]) -> Batch:
    """The batch in a stream entry.

    Args:
        key: the stream's key.
        entry: the entry's id.
        fields: its fields as Redis answers them, a flat list (RESP2) or a mapping (RESP3).

    Raises:
        WireError: a field is missing or wrong, or the version is a later one.
    """
    if not isinstance(fields, Mapping):
        fields = dict(zip(fields[::2], fields[1::2], strict=True))
    get = fields.get
    if get(b"v") != VERSION:
        raise WireError(
            f"entry {entry!r} of {key} has format version {get(b'v')!r}; this version reads 1: update logyard"
        )
    try:
        app, instance = get(b"app"), get(b"instance")
        sep = get(b"sep")
        return Batch(
            key=key,
            node=fields[b"node"].decode(),
            source=fields[b"source"].decode(),
            time_ns=int(fields[b"time"]),
            count=int(fields[b"count"]),
            origin=fields[b"origin"].decode(),
            first=int(fields[b"first"]),
            last=int(fields[b"last"]),
            app=None if app is None else app.decode(),
            instance=None if instance is None else instance.decode(),
            separator=_NEWLINE if sep is None else bytes((int(sep),)),
            cut=int(get(b"cut", b"0")),
            partial=b"partial" in fields,
            entry=entry.decode() if isinstance(entry, bytes) else entry,
            total=int(get(b"total", b"0")),
            payload=fields[b"block"],
            codec=get(b"codec", b""),
        )
    except (KeyError, ValueError) as error:
        raise WireError(f"entry {entry!r} of {key} is damaged: {error!r}") from error
