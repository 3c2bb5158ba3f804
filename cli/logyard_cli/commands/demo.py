"""logyard demo: everything at once, with an application to watch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from logyard.errors import UsageError
from logyard_cli.exits import FAILED, INTERRUPTED, OK, run_async

if TYPE_CHECKING:
    from logyard.demo.application import Plan
    from logyard.demo.summary import Tally

__all__ = ["command"]


@click.command()
@click.option(
    "--instances", type=click.IntRange(1, 100), default=3, show_default=True, help="Instances of the application."
)
@click.option(
    "--rate", type=click.FloatRange(0.1, 20_000), default=20, show_default=True, help="Requests a second, over all."
)
@click.option("--duration", metavar="S", help="End after that time: 30, 30s, 5m.  [default: Ctrl-C ends it]")
@click.option(
    "--keep",
    metavar="D",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep logs, streams and the archive in D, a new directory.  [default: nothing is kept]",
)
def command(instances: int, rate: float, duration: str | None, keep: Path | None) -> int:
    """See it work: a server, an agent, a router, and an application whose logs are shown live.

    The application runs in several instances, which join one after the other as an autoscaler would start them. They
    write JSON and now and then a stack trace to files that rotate. A drain takes all of it to a file, another one to
    a syslog receiver. At the end what was written is compared with what arrived; the exit code is 1 when they differ.

    Nothing of it touches a logyard that runs on this machine.
    """
    import tempfile

    from logyard.datadir import claim, prepare
    from logyard.demo.application import Plan
    from logyard.logs import log_to_stderr

    seconds = None if duration is None else _seconds(duration)
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise UsageError(f"--keep {keep}: there is something in it; give a new directory")
    log_to_stderr()
    with tempfile.TemporaryDirectory(prefix="logyard-demo-", ignore_cleanup_errors=True) as temporary:
        home = prepare(keep or Path(temporary))
        (home / "logs").mkdir()
        plan = Plan(
            folder=str(home / "logs"),
            instances=instances,
            rate=rate,
            duration=seconds,
            join_every=4.0 if seconds is None else min(4.0, seconds / 2 / instances),
            rotate_every=10.0 if seconds is None else max(0.5, min(10.0, seconds / 3)),
        )
        with claim(prepare(home / "data")) as lock:
            return run_async(_demo(plan, home, lock))


def _seconds(text: str) -> float:
    from logyard.settings import values

    kind = values.duration(0.1)
    try:
        return float(kind.of_text(text, Path()))
    except ValueError:
        raise UsageError(f"--duration {text}: give {kind.expects}") from None


async def _demo(plan: Plan, home: Path, lock: int) -> int:
    from logyard_cli.demonstration import demonstrate
    from logyard_cli.stopping import Stopping

    tally: Tally | None = None
    with Stopping() as stopping:
        tally = await demonstrate(plan, home, lock, stopping)
    if tally is None:
        return INTERRUPTED
    click.echo(f"\n{tally.text()}")
    return OK if tally.agrees else FAILED
