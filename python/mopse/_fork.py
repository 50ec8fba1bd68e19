"""Whether tables can be worked on here: not in a process forked after Polars started its threads.

Polars keeps its threads for ever, and a process that `fork` makes has none of them: most of what
it is asked there waits without end. `mopse._mopse` has threads of its own in every process.
"""

import os
from pathlib import Path

from mopse.errors import ForkedError

__all__ = ["check_tables"]

_TASKS = Path("/proc/self/task")


class _Polars:
    """What is known of its threads: whether there were any at the last fork, and are lost here."""

    had_threads = False
    is_lost = False


def _has_threads() -> bool:
    prefix = os.environ.get("POLARS_THREAD_NAME", "polars") + "-"
    try:
        names = [(task / "comm").read_text("utf-8") for task in _TASKS.iterdir()]
    except OSError:
        return True  # nobody can tell
    return any(name.startswith(prefix) and name.strip()[-1].isdigit() for name in names)


def _look() -> None:
    _Polars.had_threads = _has_threads()


def _mark() -> None:
    _Polars.is_lost = _Polars.is_lost or _Polars.had_threads


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_look, after_in_child=_mark)


def check_tables() -> None:
    """Refuse to work on tables where it would never end.

    Raises
    ------
    mopse.errors.ForkedError
        If this process was forked after Polars had started its threads in the parent.
    """
    if _Polars.is_lost:
        raise ForkedError(
            "this process was forked after Polars had started threads, which it lacks, so no table "
            "can be worked on here: start processes by 'spawn' or 'forkserver', as "
            "multiprocessing.get_context('spawn') does"
        )
