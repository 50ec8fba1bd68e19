"""Measuring what the scheme costs (`performance`) and what it gives away (`security`).

Here is what both share: clocks and counters, tables that resume, and the list of all experiments.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mopse.evaluate._measure import Block, Watch, machine, operations, record, seconds
from mopse.evaluate._tables import growth, medians
from mopse.evaluate._tree import tree

if TYPE_CHECKING:
    from mopse.evaluate import performance, security
    from mopse.evaluate._experiment import Experiment
    from mopse.evaluate._suite import EXPERIMENTS, experiments_of, run

__all__ = [
    "EXPERIMENTS",
    "Block",
    "Experiment",
    "Watch",
    "experiments_of",
    "growth",
    "machine",
    "medians",
    "operations",
    "performance",
    "record",
    "run",
    "seconds",
    "security",
    "tree",
]

# Who measures something of their own needs no experiment.
_LATER = {
    "EXPERIMENTS": "_suite",
    "Experiment": "_experiment",
    "experiments_of": "_suite",
    "run": "_suite",
}


def __getattr__(name: str) -> Any:
    """Import an experiment's room, or the list of all, when it is first asked for."""
    if name in ("performance", "security"):
        return import_module(f"{__name__}.{name}")
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
