"""Attacks on snapshots of every scheme, field by field (S1 to S8)."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from mopse import _scheme_names as schemes
from mopse import plot
from mopse._checked import measured
from mopse._checks import wholes
from mopse.attacks import Deployment, summary
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import fields
from mopse.evaluate.security._applied import APPLY, ATTACKS, applies
from mopse.evaluate.security._curves import SHARE, WHOLE, by_scheme
from mopse.evaluate.security._scoring import scored
from mopse.evaluate.security._setting import FIELDS, HELD_OUT, SHUFFLED, dealt, halves
from mopse.evaluate.security._sweep import sweep

__all__ = ["EXPERIMENT", "draw_calibration", "draw_snapshots", "snapshots"]


@measured()
def snapshots(
    seeds: Sequence[int] = range(30),
    names: Sequence[str] | None = None,
    *,
    providers: int = 8,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Attack snapshots of every scheme, field by field (S1 to S8).

    Parameters
    ----------
    seeds : sequence of int
        One deployment and one split of the survey each.
    names : sequence of str, optional
        Columns of the survey; all by default.
    providers : int
        Among whom one half is dealt; the other half is what the adversary knows.
    path, progress
        Where rows are kept, so that an interrupted sweep goes on; whether to show a bar.

    Returns
    -------
    polars.DataFrame
        Rows of `score` with ``scheme``, ``field``, ``attack``, ``view``, ``aux``, ``seed``, ``M``.
        ``"random order"`` is the control: the same attack on entries that were dealt to records at
        random.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such column, or the file holds another run.

    Notes
    -----
    Assignments cost the cube of the domain; fields of more than 512 values go without them.
    """
    wholes(seeds, "seeds", least=0)
    schema = fields(names)

    def block(seed: int, field: str) -> Iterable[pl.DataFrame]:
        one = fields([field])
        target, aux = halves(one, seed)
        tables = dealt(target, providers, seed)
        for scheme, applied in APPLY.items():
            deployment = Deployment(scheme, tables, one, seed=seed)
            view = deployment.view("snapshot")
            for attack in applied:
                if not applies(attack, deployment.domains[field]):
                    continue
                guess = ATTACKS[attack](view, field, aux)
                labels = {"attack": attack, "view": str(view.adversary), "aux": HELD_OUT}
                yield scored(deployment, guess, field, aux, **labels)
            control = "posterior" if scheme == schemes.DETERMINISTIC else "rank"
            guess = ATTACKS[control](view.shuffled(seed), field, aux)
            labels = {"attack": control, "view": SHUFFLED, "aux": HELD_OUT}
            yield scored(deployment, guess, field, aux, **labels)

    keys = [{"seed": seed, "field": field} for seed in seeds for field in schema]
    return sweep(keys, block, path, progress)


@measured()
def draw_snapshots(table: pl.DataFrame, metric: str = "exact") -> plot.Figure:
    """Return what the best attack on each scheme recovers, column by column (table T4).

    From a table of `snapshots`. One series per scheme and the baseline of guessing; fields from few
    values to many.

    Parameters
    ----------
    metric : str
        A share, as in `score`.
    """
    chosen = table.filter(pl.col("metric") == metric)
    names = chosen.group_by("field").agg(pl.col("M").first()).sort("M", "field")["field"].to_list()
    figure = plot.Figure(
        x="",
        y=f"{SHARE}, {metric}",
        y_range=WHOLE,
        x_categories=names,
        title=f"Best attack on a snapshot: {metric}",
        width=1100,
        height=480,
    )
    place = {name: at for at, name in enumerate(names)}
    seen = chosen.filter(pl.col("view") == "snapshot")
    told = summary(seen, ["scheme", "field", "attack", "metric"])
    best = told.sort("value", descending=True).group_by("scheme", "field").first()
    for number, (scheme, applied) in enumerate(by_scheme(best)):
        at = np.array([place[f] for f in applied["field"]]) + (number - 2) * 0.12
        figure.dots(at, applied["value"], name=scheme)
        figure.intervals(at, applied["low"], applied["high"], name=scheme)
    blind = told.group_by("field").agg(pl.col("baseline").first())
    at = np.array([place[f] for f in blind["field"]])
    return figure.dots(at, blind["baseline"], name="guessing", role="control")


@measured()
def draw_calibration(
    table: pl.DataFrame, attack: str = "posterior", *, shown: Sequence[str] = FIELDS
) -> plot.Figure:
    """Return claimed confidence against recovery, and who is exposed with certainty (F11).

    From a table of `snapshots`. Left: per seed the mean confidence and what is right. Right: share
    of records claimed with certainty, and how many of them are right, per column.

    Parameters
    ----------
    attack : str
        One that claims a confidence.
    shown : sequence of str
        Columns of the left panel.
    """
    own = table.filter((pl.col("attack") == attack) & (pl.col("view") == "snapshot"))
    wide = own.pivot(
        "metric", index=["scheme", "field", "seed", "provider"], values="value"
    ).drop_nulls(["confidence", "exact"])
    left = plot.Figure(
        x="confidence claimed, mean of a run",
        y="share right",
        x_range=(0, 1),
        y_range=WHOLE,
        title="reliability",
    )
    chosen = wide.filter(pl.col("field").is_in(shown))
    means = chosen.group_by("field", "seed", maintain_order=True).agg(
        pl.col("confidence").mean(), pl.col("exact").mean()
    )
    for (field,), part in means.group_by("field", maintain_order=True):
        left.dots(part["confidence"], part["exact"], name=str(field))
    left.line([0, 1], [0, 1], name="calibrated", role="expected")
    names = own.group_by("field").agg(pl.col("M").first()).sort("M", "field")["field"].to_list()
    right = plot.Figure(
        x="", y=SHARE, y_range=WHOLE, x_categories=names, title="claimed with at least 95 %"
    )
    told = summary(
        own.filter(pl.col("metric").is_in(["certain", "right if certain"])), ["field", "metric"]
    )
    for (metric,), part in told.group_by("metric", maintain_order=True):
        at = np.array([names.index(field) for field in part["field"]])
        right.dots(at, part["value"], name=str(metric))
        right.intervals(at, part["low"], part["high"], name=str(metric))
    title = f"Who is exposed with certainty: {attack}"
    return plot.grid([left, right], title=title, width=1100, height=520)


EXPERIMENT = Experiment(
    "security_snapshots",
    "security",
    snapshots,
    draw_snapshots,
    fast={"seeds": range(2), "names": ("sex", "age", "systolic_1")},
)
