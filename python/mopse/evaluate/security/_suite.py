"""The whole security evaluation in one run, with its figures; and what it is checked against."""

import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from mopse import _scheme_names as schemes
from mopse._formulas import (
    expected_candidates,
    expected_density,
    expected_queries,
    expected_rank_recovery,
    limit_window_advantage,
    subtree_share,
    window_advantage,
)
from mopse.attacks._auxiliary import Auxiliary
from mopse.attacks._deployment import Deployment
from mopse.attacks._guess import Posterior
from mopse.attacks._insider import labelled, locate
from mopse.attacks._queries import exposure, simulate_queries
from mopse.attacks._snapshot import ordered_posterior, rank, sorting
from mopse.attacks._view import View
from mopse.evaluate._suite import Experiment, chosen_from, run_all
from mopse.evaluate.security import _experiments, _figures

__all__ = ["EXPERIMENTS", "costs", "oracles", "run"]

FEW = range(2)

EXPERIMENTS = {
    "security_snapshots": Experiment(
        _experiments.snapshots,
        _figures.draw_snapshots,
        {},
        {"seeds": FEW, "names": ("sex", "age", "systolic_1")},
    ),
    "security_tolerances": Experiment(
        _experiments.tolerance_curves,
        _figures.draw_tolerances,
        {},
        {"seeds": FEW, "names": ("age",), "most": 5},
    ),
    "security_hospitals": Experiment(
        _experiments.hospitals,
        _figures.draw_hospitals,
        {},
        {"seeds": FEW, "names": ("sex", "age")},
    ),
    "security_records": Experiment(
        _experiments.records_needed,
        _figures.draw_records_needed,
        {},
        {"seeds": FEW, "names": ("age",), "records": (50, 500)},
    ),
    "security_knowledge": Experiment(
        _experiments.knowledge,
        lambda table: _figures.draw_knowledge(table, "age"),
        {},
        {"seeds": FEW, "names": ("age",), "distances": (0.0, 0.2), "sizes": (50, 1000)},
    ),
    "security_correlations": Experiment(
        _experiments.correlations,
        _figures.draw_correlations,
        {},
        {"seeds": FEW, "pairs": (("systolic_1", "systolic_2"),)},
    ),
    "security_queries": Experiment(
        _experiments.boundaries_by_queries,
        lambda table: _figures.draw_boundaries(table, 81),
        {},
        {"seeds": FEW, "queries": 300},
    ),
    "security_merging": Experiment(
        _experiments.amplification,
        _figures.draw_amplification,
        {},
        {"seeds": FEW, "merged": (1, 4)},
    ),
    "security_insider": Experiment(
        _experiments.insider,
        _figures.draw_insider,
        {},
        {"seeds": FEW, "widths": (1, 5)},
    ),
    "security_subtrees": Experiment(
        _experiments.subtrees,
        lambda table: _figures.draw_subtrees(table, 3, 2),
        {},
        {"seeds": FEW},
    ),
    "security_linked": Experiment(
        _experiments.linked_queries,
        lambda table: _figures.draw_linked(table, 81),
        {},
        {"seeds": FEW, "queries": (0, 20)},
    ),
    "security_layouts": Experiment(
        _experiments.layouts,
        _figures.draw_layouts,
        {},
        {"seeds": FEW, "records": (500,)},
    ),
}
"""What `run` runs, in this order."""


def run(
    out: str | os.PathLike[str],
    *,
    fast: bool = False,
    only: Sequence[str] = (),
    progress: bool = False,
) -> dict[str, Path]:
    """Run the security evaluation and write its tables and figures.

    Parameters
    ----------
    out : path
        A folder; it is made if there is none. Tables of the same run that are there already, also
        in part, are completed, not made again.
    fast : bool
        Whether to take few seeds and small sizes, which show that it works.
    only : sequence of str
        Names from `EXPERIMENTS`; all by default.
    progress : bool
        Whether to show progress bars.

    Returns
    -------
    dict of str to Path
        The table of each experiment; its figure has the suffix ``.png``.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such experiment, or a table is of another sweep.
    mopse.errors.FileAccessError
        If the folder cannot be written.
    """
    chosen = chosen_from(EXPERIMENTS, only)
    experiments = {name: EXPERIMENTS[name] for name in chosen}
    return run_all(experiments, out, fast=fast, progress=progress)


def oracles(seed: int = 1) -> pl.DataFrame:
    """Return attacks beside what theory says they must give (table T2).

    Parameters
    ----------
    seed : int
        Of what is drawn at random.

    Returns
    -------
    polars.DataFrame
        ``attack``, ``expected``, ``measured``, ``tolerance`` and ``passes``. The tests hold more of
        them; these take a second or two.
    """
    random = np.random.default_rng(seed)
    rows = []

    def told(attack: str, expected: float, measured: float, tolerance: float) -> None:
        rows.append(
            {
                "attack": attack,
                "expected": float(expected),
                "measured": float(measured),
                "tolerance": tolerance,
                "passes": bool(abs(measured - expected) <= tolerance),
            }
        )

    dense = np.concatenate([np.arange(81), random.integers(0, 81, 300)])
    garbage = Auxiliary({"x": random.integers(1, 100, 81)})
    view = View.snapshot(3 * dense, plaintexts=81)
    told("sorting, dense column", 1, np.mean(sorting(view, "x").values == dense), 0)
    posterior = ordered_posterior(view, "x", garbage).guess()
    told("posterior, dense, any knowledge", 1, np.mean(posterior.values == dense), 0)
    uniform = np.full(100, 0.01)
    told("density, M = 100, n = 200", expected_density(uniform, 200), _density(random), 0.03)
    for n, expected in ((200, 0.1667), (1000, 0.3322)):
        told(f"ranks, uniform M = 100, n = {n}", expected, expected_rank_recovery(uniform, n), 5e-5)
    told("ranks, measured, n = 1000", 0.3322, _rank_hits(random, 1000), 0.03)
    told("window, M = 64 into 4096, r = 8", 0.7978, window_advantage(64, 4096, 8), 5e-5)
    told("window of sqrt(M), M to infinity", 0.7912, limit_window_advantage(1.0), 5e-5)
    told("queries to show 80 cuts", 202.586, expected_queries(81), 5e-3)
    shown = np.mean([exposure(*simulate_queries(81, 50, seed=s), 81)[-1] for s in range(200)])
    told("cuts shown by 50 queries", 1 - (80 / 82) ** 50, shown, 0.02)
    told("candidates, 10 known of 81", 12.667, expected_candidates(81, 10), 5e-4)
    told("subtree, b = 3, h = 2, level 1", 0.3077, subtree_share(3, 2, 1), 5e-5)
    schema = _experiments.fields(["age"])
    target, _ = _experiments._halves(schema, seed)
    made = Deployment(schemes.MOPSE, _experiments._dealt(target, 4, seed), schema, seed=seed)
    guess = locate(made.view("provider+snapshot", provider=made.providers[0]), "age")
    told("insider, every merged entry", 1, np.mean(guess.values == made.truth["age"]), 0)
    for value in range(81):
        made.ask({"age": (value, value)})
    guess = labelled(made.view("user+cloud"), "age")
    told("all cuts labelled by a user", 1, np.mean(guess.values == made.truth["age"]), 0)
    return pl.DataFrame(rows)


def _density(random: np.random.Generator) -> float:
    drawn = random.integers(0, 100, (2000, 200))
    return float(np.mean([len(np.unique(row)) / 100 for row in drawn]))


def _rank_hits(random: np.random.Generator, n: int) -> float:
    flat = Auxiliary({"x": np.full(100, 10**9)})
    shares = []
    for _ in range(300):
        values = random.integers(0, 100, n)
        ciphertexts = values * 2**40 + random.integers(0, 2**40, n)
        view = View.snapshot(ciphertexts, plaintexts=100)
        shares.append(np.mean(rank(view, "x", flat).values == values))
    return float(np.mean(shares))


def costs(field: str = "age", *, repeats: int = 5, seed: int = 1) -> pl.DataFrame:
    """Time each attack on a snapshot, and count what it needs (table T5).

    Parameters
    ----------
    field : str
        A column of the survey.
    repeats : int
        How often each attack runs.
    seed : int
        Of the deployment.

    Returns
    -------
    polars.DataFrame
        ``attack``, ``scheme``, ``records``, ``time_s`` (median of wall time; the guess included),
        ``queries`` and ``encryptions`` that the adversary needs.
    """
    schema = _experiments.fields([field])
    target, aux = _experiments._halves(schema, seed)
    tables = _experiments._dealt(target, 8, seed)
    rows = []
    for scheme, applied in _experiments.APPLY.items():
        made = Deployment(scheme, tables, schema, seed=seed)
        view = made.view("snapshot")
        for attack in applied:
            rows.append(_timed(attack, scheme, view, repeats, _attack(attack, view, field, aux)))
    made = Deployment(schemes.MOPSE, tables, schema, seed=seed)
    domain = made.domains[field]
    queries = math.ceil(expected_queries(domain.cells))
    for low, high in zip(*simulate_queries(domain.plaintexts, queries, seed=seed), strict=True):
        made.ask({field: (int(low), int(high))})
    inside = made.view("provider+snapshot", provider=made.providers[0])
    user = made.view("user+cloud")
    insider = _timed("insider", schemes.MOPSE, inside, repeats, lambda: locate(inside, field))
    asked = _timed("labelled", schemes.MOPSE, user, repeats, lambda: labelled(user, field))
    rows += [insider | {"encryptions": domain.cells}, asked | {"queries": queries}]
    return pl.DataFrame(rows)


def _attack(attack: str, view: View, field: str, aux: Auxiliary) -> Callable[[], object]:
    """Return the whole of an attack, up to one value per record."""

    def whole() -> object:
        guess = _experiments.ATTACKS[attack](view, field, aux)
        return guess.guess() if isinstance(guess, Posterior) else guess

    return whole


def _timed(
    attack: str, scheme: str, view: View, repeats: int, whole: Callable[[], object]
) -> dict[str, str | int | float]:
    """Return the median time of an attack that needs neither queries nor encryptions."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        whole()
        times.append(time.perf_counter() - start)
    return {
        "attack": attack,
        "scheme": scheme,
        "records": view.records,
        "time_s": float(np.median(times)),
        "queries": 0,
        "encryptions": 0,
    }
