from collections.abc import Mapping, Sequence

LINE: int
"""The line as it is."""
BODY: int
"""The line behind its first brace; objects without members are left."""
REST: int
"""The line from the first member on that is neither ``time`` nor ``level``; lines where these two do not lead are left,
and lines that hold nothing else."""
OFFSET: int
"""The line's offset in its source, in digits."""
TIME: int
"""``(TIME, text)``: the line's time, RFC 3339 in UTC with 0, 3, 6 or 9 digits; the text when it tells none."""
SYSLOG_TIME: int
"""``(SYSLOG_TIME, text)``: the same with the digits that the line has, at most six, six for times written otherwise."""
LEVEL: int
"""``(LEVEL, mapping)``: what the mapping has for the JSON of the line's severity, b"" when it tells none; lines for
which it has no bytes are left."""
MESSAGE: int
"""``(MESSAGE, text)``: the text and the JSON string of the line's message, nothing when it has none;
``(MESSAGE, None)``: the string alone, and the line itself as a JSON string when it has none."""
BY_TIME: int
"""``(BY_TIME, mapping, text)``: what the mapping has for as many characters of the line's time as the text has, which
stands for the time of lines that tell none."""

NAMES: Mapping[str, str]
"""The names of members that tell something, and what."""
SEVERITIES: tuple[str, ...]
"""The names of severities in text."""

Piece = (
    bytes
    | int
    | tuple[int, bytes | None]
    | tuple[int, Mapping[bytes, bytes | None]]
    | tuple[int, Mapping[bytes, bytes], bytes]
)

def write(
    block: bytes,
    first: int,
    lines: int,
    observed_ns: int,
    positions: Sequence[int] | None,
    pieces: tuple[Piece, ...],
    *,
    reserved: tuple[bytes, ...] = (),
    whole: bool = True,
    unique: bool = False,
    octets: bool = False,
    limit: int = 0,
    leave_last: bool = False,
    texts: tuple[Piece, ...] | None = None,
    separator: int = 10,
) -> list[bytes | tuple[int, int, int]] | None:
    """Documents around the lines of a block, made of pieces.

    Only lines of which all is sure are written. Objects: each one JSON object (RFC 8259, UTF-8, nothing behind it), no
    name of a time, a severity or a message twice in it, and these written in the usual ways. Text: what surely is no
    object, and tells its time and severity in the usual ways or not at all. All others are left.

    Args:
        block: lines, separators between them.
        first: offset of the first one in its source.
        lines: how many there are.
        observed_ns: when they were observed, ns since 1970: times more than a day after that are absurd.
        positions: which lines are wanted, ascending; None for all.
        pieces: what a document is made of, in order: bytes, or one of the kinds above.
        reserved: names of members on the top level with which a line is left; needs ``unique``.
        whole: False when it is enough that the line begins like an object and tells time and severity first; then
            nothing else can be asked of it.
        unique: leave lines in which any name occurs twice, and whole numbers beyond 18 digits.
        octets: put each document's length and a blank before it.
        limit: leave documents that are longer, 0 for none.
        leave_last: leave the last wanted line.
        texts: what the documents of text are made of, with the same mappings as ``pieces``; None to leave text.
            Severities are looked up as JSON strings, and ``(MESSAGE, None)`` is the line. Text of several lines is
            left where a piece is the `LINE`, unless its length stands before it.
        separator: code of the control character between two lines, no tab; a line may hold newlines if it is another.

    Returns:
        In order: bytes of some documents, whole ones each, and for each line that is left its place among the wanted,
        and where it begins and ends in the block. None when nearly all lines are left.

    Raises:
        ValueError: the block does not hold so many lines, or an argument is out of range.
    """
