"""Foreign text made safe for a terminal: nothing in a log line may move the cursor, recolour or reorder.

Control characters are shown instead of sent: C0 and DEL by their control picture (``␛``), C1 (which a terminal in
UTF-8 obeys as well: U+009B is CSI), bidirectional overrides, line separators and what nobody sees (zero-width spaces,
fillers, tags) by their number (``\\x9b``, ``\\u202e``). Tabs become spaces. Pure.
"""

from __future__ import annotations

import re

__all__ = ["UNSAFE", "decoded", "visible", "visible_json"]

_BIDI = (0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
# Nobody sees these; joiners and variation selectors, which scripts and emoji need, are not among them.
_UNSEEN = (
    0xAD, 0x115F, 0x1160, 0x180E, 0x200B, *range(0x2060, 0x2065), *range(0x206A, 0x2070), 0x3164, 0xFEFF, 0xFFA0,
    *range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080),
)  # fmt: skip
_NUMBERED = (*_BIDI, *_UNSEEN)
UNSAFE = re.compile(f"[\x00-\x1f\x7f-\x9f{''.join(map(chr, _NUMBERED))}\ud800-\udfff]")
"""What never reaches a terminal from a log line, the newline included."""


def _json_escape(code: int) -> str:
    """A character as JSON escapes it: beyond the 16 bits as a pair of surrogates."""
    return "".join(f"\\u{unit:04x}" for unit in memoryview(chr(code).encode("utf-16-le")).cast("H"))


_TAB = "    "
_SHOWN = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\u2421",
    **{code: f"\\x{code:02x}" for code in range(0x80, 0xA0)},
    **{code: f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}" for code in (*_NUMBERED, *range(0xD800, 0xE000))},
    ord("\t"): _TAB,
}
_SHOWN_BLOCK = {code: shown for code, shown in _SHOWN.items() if code != ord("\n")}
_SHOWN_JSON = {
    code: _json_escape(code) for code in _SHOWN if code not in {ord("\n"), ord("\t")} and not 0xD800 <= code < 0xE000
}


def decoded(data: bytes) -> str:
    """``data`` as UTF-8; bytes that are none are shown as ``\\xff``."""
    return data.decode("utf-8", "backslashreplace")


def visible(text: str, *, newlines: bool = False) -> str:
    """``text`` with everything unsafe shown instead of sent.

    Args:
        newlines: line feeds stay what they are, because the text is a block of lines.
    """
    # isprintable is several times faster than the search; in ASCII it is right.
    if (text.isascii() and text.isprintable()) or not UNSAFE.search(text):
        return text
    return text.translate(_SHOWN_BLOCK if newlines else _SHOWN)


def visible_json(text: str) -> str:
    """JSON text with everything unsafe escaped, so that it stays the same JSON. Newlines between documents stay."""
    return text.translate(_SHOWN_JSON) if UNSAFE.search(text) else text
