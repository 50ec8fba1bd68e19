"""Two columns of the same records (S9)."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse import _scheme_names as schemes
from mopse import plot
from mopse._checked import measured
from mopse._checks import whole, wholes
from mopse.attacks import Deployment, correlated, ordered_posterior, summary
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import fields
from mopse.evaluate.security._curves import SHARE
from mopse.evaluate.security._scoring import scored
from mopse.evaluate.security._setting import halves
from mopse.evaluate.security._sweep import sweep

__all__ = ["EXPERIMENT", "correlations", "draw_correlations"]


@measured()
def correlations(
    seeds: Sequence[int] = range(30),
    pairs: Sequence[tuple[str, str]] = (
        ("systolic_1", "systolic_2"),
        ("systolic_1", "diastolic_1"),
        ("age", "systolic_1"),
        ("sex", "age"),
    ),
    *,
    records: int = 200,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Attack two columns of the same records alone and together (S9).

    Parameters
    ----------
    seeds : sequence of int
        One split of the survey each.
    pairs : sequence of (str, str)
        Columns of the survey; the first is guessed.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        As `snapshots`, with ``beside`` for the other column; attacks are ``"alone"`` and
        ``"together"``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such column.
    """
    wholes(seeds, "seeds", least=0)
    whole(records, "records", least=2)

    def block(seed: int) -> Iterable[pl.DataFrame]:
        for left, right in pairs:
            schema = fields([left, right])
            target, aux = halves(schema, seed, [(left, right)])
            table = target.head(records)
            deployment = Deployment(schemes.DETERMINISTIC, {"a": table}, schema, seed=seed)
            view = deployment.view("snapshot")
            guesses = {
                "alone": ordered_posterior(view, left, aux),
                "together": correlated(view, left, right, aux),
            }
            for attack, guess in guesses.items():
                labels = {"attack": attack, "view": str(view.adversary), "beside": right}
                yield scored(deployment, guess, left, aux, **labels)

    return sweep([{"seed": seed} for seed in seeds], block, path, progress)


@measured()
def draw_correlations(table: pl.DataFrame) -> plot.Figure:
    """Return what a second column of the same records adds (F12).

    From a table of `correlations`. Recovery of the first column alone, together, and by guessing.
    """
    exact = table.filter(pl.col("metric") == "exact").with_columns(
        pair=pl.col("field") + " beside " + pl.col("beside")
    )
    names = exact["pair"].unique(maintain_order=True).to_list()
    figure = plot.Figure(
        x="",
        y=f"{SHARE}, exact",
        y_range=(0, None),
        x_categories=names,
        title="Do columns of one record help each other?",
        width=900,
    )
    told = summary(exact, ["pair", "attack", "metric"], clusters=["seed"])
    for shift, ((attack,), part) in zip(
        (-0.1, 0.1), told.group_by("attack", maintain_order=True), strict=True
    ):
        at: NDArray[np.float64] = np.array([names.index(p) for p in part["pair"]]) + shift
        figure.dots(at, part["value"], name=str(attack))
        figure.intervals(at, part["low"], part["high"], name=str(attack))
    blind = told.group_by("pair", maintain_order=True).agg(pl.col("baseline").first())
    at = np.array([names.index(p) for p in blind["pair"]], np.float64)
    return figure.dots(at, blind["baseline"], name="guessing", role="control")


EXPERIMENT = Experiment(
    "security_correlations",
    "security",
    correlations,
    draw_correlations,
    fast={"seeds": range(2), "pairs": (("systolic_1", "systolic_2"),)},
)
