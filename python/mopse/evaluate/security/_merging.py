"""Merges of more and more providers (M3)."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from mopse import _scheme_names as schemes
from mopse import plot
from mopse._checked import measured
from mopse._checks import wholes
from mopse._formulas import expected_rank_recovery
from mopse.attacks import Deployment, Domain, linkage
from mopse.errors import InvalidInputError
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import fields
from mopse.evaluate.security._applied import ATTACKS
from mopse.evaluate.security._curves import SHARE, WHOLE, curves, expected_curve, guessing_curve
from mopse.evaluate.security._scoring import scored
from mopse.evaluate.security._setting import HELD_OUT, halves
from mopse.evaluate.security._sweep import sweep

__all__ = ["EXPERIMENT", "amplification", "draw_amplification"]


@measured()
def amplification(
    seeds: Sequence[int] = range(30),
    field: str = "age",
    *,
    merged: Sequence[int] = (1, 2, 4, 8, 16, 32),
    each: int = 100,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Attack merges of more and more providers (M3).

    Parameters
    ----------
    seeds : sequence of int
        One deal each.
    merged : sequence of int
        How many providers' entries are merged.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        As `snapshots`, with ``merged``; under one key per provider nothing is merged. Metric
        ``linkage`` is the share of equal values at two providers that are seen to be equal, and
        attack ``"expected from ranks"`` the closed form for the adversary's knowledge.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there are not so many records.
    """
    wholes(seeds, "seeds", least=0)
    wholes(merged, "merged", least=1)

    def block(seed: int, merged: int) -> Iterable[pl.DataFrame]:
        schema = fields([field])
        target, aux = halves(schema, seed)
        held = target.drop_nulls(field)
        if merged * each > held.height:
            raise InvalidInputError(f"{merged} providers of {each} are above {held.height} records")
        tables = {f"p{i}": held[i * each : (i + 1) * each] for i in range(merged)}
        for scheme, attack in (
            (schemes.DETERMINISTIC, "posterior"),
            (schemes.MOPSE, "rank"),
            (schemes.PER_PROVIDER, "rank"),
        ):
            deployment = Deployment(scheme, tables, schema, seed=seed)
            view = deployment.view("snapshot")
            guess = ATTACKS[attack](view, field, aux)
            labels = {"attack": attack, "view": str(view.adversary), "aux": HELD_OUT}
            yield scored(deployment, guess, field, aux, **labels)
            if merged > 1:
                classes = np.full(deployment.records, -1, np.int64)
                first = 0
                for index in view.indexes_of(field):
                    of_entry, counts = index.classes()
                    classes[index.records] = first + of_entry
                    first += len(counts)
                found = linkage(deployment.truth[field], classes, deployment.senders)
                yield pl.DataFrame([{
                    "scheme": scheme, "attack": "equal ciphertexts", "metric": "linkage",
                    "value": found, "field": field, "records": deployment.records, "provider": 0,
                }])  # fmt: skip
        pi = aux.distribution(field, Domain(schema[field].plaintexts))
        expected = expected_rank_recovery(pi, merged * each)
        yield pl.DataFrame([{
            "attack": "expected from ranks", "metric": "exact", "value": expected, "field": field,
            "records": merged * each, "provider": 0,
        }])  # fmt: skip

    keys = [{"seed": seed, "merged": count} for seed in seeds for count in merged]
    return sweep(keys, block, path, progress)


@measured()
def draw_amplification(table: pl.DataFrame) -> plot.Figure:
    """Return recovery against how many providers are merged (F8).

    From a table of `amplification`. One curve per scheme, the closed form for ranks, and guessing.
    """
    exact = table.filter(pl.col("metric") == "exact")
    figure = plot.Figure(
        x="providers merged",
        y=f"{SHARE}, exact",
        x_scale="log2",
        y_range=WHOLE,
        title="Merging gives the thief of a snapshot more records to compare",
    )
    measured = exact.filter(pl.col("scheme").is_not_null())
    curves(figure, measured, "merged", "scheme", clusters=["seed", "provider"])
    closed = exact.filter(pl.col("attack") == "expected from ranks")
    expected_curve(figure, closed, "merged", "expected from ranks")
    return guessing_curve(figure, measured, "merged")


EXPERIMENT = Experiment(
    "security_merging",
    "security",
    amplification,
    draw_amplification,
    fast={"seeds": range(2), "merged": (1, 4)},
)
