"""What an exit code means, and the one place where errors become one.

    0    done                                     1    nothing matched, or a check failed
    2    wrong usage: change the command          3    Redis cannot be reached or used
    130  stopped with Ctrl-C

Whoever reads our output may close it at any time (``| head``): that ends a command silently, with 0.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click

from logyard.errors import LogyardError, ServerError, UsageError
from logyard_cli.visible import visible

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "NO_SERVER",
    "OK",
    "USAGE",
    "cause",
    "confirmed",
    "exit_code",
    "run_async",
    "say",
    "silence_stdout",
]

OK = 0
FAILED = 1
USAGE = 2
NO_SERVER = 3
INTERRUPTED = 130

_Result = TypeVar("_Result")


def say(message: str, *, lines: bool = False) -> None:
    """One line for a person, on standard error: ``logyard: ...``.

    Args:
        lines: more lines may follow, such as one with a caret below what is wrong.
    """
    click.echo(f"logyard: {visible(message, newlines=lines)}", err=True)


def run_async(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a command's coroutine; Ctrl-C cancels it, waits for it and raises KeyboardInterrupt."""
    import asyncio

    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # see logyard_cli.entry
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return asyncio.run(work)


def confirmed(question: str) -> bool:
    """Ask somebody at the terminal; no is the default, and Ctrl-C ends the process.

    Inside a coroutine asyncio would keep Ctrl-C to itself until there is an answer; and as an exception it is not
    raised either when it comes just before Python begins to read.
    """
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return click.confirm(question, err=True)
    finally:
        signal.signal(signal.SIGINT, handler)


def exit_code(call: Callable[[], object]) -> int:
    """Run ``call``, say on standard error what went wrong, and return the code to exit with.

    An int that ``call`` returns is the code. Errors that nobody could cause from outside, bugs, pass through.
    """
    try:
        result = call()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseExceptionGroup as group:
        return _code_of(cause(group))
    except (click.ClickException, click.Abort, LogyardError, OSError) as error:
        return _code_of(error)
    return result if isinstance(result, int) else OK


def cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that a group of tasks failed with: the first that a person can do something about."""
    leaves: list[BaseException] = []
    pending: list[BaseException] = [group]
    while pending:
        error = pending.pop(0)
        if isinstance(error, BaseExceptionGroup):
            pending[:0] = error.exceptions
        else:
            leaves.append(error)
    for kind in (KeyboardInterrupt, LogyardError, OSError):
        for error in leaves:
            if isinstance(error, kind):
                return error
    return group


def _code_of(error: BaseException) -> int:
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        silence_stdout()
        return OK
    if isinstance(error, click.UsageError):
        hint = "" if error.ctx is None else f' (see "{error.ctx.command_path} --help")'
        if error.ctx is not None and not error.ctx.args and type(error).__name__ == "NoArgsIsHelpError":
            click.echo(error.format_message(), err=True)
        else:
            say(_sentence(error.format_message()) + hint)
        return USAGE
    if isinstance(error, click.ClickException):
        say(_sentence(error.format_message()))
        return error.exit_code
    if isinstance(error, UsageError):
        text = str(error)
        say(f"the filter cannot be understood:\n{text}" if text.startswith(" ") else text, lines=True)
        return USAGE
    if isinstance(error, ServerError):
        say(str(error))
        return NO_SERVER
    if isinstance(error, LogyardError):
        say(str(error))
        return FAILED
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        say(f"{error.strerror or error}{where}")
        return FAILED
    raise error


def _sentence(message: str) -> str:
    """Click's sentence in the manner of the other messages: lower-case start, no full stop."""
    message = " ".join(message.split())
    return message[:1].lower() + message[1:].removesuffix(".")


def silence_stdout() -> None:
    """Point standard output at nothing, so that the interpreter's last flush finds no broken pipe."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
