"""Full cells, or marks: what an insider finds against what repetition shows."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from mopse import _scheme_names as schemes
from mopse import datasets, plot
from mopse._checked import measured
from mopse._checks import wholes
from mopse.attacks import Deployment, class_recovery, locate_between_marks, score, widest_gaps
from mopse.errors import InvalidInputError
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import fields
from mopse.evaluate.security._curves import SHARE, WHOLE, curves
from mopse.evaluate.security._scoring import literals
from mopse.evaluate.security._setting import halves
from mopse.evaluate.security._sweep import sweep

__all__ = ["EXPERIMENT", "draw_layouts", "layouts"]


@measured()
def layouts(
    seeds: Sequence[int] = range(10),
    field: str = "age",
    *,
    colluders: Sequence[int] = (1, 2, 4),
    records: Sequence[int] = (500, 2000, 4000),
    providers: int = 5,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Trade what an insider finds against what repetition shows: full cells or marks.

    Parameters
    ----------
    seeds : sequence of int
        One deployment each.
    colluders : sequence of int
        How many corrupt providers put their marks together.
    records : sequence of int
        How many records of one half of the survey.
    providers : int
        Among whom they are dealt.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        Rows of `score` for records of honest providers with ``scheme``, ``n`` and ``colluders``;
        and for a mere copy of the store, whose senders are known, metric ``equal values``:
        the share of a provider's records in a class of equal values that is recovered exactly by
        cutting its entries at their widest gaps.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are not so many records or providers.
    """
    wholes(seeds, "seeds", least=0)
    if max(wholes(colluders, "colluders", least=1)) >= providers:
        raise InvalidInputError("there must be an honest provider")

    def block(seed: int, n: int) -> Iterable[pl.DataFrame]:
        schema = fields([field])
        target, aux = halves(schema, seed)
        tables = datasets.providers(target.drop_nulls(field).head(n), providers, seed=seed)
        for scheme in (schemes.MOPSE, schemes.MARKS):
            deployment = Deployment(scheme, tables, schema, seed=seed)
            yield from _bunched(deployment, field, len(tables))
            for count in colluders:
                views = [
                    deployment.view("provider+snapshot", provider=corrupt)
                    for corrupt in deployment.providers[:count]
                ]
                guess = locate_between_marks(views, field)
                honest = deployment.senders >= count
                truth = np.where(honest, deployment.truth[field], -1)
                table = score(
                    guess, truth, deployment.domains[field], deployment.senders, aux=aux,
                    field=field,
                )  # fmt: skip
                case = literals(scheme=scheme, field=field, attack="marks", colluders=count)
                yield table.with_columns(**case)

    def _bunched(deployment: Deployment, field: str, senders: int) -> Iterable[pl.DataFrame]:
        for sender in range(senders):
            index = deployment.view("snapshot").alone(sender).index(field)
            values = deployment.truth[field][index.records]
            classes = widest_gaps(index.ciphertexts, len(np.unique(values)))
            yield pl.DataFrame([{
                "scheme": deployment.scheme, "field": field, "attack": "widest gaps",
                "colluders": 0, "metric": "equal values", "provider": sender,
                "records": len(values), "value": class_recovery(values, classes), "baseline": None,
            }], schema_overrides={"baseline": pl.Float64})  # fmt: skip

    keys = [{"seed": seed, "n": n} for seed in seeds for n in records]
    return sweep(keys, block, path, progress)


@measured()
def draw_layouts(table: pl.DataFrame) -> plot.Figure:
    """Return the trade between an insider and frequency hiding, full cells against marks.

    From a table of `layouts`. What colluders find, and what a snapshot alone finds, per layout.
    """
    exact = table.filter(pl.col("metric") == "exact")
    seen = table.filter(pl.col("metric") == "equal values")
    thief = plot.Figure(
        x="records of all providers",
        y=f"{SHARE} in a recovered class",
        x_scale="log10",
        y_range=WHOLE,
        title="a copy of the store: which entries are equal",
    )
    curves(thief, seen, "n", "scheme", clusters=["seed", "provider"])
    inside = plot.Figure(
        x="colluding providers", y=f"{SHARE}, exact", y_range=WHOLE, title="insiders: the value"
    )
    most = exact["n"].max()
    corrupt = exact.filter((pl.col("colluders") > 0) & (pl.col("n") == most))
    curves(inside, corrupt, "colluders", "scheme", clusters=["seed"])
    inside.line([1, 2, 4], [0.912, 0.963, 0.986], name="expected, marks", role="expected")
    title = "Marks lower what an insider finds, and show repetition to everyone"
    return plot.grid([thief, inside], title=title, width=1100, height=440)


EXPERIMENT = Experiment(
    "security_layouts",
    "security",
    layouts,
    draw_layouts,
    fast={"seeds": range(2), "records": (500,)},
)
