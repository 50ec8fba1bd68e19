"""Progress of long work on a terminal, and silence where there is none."""

import sys
import threading
from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

__all__ = ["Bar", "bar", "counter", "is_watched", "steps"]

_Step = TypeVar("_Step")

_QUIET_S = 2.0
"""Seconds for which work shows nothing that was not asked to."""


def is_watched() -> bool:
    """Say whether somebody sees what is shown now: on a terminal, of the main thread's work."""
    is_main = threading.current_thread() is threading.main_thread()
    try:
        return is_main and sys.stderr.isatty()
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False


def _options(progress: bool | None) -> dict[str, Any]:
    if progress is None:
        return {"disable": not is_watched(), "delay": _QUIET_S}
    return {"disable": not progress}


def steps(
    taken: Iterable[_Step],
    progress: bool | None,
    *,
    name: str | None = None,
    done: int = 0,
    total: int | None = None,
) -> Iterable[_Step]:
    """Return the same steps, with a bar beside them if there is to be one.

    `done` steps of `total` were taken before. By default, None, there is one where they take long,
    on a terminal.
    """
    return tqdm(taken, desc=name, initial=done, total=total, **_options(progress))


def counter(total: int | None, progress: bool | None) -> Any:
    """Return a bar that counts bytes, if there is to be one; see `steps`."""
    return tqdm(total=total, unit="B", unit_scale=True, **_options(progress))


class Bar:
    """A bar for work of the core, which counts its own steps."""

    def __init__(self) -> None:
        self._bar: Any = None

    def reach(self, done: int, total: int) -> None:
        """Show that so many steps are done; of a total of 0 nobody knows how many there are."""
        if self._bar is None:
            self._bar = tqdm(desc="mopse", total=total or None, leave=False)
        if self._bar.total != (total or None):
            self._bar.reset(total or None)
        self._bar.n = done
        self._bar.refresh()

    def close(self) -> None:
        """Take it away."""
        if self._bar is not None:
            self._bar.close()


class _Silence(Bar):
    def reach(self, done: int, total: int) -> None:
        """Show nothing."""


def bar() -> Bar:
    """Return what shows the steps of the core, or does not."""
    return Bar() if is_watched() else _Silence()
