"""Formats: pure functions from a batch and its selected records to bytes.

What a record looks like (format), how records are told apart in a stream of bytes (framing) and how they travel
(transport) are separate. docs/formats.md shows each format with an example.
"""

from __future__ import annotations

from typing import Protocol

from logyard.batch import Selection
from logyard.errors import UsageError

__all__ = ["FORMAT_NAMES", "Format", "make_format"]

FORMAT_NAMES = ("json", "nested", "ecs", "loggly", "raw", "text", "logfmt", "systail", "apptail", "event")
"""What `make_format` takes, beside ``template=...``."""


class Format(Protocol):
    """How records are written."""

    @property
    def name(self) -> str:
        """What `make_format` made it of."""

    def encode(self, selection: Selection) -> list[bytes]:
        """One text for each selected record; no framing, no newline at the end."""

    def block(self, selection: Selection) -> bytes:
        """The selected records, each followed by a newline; newlines inside a record are escaped."""

    def pieces(self, selection: Selection) -> list[bytes]:
        """`block` in pieces, for whoever can do without one more copy."""


def make_format(spec: str) -> Format:
    """The format that ``spec`` names: one of `FORMAT_NAMES`, or ``template=`` and a template.

    Raises:
        UsageError: there is no such format (the text lists them), or the template is wrong (it says where).
    """
    # Modules are imported by the format that needs them: an agent writes no record as text.
    if spec == "json":
        from logyard.formats.json import JsonFormat

        return JsonFormat()
    if spec == "nested":
        from logyard.formats.nested import NestedFormat

        return NestedFormat()
    if spec == "ecs":
        from logyard.formats.ecs import EcsFormat

        return EcsFormat()
    if spec == "loggly":
        from logyard.formats.loggly import LogglyFormat

        return LogglyFormat()
    if spec == "raw":
        from logyard.formats.raw import RawFormat

        return RawFormat()
    if spec == "logfmt":
        from logyard.formats.logfmt import LogfmtFormat

        return LogfmtFormat()
    from logyard.formats.template import NAMED, TemplateFormat

    if spec in NAMED:
        return TemplateFormat(NAMED[spec], name=spec)
    word, equals, template = spec.partition("=")
    if word == "template" and equals:
        return TemplateFormat(template)
    raise UsageError(f"{spec!r} is not a format: give one of {', '.join(FORMAT_NAMES)}, or template= and a template")
