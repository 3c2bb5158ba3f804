"""Small readers of syslog messages and frames, written from the RFCs and not from what writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TIME = re.compile(rb"(>1 [-0-9T:]{19})(\.[0-9]+)?Z ")


@dataclass
class Message:
    """What a message holds; SD values are unescaped."""

    priority: int
    time: str
    host: str
    app: str
    process: str
    id: str = "-"
    data: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    text: bytes = b""


def in_micros(message: bytes) -> bytes:
    """A message with six digits of its second: how many an object's has can differ with its neighbours."""
    return _TIME.sub(lambda found: found[1] + (found[2] or b".").ljust(7, b"0") + b"Z ", message, count=1)


def _printable(word: bytes, limit: int) -> str:
    assert 1 <= len(word) <= limit
    assert all(33 <= byte <= 126 for byte in word), word
    return word.decode()


def read_5424(message: bytes) -> Message:
    """RFC 5424 section 6: HEADER SP STRUCTURED-DATA [SP MSG]."""
    assert message[:1] == b"<"
    priority, _, rest = message[1:].partition(b">")
    assert priority.isdigit() and len(priority) <= 3 and (priority == b"0" or priority[:1] != b"0")
    assert rest.startswith(b"1 ")
    stamp, host, app, process, name, rest = rest[2:].split(b" ", 5)
    found = Message(
        int(priority),
        _printable(stamp, 32),
        _printable(host, 255),
        _printable(app, 48),
        _printable(process, 128),
        _printable(name, 32),
    )
    if rest[:1] == b"-":
        rest = rest[1:]
    while rest[:1] == b"[":
        rest = _element(rest[1:], found)
    if rest:
        assert rest[:1] == b" "
        found.text = rest[1:]
    return found


def _element(rest: bytes, found: Message) -> bytes:
    end = min(at for at in (rest.find(b" "), rest.find(b"]")) if at >= 0)
    name = rest[:end].decode()
    assert name not in found.data
    params = found.data[name] = []
    rest = rest[end:]
    while rest[:1] == b" ":
        param, _, rest = rest[1:].partition(b'="')
        assert not set(param) & set(b'= ]"')
        value, at = bytearray(), 0
        while rest[at] != ord('"'):
            if rest[at] == ord("\\") and rest[at + 1] in b'"\\]':
                at += 1
            else:
                assert rest[at] != ord("]")
            value.append(rest[at])
            at += 1
        params.append((_printable(param, 32), value.decode()))
        rest = rest[at + 1 :]
    assert rest[:1] == b"]"
    return rest[1:]


def read_3164(message: bytes) -> Message:
    """RFC 3164 section 4.1: <PRI>Mmm dd hh:mm:ss HOST TAG[PID]: MSG."""
    assert message[:1] == b"<"
    priority, _, rest = message[1:].partition(b">")
    stamp, rest = rest[:15], rest[15:]
    assert rest[:1] == b" "
    host, _, rest = rest[1:].partition(b" ")
    head, _, text = rest.partition(b": ")
    tag, bracket, process = head.partition(b"[")
    assert tag.isalnum() and len(tag) <= 32
    if bracket:
        assert process.endswith(b"]")
    return Message(
        int(priority), stamp.decode(), _printable(host, 255), tag.decode(), process[:-1].decode() or "-", text=text
    )


def read_octets(stream: bytes) -> list[bytes]:
    """RFC 6587 section 3.4.1: MSG-LEN SP SYSLOG-MSG, any number of times."""
    messages: list[bytes] = []
    while stream:
        count, _, stream = stream.partition(b" ")
        assert count.isdigit() and count[:1] != b"0"
        assert len(stream) >= int(count)
        messages.append(stream[: int(count)])
        stream = stream[int(count) :]
    return messages
