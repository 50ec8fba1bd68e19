"""What an experiment is to those that run it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from mopse._checked import checked
from mopse.plot import Figure

__all__ = ["Experiment"]

Room = Literal["performance", "security"]
"""What an experiment belongs to: the cost of the scheme, or what it gives away."""


@checked()
@dataclass(frozen=True)
class Experiment:
    """A measurement with its figure and its sizes.

    Attributes
    ----------
    name : str
        Of its table and its figure.
    measure : callable
        Returns its table; its defaults are the recorded run.
    draw : callable
        Returns its figure from the table.
    fast : mapping
        Arguments of a run that shows that it works, and no more.
    resumes : bool
        Whether it takes ``path`` and ``progress``.
    takes_store : bool
        Whether it takes ``store``: what its clouds keep things in.
    needs : str or None
        A module without which it is left out, unless it is asked for by name.
    """

    name: str
    room: Room
    measure: Callable[..., pl.DataFrame]
    draw: Callable[[pl.DataFrame], Figure]
    fast: Mapping[str, Any]
    resumes: bool = True
    takes_store: bool = False
    needs: str | None = None
