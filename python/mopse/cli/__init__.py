"""The console command ``mopse``: one module for each of its commands.

A command is a module with `add`, which tells its arguments, and what it runs. What that returns is
the exit code; none is 0. The commands are loaded by `main`, which knows what Ctrl-C means by then.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["main"]

_INTERRUPTED = 130
"""What shells expect of a command that Ctrl-C ended: 128 and the signal's number."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command.

    Parameters
    ----------
    arguments : list of str, optional
        What follows the command's name; by default what the shell gave.
    """
    _open_streams()
    try:
        with _ending_at_once():
            from mopse.cli._main import run
        run(arguments)
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None


def _open_streams() -> None:
    """Have a stream that is closed be one that nobody reads.

    Its number would be that of the next file, and what is printed would be written there.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):  # as of what is another file already
                os.fstat(number)
                continue
            null = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(null, "w" if number else "r", encoding="utf-8"))  # noqa: SIM115


@contextlib.contextmanager
def _ending_at_once() -> Iterator[None]:
    """Have Ctrl-C end the process while it loads: libraries take it for a fault of their own."""

    def end(*_: Any) -> None:
        os._exit(_INTERRUPTED)  # nothing was begun that would have to be ended

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # whoever has another one knows why
        yield
        return
    try:
        signal.signal(signal.SIGINT, end)
    except ValueError:  # signals are the main thread's
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
