"""Measuring what the scheme costs (`performance`) and what it gives away (`security`)."""

from mopse.evaluate import performance, security
from mopse.evaluate._measure import (
    Block,
    Watch,
    growth,
    machine,
    medians,
    operations,
    record,
)
from mopse.evaluate._suite import EXPERIMENTS, Experiment, run
from mopse.evaluate.performance import tree

__all__ = [
    "EXPERIMENTS",
    "Block",
    "Experiment",
    "Watch",
    "growth",
    "machine",
    "medians",
    "operations",
    "performance",
    "record",
    "run",
    "security",
    "tree",
]
