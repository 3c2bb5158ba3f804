"""Where the installed command ``logyard`` begins: as little as possible, because Ctrl-C may come at any moment."""

from __future__ import annotations

import signal

__all__ = ["main"]


def main() -> None:
    """Run ``logyard``.

    While Python's modules are loaded Ctrl-C simply ends the process: raised as KeyboardInterrupt in the midst of one
    it shows a traceback, and where the module is written in C it may crash. `logyard_cli.exits.run_async` takes over.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever started us has it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from logyard_cli.main import main as run

    run()
