"""Options that every command shares: which Redis, which data directory, which settings file."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from logyard.server import Server
    from logyard.settings import Settings

__all__ = ["ServerOptions", "server_options"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where a command finds its deployment; nothing is opened before `connect`.

    Attributes:
        redis: ``--redis``.
        data_dir: ``--data-dir``.
        config: ``--config``. Without an option its variable, LOGYARD_REDIS_URL, LOGYARD_DATA_DIR or LOGYARD_CONFIG,
            counts, then the settings file; see `logyard.settings`.
    """

    redis: str | None = None
    data_dir: Path | None = None
    config: Path | None = None

    def url(self) -> str:
        """The Redis to use: the option's, else the settings file's, else that of the data directory's ``logyard up``.

        Raises:
            UsageError: the settings file is wrong.
            ServerError: no logyard is running in the data directory.
        """
        from logyard.settings import redis_url

        settings = self.settings()
        url = redis_url(settings)
        if url is not None:
            return url
        from logyard.server.embedded import embedded_url

        return embedded_url(settings.data_dir)

    def settings(self) -> Settings:
        """The settings that count here.

        Raises:
            UsageError: the settings file is wrong.
        """
        from logyard.settings import load_settings

        return load_settings(self.config, {"redis.url": self.redis, "data_dir": self.data_dir})

    def connect(self) -> AbstractAsyncContextManager[Server]:
        """A connection to that Redis; see `logyard.server.connect` for what it raises."""
        from logyard.server import connect

        return connect(self.url())


def server_options(function: _Function) -> _Function:
    """Give a command ``--redis``, ``--data-dir`` and ``--config``; it gets them as ``server: ServerOptions``."""

    @click.option(
        "--redis",
        metavar="URL",
        help="Redis to use: redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://."
        " Default: the one that logyard up runs in the data directory.  [env: LOGYARD_REDIS_URL]",
    )
    @click.option(
        "--data-dir",
        metavar="D",
        type=click.Path(file_okay=False, path_type=Path),
        help="Data directory of logyard up.  [env: LOGYARD_DATA_DIR]",
    )
    @click.option(
        "--config",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Settings file.  [env: LOGYARD_CONFIG]",
    )
    @functools.wraps(function)
    def wrapped(*args: Any, redis: str | None, data_dir: Path | None, config: Path | None, **kwargs: Any) -> Any:
        return function(*args, server=ServerOptions(redis, data_dir, config), **kwargs)

    return wrapped  # type: ignore[return-value]
