"""Cuts that queries show (Q1)."""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import polars as pl

from mopse import plot
from mopse._checked import measured
from mopse._checks import wholes
from mopse._formulas import exposed_fraction
from mopse.attacks import exposure, simulate_queries
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH
from mopse.evaluate.security._curves import WHOLE
from mopse.evaluate.security._sweep import sweep

__all__ = ["EXPERIMENT", "boundaries_by_queries", "draw_boundaries"]


@measured()
def boundaries_by_queries(
    seeds: Sequence[int] = range(30),
    *,
    plaintexts: int = 81,
    queries: int = 2000,
    laws: Sequence[Literal["uniform", "zipf", "clinician"]] = ("uniform", "zipf", "clinician"),
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Count the cuts that queries have shown, query by query (Q1).

    Parameters
    ----------
    seeds : sequence of int
        One sequence of queries each.
    plaintexts : int
        How many values there are.
    laws : sequence of str
        How ranges are drawn; see `simulate_queries`.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        ``law``, ``seed``, ``queries`` and the share of cuts shown as ``value``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such law.
    """
    wholes(seeds, "seeds", least=0)
    at = np.unique(np.round(np.geomspace(1, queries, 40)).astype(np.int64))

    def block(seed: int, law: Literal["uniform", "zipf", "clinician"]) -> Iterable[pl.DataFrame]:
        low, high = simulate_queries(plaintexts, queries, seed=seed, law=law)
        shares = exposure(low, high, plaintexts)
        yield pl.DataFrame({"queries": at, "value": shares[at - 1]})

    keys = [{"seed": seed, "law": law} for seed in seeds for law in laws]
    return sweep(keys, block, path, progress)


@measured()
def draw_boundaries(table: pl.DataFrame, plaintexts: int) -> plot.Figure:
    """Return the share of cuts that queries have shown (F7).

    From a table of `boundaries_by_queries`. Means and quartiles over seeds, one curve per law, the
    closed form for uniform ranges.

    Parameters
    ----------
    plaintexts : int
        How many values there are.
    """
    figure = plot.Figure(
        x="queries",
        y="share of cuts shown",
        x_scale="log10",
        y_range=WHOLE,
        title=f"Queries strip frequency hiding: {plaintexts} values",
    )
    for (law,), part in table.group_by("law", maintain_order=True):
        curve = (
            part.group_by("queries")
            .agg(
                pl.col("value").mean(),
                pl.col("value").quantile(0.25, "linear").alias("low"),
                pl.col("value").quantile(0.75, "linear").alias("high"),
            )
            .sort("queries")
        )
        figure.band(curve["queries"], curve["low"], curve["high"], name=str(law))
        figure.line(curve["queries"], curve["value"], name=str(law))
    at = table["queries"].unique().sort().to_list()
    expected = [exposed_fraction(plaintexts, query) for query in at]
    return figure.line(at, expected, name="expected, uniform", role="expected")


EXPERIMENT = Experiment(
    "security_queries",
    "security",
    boundaries_by_queries,
    lambda table: draw_boundaries(table, 81),
    fast={"seeds": range(2), "queries": 300},
)
