"""How many records an attack needs (F3)."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from mopse import _scheme_names as schemes
from mopse import plot
from mopse._checked import measured
from mopse._checks import wholes
from mopse._formulas import expected_density, expected_rank_recovery
from mopse.attacks import Deployment, Domain
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import fields
from mopse.evaluate.security._applied import ATTACKS
from mopse.evaluate.security._curves import SHARE, WHOLE, curves, expected_curve, guessing_curve
from mopse.evaluate.security._scoring import scored
from mopse.evaluate.security._setting import HELD_OUT, halves
from mopse.evaluate.security._sweep import sweep

__all__ = ["EXPERIMENT", "draw_records_needed", "records_needed"]


@measured()
def records_needed(
    seeds: Sequence[int] = range(30),
    names: Sequence[str] = ("age", "systolic_1"),
    *,
    records: Sequence[int] = (50, 100, 200, 500, 1000, 2000, 4000),
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Attack snapshots of more and more records, beside the closed forms.

    Parameters
    ----------
    seeds : sequence of int
        One sample each.
    records : sequence of int
        How many records one half of the survey gives.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        As `snapshots`, with ``n``. Attack ``"expected density"`` and ``"expected from ranks"`` are
        the closed forms for what the adversary knows; density is also measured.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are not so many records.
    """
    wholes(seeds, "seeds", least=0)
    wholes(records, "records", least=1)

    def block(seed: int, n: int) -> Iterable[pl.DataFrame]:
        for field in names:
            schema = fields([field])
            target, aux = halves(schema, seed)
            held = target.drop_nulls(field)
            if n > held.height:
                continue
            domain = Domain(schema[field].plaintexts)
            pi = aux.distribution(field, domain)
            few = {"provider": held.head(n)}
            for scheme, attacks in (
                (schemes.DETERMINISTIC, ("sorting", "posterior")),
                (schemes.MOPSE, ("rank",)),
            ):
                deployment = Deployment(scheme, few, schema, seed=seed)
                view = deployment.view("snapshot")
                for attack in attacks:
                    labels = {"attack": attack, "view": str(view.adversary), "aux": HELD_OUT}
                    guess = ATTACKS[attack](view, field, aux)
                    yield scored(deployment, guess, field, aux, **labels)
                if scheme == schemes.DETERMINISTIC:
                    density = len(np.unique(view.index(field).ciphertexts)) / domain.cells
            closed = {
                ("density", "exact"): density,
                ("expected density", "exact"): expected_density(pi, n),
                ("expected from ranks", "exact"): expected_rank_recovery(pi, n),
            }
            yield pl.DataFrame(
                [
                    {
                        "field": field, "attack": attack, "metric": metric, "value": value,
                        "records": n, "provider": 0, "M": domain.plaintexts,
                    }
                    for (attack, metric), value in closed.items()
                ]
            )  # fmt: skip

    keys = [{"seed": seed, "n": n} for seed in seeds for n in records]
    return sweep(keys, block, path, progress)


@measured()
def draw_records_needed(table: pl.DataFrame) -> plot.Figure:
    """Return recovery against the number of records, with the closed forms (F3).

    From a table of `records_needed`. One panel per column.
    """
    panels = []
    exact = table.filter(pl.col("metric") == "exact")
    for (field,), part in exact.group_by("field", maintain_order=True):
        figure = plot.Figure(x="records", y=SHARE, x_scale="log10", y_range=WHOLE, title=str(field))
        measured = part.filter(pl.col("attack").is_in(["sorting", "posterior", "rank", "density"]))
        curves(figure, measured, "n", "attack", clusters=["seed"])
        for name in ("expected density", "expected from ranks"):
            expected_curve(figure, part.filter(pl.col("attack") == name), "n", name)
        guessing_curve(figure, part.filter(pl.col("attack") == "rank"), "n")
        panels.append(figure)
    return plot.grid(panels, title="How many records an attack needs", width=1100, height=460)


EXPERIMENT = Experiment(
    "security_records",
    "security",
    records_needed,
    draw_records_needed,
    fast={"seeds": range(2), "names": ("age",), "records": (50, 500)},
)
