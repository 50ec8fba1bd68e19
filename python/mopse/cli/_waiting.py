"""Waiting for a file of DuckDB, which one process at a time has open."""

import argparse
import errno
import math
import time
from collections.abc import Callable
from typing import TypeVar

from mopse.cli._output import note
from mopse.errors import FileAccessError

__all__ = ["WAIT_SECONDS", "add_wait", "waiting_for"]

WAIT_SECONDS = 10.0
_MOST_SECONDS = 86_400
_PAUSE = 0.05
"""Seconds between two tries."""

_Opened = TypeVar("_Opened")


def add_wait(command: argparse.ArgumentParser) -> None:
    """Add how long another process may keep the file of a cloud."""
    command.add_argument(
        "--wait",
        type=_seconds,
        default=WAIT_SECONDS,
        metavar="SECONDS",
        help="how long to wait while another command has the DuckDB file open "
        f"(default: {WAIT_SECONDS:g})",
    )


def _seconds(number: str) -> float:
    try:
        seconds = float(number)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"it must be a number from 0 to {_MOST_SECONDS:,}")
    return seconds


def waiting_for(address: str, open_it: Callable[[], _Opened], seconds: float) -> _Opened:
    """Return what is opened, once no other process has it open.

    Raises
    ------
    mopse.errors.FileAccessError
        If one still has after so many seconds. Any other error is raised at once.
    """
    end, is_told = time.monotonic() + seconds, False
    while True:
        try:
            return open_it()
        except FileAccessError as error:
            if error.errno != errno.EBUSY:
                raise
            left = end - time.monotonic()
            if left <= 0:
                why = f"it is open in another process, and was for {seconds:g} seconds; --wait "
                why += "SECONDS waits longer, and `mopse serve` has many use one file at a time"
                raise FileAccessError(errno.EBUSY, why, address) from None
        if not is_told:
            note(f"{address} is open in another process; waiting")
            is_told = True
        time.sleep(min(_PAUSE, left))
