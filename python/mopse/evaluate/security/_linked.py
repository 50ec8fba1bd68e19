"""Queries that link two groups (M4)."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from mopse import _scheme_names as schemes
from mopse import datasets, plot
from mopse._checked import measured
from mopse._checks import wholes
from mopse._formulas import exposed_fraction
from mopse.attacks import Deployment, labelled, score, simulate_queries
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import fields
from mopse.evaluate.security._curves import SHARE, WHOLE, curves, guessing_curve
from mopse.evaluate.security._scoring import literals, tolerated
from mopse.evaluate.security._setting import halves, steps_of
from mopse.evaluate.security._sweep import sweep

__all__ = ["EXPERIMENT", "draw_linked", "linked_queries"]


@measured()
def linked_queries(
    seeds: Sequence[int] = range(30),
    field: str = "age",
    *,
    queries: Sequence[int] = (0, 5, 10, 20, 50, 100, 200, 400),
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Read the queries of one's own group, and label the cuts of another (M4).

    Parameters
    ----------
    seeds : sequence of int
        One deployment each.
    queries : sequence of int
        How many uniform ranges the owner has asked.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        Rows of `score` for the other group's records, with ``queries``. Scheme MOPSE+.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such column.
    """
    wholes(seeds, "seeds", least=0)
    wholes(queries, "queries", least=0)
    steps = steps_of(field)

    def block(seed: int) -> Iterable[pl.DataFrame]:
        schema = fields([field])
        target, aux = halves(schema, seed)
        parts = list(datasets.providers(target.drop_nulls(field), 3, seed=seed).values())
        tables = dict(zip(["a", "a/b", "c"], parts, strict=True))
        deployment = Deployment(schemes.PLUS, tables, schema, seed=seed)
        domain = deployment.domains[field]
        low, high = simulate_queries(domain.plaintexts, max(queries), seed=seed)
        beside = deployment.senders == deployment.providers.index("a/b")
        truth = np.where(beside, deployment.truth[field], -1)
        asked = 0
        for count in sorted(queries):
            for a, b in zip(low[asked:count], high[asked:count], strict=True):
                deployment.ask({field: (int(a), int(b))})
            asked = count
            guess = labelled(deployment.view("provider+cloud", provider="c"), field, aux)
            table = score(
                guess, truth, domain, deployment.senders, aux=aux, field=field, tolerances=[steps]
            )
            case = literals(scheme=schemes.PLUS, field=field, queries=count)
            yield table.with_columns(tolerated(steps), **case)

    return sweep([{"seed": seed} for seed in seeds], block, path, progress)


@measured()
def draw_linked(table: pl.DataFrame, plaintexts: int) -> plot.Figure:
    """Return how a group without a corrupt provider falls to linked queries (M4).

    From a table of `linked_queries`. Exact recovery and the share of labelled cuts in closed form.

    Parameters
    ----------
    plaintexts : int
        How many values there are.
    """
    figure = plot.Figure(
        x="queries to both groups",
        y=f"{SHARE} of the other group",
        y_range=WHOLE,
        title="Linked queries: isolation of groups decays",
    )
    chosen = table.filter(pl.col("metric").is_in(["exact", "within tolerance", "certain"]))
    curves(figure, chosen, "queries", "metric", clusters=["seed", "provider"])
    at = range(max(table["queries"]) + 1)
    cuts = [exposed_fraction(plaintexts, query) for query in at]
    figure.line(at, cuts, name="cuts labelled, expected", role="expected")
    return guessing_curve(figure, chosen.filter(pl.col("metric") == "exact"), "queries")


EXPERIMENT = Experiment(
    "security_linked",
    "security",
    linked_queries,
    lambda table: draw_linked(table, 81),
    fast={"seeds": range(2), "queries": (0, 20)},
)
