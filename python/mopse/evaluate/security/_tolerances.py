"""How near the guesses are (L6)."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from mopse import _scheme_names as schemes
from mopse import plot
from mopse._checked import measured
from mopse._checks import whole, wholes
from mopse.attacks import Deployment, blind, ordered_posterior, rank
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import fields
from mopse.evaluate.security._applied import APPLY
from mopse.evaluate.security._curves import SHARE, WHOLE, by_scheme
from mopse.evaluate.security._setting import dealt, halves
from mopse.evaluate.security._sweep import sweep

__all__ = ["EXPERIMENT", "draw_tolerances", "tolerance_curves"]


@measured()
def tolerance_curves(
    seeds: Sequence[int] = range(30),
    names: Sequence[str] = ("age", "systolic_1"),
    *,
    most: int = 20,
    providers: int = 8,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Attack snapshots and count guesses that are near (L6).

    Parameters
    ----------
    seeds : sequence of int
        One deployment and one split of the survey each.
    most : int
        The largest tolerance, in steps.
    providers : int
        Among whom one half is dealt.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        ``scheme``, ``field``, ``seed``, ``tolerance``, ``value`` and ``baseline``: the share of
        records within the tolerance of the best guess for it, by the posterior or by ranks.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such column.
    """
    wholes(seeds, "seeds", least=0)
    whole(most, "most", least=0)

    def block(seed: int, field: str) -> Iterable[pl.DataFrame]:
        schema = fields([field])
        target, aux = halves(schema, seed)
        tables = dealt(target, providers, seed)
        for scheme in APPLY:
            deployment = Deployment(scheme, tables, schema, seed=seed)
            view, truth = deployment.view("snapshot"), deployment.truth[field]
            is_held = truth >= 0
            steps = range(most + 1)
            if scheme == schemes.DETERMINISTIC:
                posterior = ordered_posterior(view, field, aux)
                guesses = [posterior.guess(t).values for t in steps]
            else:
                guesses = [rank(view, field, aux, tolerance=t).values for t in steps]
            domain = deployment.domains[field]
            blind_at = blind(domain, aux, field, steps, truth[is_held])
            yield pl.DataFrame(
                {
                    "scheme": scheme,
                    "tolerance": list(steps),
                    "value": [
                        float((np.abs(values - truth)[is_held] <= t).mean())
                        for t, values in zip(steps, guesses, strict=True)
                    ],
                    "baseline": [blind_at[f"within {t}"] for t in steps],
                }
            )

    keys = [{"seed": seed, "field": field} for seed in seeds for field in names]
    return sweep(keys, block, path, progress)


@measured()
def draw_tolerances(table: pl.DataFrame) -> plot.Figure:
    """Return how many records are recovered within a tolerance (F2).

    From a table of `tolerance_curves`. One panel per column, one curve per scheme, and guessing.
    """
    panels = []
    for (field,), part in table.group_by("field", maintain_order=True):
        figure = plot.Figure(x="tolerance, steps", y=SHARE, y_range=WHOLE, title=str(field))
        for scheme, own in by_scheme(part):
            curve = own.group_by("tolerance").agg(pl.col("value").mean()).sort("tolerance")
            figure.line(curve["tolerance"], curve["value"], name=scheme)
        blind = part.group_by("tolerance").agg(pl.col("baseline").mean()).sort("tolerance")
        figure.line(blind["tolerance"], blind["baseline"], name="guessing", role="control")
        panels.append(figure)
    return plot.grid(panels, title="A near miss does harm too", width=1100, height=440)


EXPERIMENT = Experiment(
    "security_tolerances",
    "security",
    tolerance_curves,
    draw_tolerances,
    fast={"seeds": range(2), "names": ("age",), "most": 5},
)
