"""What falls with one corrupt provider (M1, table T1)."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from mopse import _scheme_names as schemes
from mopse import plot
from mopse._checked import measured
from mopse._checks import wholes
from mopse.attacks import (
    Auxiliary,
    Deployment,
    Domain,
    Guess,
    labelled,
    locate,
    ordered_posterior,
    rank,
    score,
    simulate_queries,
    summary,
)
from mopse.evaluate._experiment import Experiment
from mopse.evaluate._resume import PATH
from mopse.evaluate._survey import fields
from mopse.evaluate.security._curves import SHARE, WHOLE, by_scheme
from mopse.evaluate.security._scoring import literals, tolerated
from mopse.evaluate.security._setting import dealt, halves, steps_of
from mopse.evaluate.security._sweep import sweep

__all__ = ["EXPERIMENT", "draw_insider", "insider"]


@measured()
def insider(
    seeds: Sequence[int] = range(30),
    field: str = "age",
    *,
    widths: Sequence[int] = (1, 2, 5, 10),
    providers: int = 8,
    queries: int = 50,
    path: PATH = None,
    progress: bool | None = None,
) -> pl.DataFrame:
    """Corrupt a provider and see what falls: of the index, and of the records (M1, table T1).

    Parameters
    ----------
    seeds : sequence of int
        One deployment each.
    widths : sequence of int
        Steps to a cell.
    providers : int
        How many share one half of the survey.
    queries : int
        Uniform ranges that the owner asks.
    path, progress
        As in `snapshots`.

    Returns
    -------
    polars.DataFrame
        Rows of `score`, for records of *other* providers only, with ``scheme``, ``view`` (the
        adversary), ``cell``, and metric ``opened``: the share of records that the adversary's keys
        open.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such column.
    """
    wholes(seeds, "seeds", least=0)
    wholes(widths, "widths", least=1)

    def block(seed: int, cell: int) -> Iterable[pl.DataFrame]:
        schema = fields([field], cell=cell)
        target, aux = halves(fields([field]), seed)
        tables = dealt(target.drop_nulls(field), providers, seed)
        domain = Domain(schema[field].plaintexts, cell)
        low, high = simulate_queries(domain.plaintexts, queries, seed=seed)
        for scheme in (
            schemes.PLAIN, schemes.DETERMINISTIC, schemes.COMMON, schemes.PER_PROVIDER,
            schemes.MOPSE, schemes.PLUS,
        ):  # fmt: skip
            deployment = Deployment(scheme, tables, schema, seed=seed)
            for a, b in zip(low, high, strict=True):
                deployment.ask({field: (int(a), int(b))})
            corrupt = deployment.providers[-1]
            others = deployment.senders != deployment.providers.index(corrupt)
            opened = deployment.opened(corrupt)
            for adversary, guess in _by_adversary(deployment, corrupt, field, aux):
                seen = Guess(np.where(others, guess.values, -1), guess.confidence)
                truth = np.where(others, deployment.truth[field], -1)
                steps = steps_of(field)
                table = score(
                    seen, truth, domain, deployment.senders, aux=aux, field=field,
                    tolerances=[steps],
                )  # fmt: skip
                case = literals(scheme=scheme, view=adversary, field=field, M=domain.plaintexts)
                yield table.with_columns(tolerated(steps), **case)
                has_key = adversary.startswith("provider") or scheme == schemes.PLAIN
                yield pl.DataFrame([{
                    "scheme": scheme, "view": adversary, "field": field, "metric": "opened",
                    "value": float(opened[others].mean()) if has_key else 0.0, "provider": 0,
                    "records": int(others.sum()),
                }])  # fmt: skip

    keys = [{"seed": seed, "cell": cell} for seed in seeds for cell in widths]
    return sweep(keys, block, path, progress)


def _by_adversary(
    deployment: Deployment, corrupt: str, field: str, aux: Auxiliary
) -> Iterable[tuple[str, Guess]]:
    """Return the best attack of the suite for each adversary."""
    scheme = deployment.scheme
    snapshot = deployment.view("snapshot")
    if scheme == schemes.PLAIN:
        values = np.full(deployment.records, -1, np.int64)
        index = snapshot.index(field)
        values[index.records] = deployment.domains[field].likeliest(
            aux.distribution(field, deployment.domains[field])
        )[index.ciphertexts]
        stolen = Guess(values, np.ones(deployment.records))
    elif scheme == schemes.DETERMINISTIC:
        stolen = ordered_posterior(snapshot, field, aux).guess()
    else:
        stolen = rank(snapshot, field, aux)
    yield "snapshot", stolen
    yield "provider", locate(deployment.view("provider", provider=corrupt), field, aux)
    breach = locate(deployment.view("provider+snapshot", provider=corrupt), field, aux)
    yield "provider+snapshot", _first(breach, stolen)
    inside = deployment.view("provider+cloud", provider=corrupt)
    yield "provider+cloud", _first(breach, _surer(labelled(inside, field, aux), stolen))
    asked = labelled(deployment.view("user+cloud"), field, aux)
    yield "user+cloud", _surer(asked, stolen)


def _first(better: Guess, other: Guess) -> Guess:
    """Return one guess where it has one, and another elsewhere."""
    known = better.is_guessed
    left = np.zeros(len(known)) if better.confidence is None else better.confidence
    right = np.zeros(len(known)) if other.confidence is None else other.confidence
    return Guess(np.where(known, better.values, other.values), np.where(known, left, right))


def _surer(one: Guess, other: Guess) -> Guess:
    """Return of two guesses the one that claims more, record by record."""
    left = np.zeros(len(one.values)) if one.confidence is None else one.confidence
    right = np.zeros(len(left)) if other.confidence is None else other.confidence
    is_one = left >= right
    return Guess(np.where(is_one, one.values, other.values), np.maximum(left, right))


@measured()
def draw_insider(table: pl.DataFrame, view: str = "provider+snapshot") -> plot.Figure:
    """Return what falls with one corrupt provider, against the width of cells.

    From a table of `insider`. Three panels: the index to the cell, its exact values, the records
    opened.

    Parameters
    ----------
    view : str
        The adversary.
    """
    seen = table.filter(pl.col("view") == view)
    panels = []
    for metric, title in (
        ("cell", "index: the cell"),
        ("exact", "index: the exact value"),
        ("opened", "records opened"),
    ):
        figure = plot.Figure(
            x="steps to a cell", y=f"{SHARE} of others", y_range=WHOLE, title=title
        )
        told = summary(seen.filter(pl.col("metric") == metric), ["scheme", "cell", "metric"])
        for scheme, part in by_scheme(told):
            curve = part.sort("cell")
            role: plot.Role = "control" if scheme == schemes.PLAIN else "series"
            figure.line(curve["cell"], curve["value"], name=scheme, role=role)
        if metric != "opened":
            exact = seen.filter(pl.col("metric") == metric)
            curve = exact.group_by("cell").agg(pl.col("baseline").mean()).sort("cell")
            figure.line(curve["cell"], curve["baseline"], name="guessing", role="expected")
        panels.append(figure)
    return plot.grid(panels, columns=3, title=f"What falls: {view}", width=1200, height=430)


EXPERIMENT = Experiment(
    "security_insider",
    "security",
    insider,
    draw_insider,
    fast={"seeds": range(2), "widths": (1, 5)},
)
