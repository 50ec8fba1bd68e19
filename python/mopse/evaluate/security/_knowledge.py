"""Knowledge that is wrong, or scarce (F4)."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from mopse import _scheme_names as schemes
from mopse import plot
from mopse._checked import measured
from mopse._checks import wholes
from mopse.attacks import Auxiliary, Deployment
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import fields, people_with
from mopse.evaluate.security._applied import ATTACKS, applies
from mopse.evaluate.security._curves import SHARE, WHOLE, curves, guessing_curve
from mopse.evaluate.security._scoring import scored
from mopse.evaluate.security._setting import dealt, halves
from mopse.evaluate.security._sweep import sweep

__all__ = ["EXPERIMENT", "draw_knowledge", "knowledge"]


@measured()
def knowledge(
    seeds: Sequence[int] = range(30),
    names: Sequence[str] = ("age", "bmi"),
    *,
    distances: Sequence[float] = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5),
    sizes: Sequence[int] = (50, 200, 1000, 4000),
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Attack with knowledge that is deliberately wrong, or scarce.

    Parameters
    ----------
    seeds : sequence of int
        One split of the survey each.
    distances : sequence of float
        Total-variation distances by which the held-out half is made wrong.
    sizes : sequence of int
        How many records of the held-out half are known.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        As `snapshots`, with ``distance`` or ``known``, and the total-variation distance of what is
        known to the target's own histogram in ``to_target``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If a distance cannot be reached.
    """
    wholes(seeds, "seeds", least=0)
    wholes(sizes, "sizes", least=1)

    def block(seed: int) -> Iterable[pl.DataFrame]:
        for field in names:
            schema = fields([field])
            target, aux = halves(schema, seed)
            people = people_with([*schema])
            others = people.join(target, on="record_id", how="anti").drop_nulls(field)
            others = others.sample(fraction=1, shuffle=True, seed=seed)
            known: list[tuple[dict[str, float | None], Auxiliary]] = [
                ({"distance": distance, "known": None}, aux.wrong(distance, seed=seed))
                for distance in distances
            ]
            known += [
                ({"distance": None, "known": float(size)},
                 Auxiliary.from_table(others.head(size), schema))
                for size in sizes
            ]  # fmt: skip
            tables = dealt(target, 8, seed)
            for scheme, attacks in (
                (schemes.DETERMINISTIC, ("posterior", "cumulative", "non-crossing")),
                (schemes.MOPSE, ("rank",)),
            ):
                deployment = Deployment(scheme, tables, schema, seed=seed)
                view = deployment.view("snapshot")
                domain = deployment.domains[field]
                truth = deployment.truth[field]
                own = np.bincount(truth[truth >= 0], minlength=domain.plaintexts)
                for about, auxiliary in known:
                    pi = auxiliary.distribution(field, domain)
                    far = float(np.abs(pi - own / own.sum()).sum() / 2)
                    for attack in attacks:
                        if not applies(attack, domain):
                            continue
                        labels = {"attack": attack, "view": str(view.adversary), **about}
                        guess = ATTACKS[attack](view, field, auxiliary)
                        frame = scored(deployment, guess, field, auxiliary, **labels)
                        casts = [pl.col(name).cast(pl.Float64) for name in about]
                        yield frame.with_columns(*casts, to_target=pl.lit(far))

    return sweep([{"seed": seed} for seed in seeds], block, path, progress)


@measured()
def draw_knowledge(table: pl.DataFrame, field: str) -> plot.Figure:
    """Return recovery against how wrong, and how scarce, the adversary's knowledge is (F4).

    From a table of `knowledge`. Two panels: distance to the truth, and records known.
    """
    exact = table.filter((pl.col("metric") == "exact") & (pl.col("field") == field))
    wrong = exact.filter(pl.col("distance").is_not_null())
    scarce = exact.filter(pl.col("known").is_not_null())
    panels = []
    for part, x, label, scale in (
        (wrong, "distance", "total-variation distance added to the held-out half", "linear"),
        (scarce, "known", "records known beforehand", "log10"),
    ):
        figure = plot.Figure(
            x=label,
            y=f"{SHARE}, exact",
            x_scale="log10" if scale == "log10" else "linear",
            y_range=WHOLE,
        )
        curves(figure, part, x, "attack", clusters=["seed", "provider"])
        panels.append(guessing_curve(figure, part, x))
    return plot.grid(panels, title=f"Wrong or scarce knowledge: {field}", width=1100, height=440)


EXPERIMENT = Experiment(
    "security_knowledge",
    "security",
    knowledge,
    lambda table: draw_knowledge(table, "age"),
    fast={"seeds": range(2), "names": ("age",), "distances": (0.0, 0.2), "sizes": (50, 1000)},
)
