"""Regular expressions from the command line, in RE2: they take linear time, whatever somebody writes."""

from __future__ import annotations

from typing import Any

from logyard.errors import UsageError

__all__ = ["compile_regex"]


def compile_regex(text: str, option: str) -> Any:
    """The compiled expression; it has ``search`` and ``finditer`` over text and over bytes.

    Args:
        option: where it was given, for the message.

    Raises:
        UsageError: it is none; the text shows where with a caret.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        raise UsageError(_explained(text, option, error)) from None


def _explained(text: str, option: str, error: Exception) -> str:
    message = error.args[0] if error.args else b"it cannot be read"
    reason = message.decode(errors="replace") if isinstance(message, bytes) else str(message)
    what, _, part = reason.partition(": ")
    hint = "; RE2 has neither look-around nor back-references" if part.startswith(("(?", "\\")) else ""
    return f"{option} is not a regular expression: {what}{hint}\n  {text}\n  {' ' * _place(text, what, part)}^"


def _place(text: str, what: str, part: str) -> int:
    """Where it is wrong: RE2 names the part and not its place, and of brackets not even the part."""
    opened: list[int] = []
    in_class = escaped = False
    for at, char in enumerate(text):
        if escaped or char == "\\":
            escaped = not escaped
        elif char == "[" and not in_class:
            in_class = True
            opened.append(at)
        elif char == "]" and in_class:
            in_class = False
            opened.pop()
        elif in_class:
            continue
        elif char == "(":
            opened.append(at)
        elif char == ")":
            if not opened:
                return at
            opened.pop()
    if opened and what.startswith("missing"):
        return opened[-1]
    return max(0, text.find(part)) if part else max(0, len(text) - 1)
