"""All settings there are. These classes are the schema: docs/settings.md describes each key for people."""
# ruff: noqa: RUF009 -- _key and _section are dataclasses.field by another name

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logyard.secret import Secret
from logyard.settings import values
from logyard.settings.values import Kind

__all__ = [
    "AgentSettings",
    "DrainSettings",
    "EmbeddedSettings",
    "FileSettings",
    "RedisSettings",
    "RetentionSettings",
    "Settings",
]

_MISSING = dataclasses.MISSING


def _key(kind: Kind, default: Any = _MISSING) -> Any:
    return dataclasses.field(default=default, metadata={"kind": kind})


def _section(section: type) -> Any:
    return dataclasses.field(default_factory=section, metadata={"section": section})


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """``[redis]``: the server to use instead of the embedded one.

    Attributes:
        url: its address (`logyard.server.url`), None for the embedded server. References are still in it.
        password: goes into an address that has none. References are still in it.
        partitions: over how many partitions the streams are spread, decided once for a deployment;
            None takes what is there.
    """

    url: Secret | None = _key(values.secret(), None)
    password: Secret | None = _key(values.secret(), None)
    partitions: int | None = _key(values.number(1, 1024), None)


@dataclass(frozen=True, slots=True)
class FileSettings:
    """``[[agent.files]]``: files to follow.

    Attributes:
        path: absolute; may be a glob.
        key: the stream; without one, and without ``app``, ``sys.<file name without .log>``.
        app: application, for the stream ``app.<app>``.
        instance: of the application.
        source: ``stdout``, ``stderr``, ...; without one the file's name.
        start: where reading of a file begins that no agent has read yet; None for the agent's ``start``.
    """

    path: Path = _key(values.path())
    key: str | None = _key(values.name(), None)
    app: str | None = _key(values.name(), None)
    instance: str | None = _key(values.name(), None)
    source: str | None = _key(values.text(), None)
    start: str | None = _key(values.choice("beginning", "end"), None)

    def conflicts(self) -> dict[str, str]:
        """What does not go together: a key of this table to what is wrong with it."""
        if self.app is not None and self.key is not None:
            return {"key": f'give key or app, not both: app = "{self.app}" is the stream app.{self.app}'}
        if self.instance is not None and self.app is None:
            return {"instance": "an instance belongs to an application: give app"}
        return {}


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """``[agent]``: how files are read.

    Attributes:
        start: where reading of a file begins that no agent has read yet: ``beginning`` or ``end``.
        spacing_ms: ms between two publishes while there is much to send.
        rescan: seconds between two looks for files, behind the notifications of the kernel.
        partial_timeout: seconds after which a line without an end is sent as it is.
        compress: whether batches are compressed.
        files: the files.
    """

    start: str = _key(values.choice("beginning", "end"), "beginning")
    spacing_ms: float = _key(values.number(0, 1000, whole=False), 5.0)
    rescan: float = _key(values.duration(0.05, 3600), 10.0)
    partial_timeout: float = _key(values.duration(0.01, 3600), 5.0)
    compress: bool = _key(values.flag(), True)
    files: tuple[FileSettings, ...] = dataclasses.field(default=(), metadata={"array": FileSettings})


@dataclass(frozen=True, slots=True)
class DrainSettings:
    """``[drains.NAME]``: a destination.

    Attributes:
        uri: its address; references are still in it.
        keys: globs over keys; all streams when there are none.
        filter: which of their records; all without one.
        format: name of a format, None for the drain's own.
        params: added to those in the address.
        start: where it begins in streams that exist when it is added: ``now`` or ``beginning``.
    """

    uri: Secret = _key(values.secret())
    keys: tuple[str, ...] = _key(values.globs(), ())
    filter: str | None = _key(values.text(), None)
    format: str | None = _key(values.text(), None)
    params: Mapping[str, str] = dataclasses.field(default_factory=dict, metadata={"kind": values.params()}, repr=False)
    start: str = _key(values.choice("now", "beginning"), "now")


@dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """``[server]``: the embedded server of ``logyard up``.

    Attributes:
        maxmemory: bytes that it may hold; 0 is a quarter of the machine's memory.
        fsync: when the append-only file is forced to the disk: ``everysec`` or ``always``.
        binary: another server program, None for the one that comes with logyard.
    """

    maxmemory: int = _key(values.size(16 << 20, off=True), 0)
    fsync: str = _key(values.choice("everysec", "always"), "everysec")
    binary: Path | None = _key(values.path(), None)


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """``[retention]``: what streams keep of the records that every drain has.

    Attributes:
        window: seconds.
        stream_bytes: bytes of a stream.
        hard_cap: bytes of a stream above which even records that a drain still wants are given up.
    """

    window: float = _key(values.duration(1), 86400.0)
    stream_bytes: int = _key(values.size(64 << 10), 256 << 20)
    hard_cap: int = _key(values.size(1 << 20), 1 << 30)

    def conflicts(self) -> dict[str, str]:
        """What does not go together: a key of this table to what is wrong with it."""
        if self.hard_cap < self.stream_bytes:
            return {"hard_cap": f"give at least stream_bytes, which is {self.stream_bytes} bytes"}
        return {}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything, after file, environment and flags.

    Attributes:
        redis, agent, server, retention: the sections.
        drains: by name.
        data_dir: absolute; where this machine's part of the data lives.
        node: this machine's name in every record.
        file: the settings file, None when there is none.
    """

    redis: RedisSettings = _section(RedisSettings)
    data_dir: Path = _key(values.path(), Path())
    node: str = _key(values.name(), "")
    agent: AgentSettings = _section(AgentSettings)
    drains: Mapping[str, DrainSettings] = dataclasses.field(default_factory=dict, metadata={"named": DrainSettings})
    server: EmbeddedSettings = _section(EmbeddedSettings)
    retention: RetentionSettings = _section(RetentionSettings)
    file: Path | None = None
