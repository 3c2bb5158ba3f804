"""Lines cut and damaged anywhere; ``python -m tests.native.damage FILE`` gives them to the part in C in FILE."""

from __future__ import annotations

import importlib.util
import random
import sys
from types import ModuleType

from tests.formats.json_lines import HOSTILE
from tests.native.told_lines import TEXTS, TIMES

__all__ = ["LINE", "damage"]

LINE = (
    b'{"time":"2026-11-22T09:30:00.123+01:00","level":"info","msg":"\\u00e9\\ud83d\\ude00"'
    b',"\xc3\xa9\xf0\x9f\x98\x80":1,"a":[true,false,null,-1.5e+10,{"b":{}}],"n":1795339800.5}'
)
_OBSERVED = 1_795_340_000_000_000_000
_ODD = b'"\\{}[],:u0 \x00\x7f\x80\xc3\xff\xed\n'


class _Any(dict[bytes, bytes]):
    def __missing__(self, key: bytes) -> bytes:
        return b"<%b>" % key


def damage(kinds: ModuleType) -> tuple[int, int]:
    """How many lines were written and left."""
    chosen = random.Random(7)
    everything = (
        (kinds.LEVEL, _Any()), (kinds.TIME, b"-"), (kinds.MESSAGE, None), kinds.REST, kinds.OFFSET, kinds.BODY, b";\n",
        (kinds.BY_TIME, _Any(), b"2026"),
    )  # fmt: skip
    heads = ((kinds.LEVEL, _Any()), (kinds.SYSLOG_TIME, b"-"), kinds.LINE, b";\n")
    texts = (everything[0], *everything[1:3], kinds.OFFSET, b";\n", everything[-1])
    blocks = [*HOSTILE, *(b'{"time":%b}' % told.encode() for told in TIMES)]
    for line in (LINE, *TEXTS):
        for end in range(len(line) + 1):
            for _ in range(20 if line is LINE else 6):
                cut = bytearray(line[:end])
                for _ in range(chosen.randrange(3)):
                    if cut:
                        cut[chosen.randrange(len(cut))] = chosen.choice(_ODD)
                blocks.append(bytes(cut))
    written = left = 0
    for block in blocks:
        for separator, pieces, how in (
            (b"\n", everything, {"texts": texts}),
            (b"\n", everything, {"unique": True, "reserved": (b"key",)}),
            (b"\n", heads, {"whole": False, "octets": True, "limit": 500, "texts": heads}),
            (b"\x1e", everything, {"texts": texts}),
            (b"\0", heads, {"whole": False, "texts": heads}),
        ):
            count = block.count(separator) + 1
            parts = kinds.write(block, 0, count, _OBSERVED, None, pieces, separator=separator[0], **how)
            written += b"".join(part for part in parts if isinstance(part, bytes)).count(b";\n")
            left += sum(isinstance(part, tuple) for part in parts)
    return written, left


if __name__ == "__main__":
    spec = importlib.util.spec_from_file_location("lines", sys.argv[1])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    print(*damage(module))
