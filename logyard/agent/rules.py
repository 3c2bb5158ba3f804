"""Which files are followed, and which stream their lines belong to.

A pattern is an absolute path in which parts may hold ``*``, ``?``, ``[...]`` (as in a shell: names that begin with
a dot match only a pattern that does), a whole part may be ``**`` (any number of directories), and ``{app}``,
``{instance}``, ``{source}`` and ``{process}`` match like ``*`` and say what the matched text means.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from logyard.errors import UsageError
from logyard.names import clean_name, make_key

__all__ = ["DEEP", "FileRule", "Labels", "Pattern"]

GROUPS = ("app", "instance", "process", "source")
DEEP = "**"
"""The part of a pattern that stands for any number of directories."""
_SPECIAL = re.compile(r"\*+|\?|\[!?\]?[^\]]*\]|\{[^{}]*\}|[{}]")
_PLAIN = re.compile(r"[^*?\[{}]*")


@dataclass(frozen=True, slots=True)
class FileRule:
    """Files to follow.

    Attributes:
        pattern: a path, or a pattern as above; a relative one starts at the working directory.
        key: the stream. Without one it is ``app.<app>`` where there is an app, ``sys.<process>`` where there is
            a process, else ``sys.<file name without .log>``.
        app, instance, source: labels of the records; what the path says goes before them. Without a source
            it is the file's name.
        start: ``beginning`` or ``end``: where reading of a file begins that was there before the agent first
            looked for it; None for the agent's own setting.
    """

    pattern: str
    key: str | None = None
    app: str | None = None
    instance: str | None = None
    source: str | None = None
    start: str | None = None


@dataclass(frozen=True, slots=True)
class Labels:
    """What is put on the records of a file; see `logyard.batch.Batch`."""

    key: str
    source: str
    app: str | None = None
    instance: str | None = None


class Pattern:
    """A rule, made ready to find files.

    Attributes:
        rule: the rule.
        parts: of the path, from the root: a name, a regular expression for a name, or `DEEP`.

    Raises:
        UsageError: the pattern cannot be understood, or a name in the rule is none.
    """

    def __init__(self, rule: FileRule) -> None:
        self.rule = rule
        self.path = os.path.abspath(Path(rule.pattern).expanduser())  # noqa: PTH100  # links stay: the path is a name
        if not rule.pattern or rule.pattern.endswith("/"):
            raise UsageError(f"{rule.pattern!r} names no files: give a path or a pattern such as /var/log/*.log")
        if rule.start not in {None, "beginning", "end"}:
            raise UsageError(f"start={rule.start!r} for {rule.pattern}: give beginning or end")
        names = self.path.split("/")[1:]
        if names[-1] == DEEP:
            raise UsageError(f"{rule.pattern!r} ends with **: say which files, e.g. **/*.log")
        self.parts: list[str | re.Pattern[str]] = []
        whole = ""
        try:
            for name in names:
                if name == DEEP:
                    self.parts.append(DEEP)
                    whole += r"(?:/(?!\.)[^/]+)*"
                else:
                    text = _part(name, rule.pattern)
                    self.parts.append(name if _PLAIN.fullmatch(name) else re.compile(text, re.DOTALL))
                    whole += "/" + text
            self._whole = re.compile(whole, re.DOTALL)
        except re.error as error:
            raise UsageError(f"{rule.pattern!r} is not a pattern: {error}") from None
        self._key = None if rule.key is None else make_key(rule.key)

    @property
    def exact(self) -> bool:
        """Whether the last part of the pattern is one name."""
        return isinstance(self.parts[-1], str)

    def matches(self, path: str) -> bool:
        """Whether the rule means the file at this absolute path."""
        return self._whole.fullmatch(path) is not None

    def labels(self, path: str) -> Labels:
        """The labels of a file that matches.

        Raises:
            UsageError: nothing of its name can be used in a key.
        """
        match = self._whole.fullmatch(path)
        assert match is not None
        found = {name: _readable(text) for name, text in match.groupdict().items()}
        name = _readable(path.rpartition("/")[2])
        app = found.get("app") or self.rule.app
        app = None if app is None else clean_name(app)
        if self._key is not None:
            key = self._key
            if app is None and key.startswith("app."):
                app = key.removeprefix("app.")
        elif app is not None:
            key = f"app.{app}"
        else:
            key = f"sys.{clean_name(found.get('process') or name.removesuffix('.log'))}"
        return Labels(
            key=key,
            source=found.get("source") or self.rule.source or name,
            app=app,
            instance=found.get("instance") or self.rule.instance,
        )


def _part(name: str, pattern: str) -> str:
    """A regular expression for one name of a path."""
    text, at = "" if name.startswith(".") else r"(?!\.)", 0
    for match in _SPECIAL.finditer(name):
        text += re.escape(name[at : match.start()])
        at, special = match.end(), match[0]
        if special[0] == "*":
            text += "[^/]*"
        elif special == "?":
            text += "[^/]"
        elif special[0] == "[":
            inside = special[1:-1].replace("\\", "\\\\")
            text += f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside.replace('^', chr(92) + '^')}]"
        elif special[1:-1] in GROUPS and len(special) > 2:
            text += f"(?P<{special[1:-1]}>[^/]+)"
        else:
            choices = ", ".join(f"{{{group}}}" for group in GROUPS)
            raise UsageError(f"{special} in {pattern!r} means nothing: there is {choices}; a brace itself is [{{]")
    return text + re.escape(name[at:])


def _readable(name: str) -> str:
    """A file's name as text that can be stored, whatever bytes it holds."""
    return os.fsencode(name).decode("utf-8", "replace")
