"""Attacks beside what theory says they must give (table T2)."""

import numpy as np
import polars as pl

from mopse import _scheme_names as schemes
from mopse._checked import measured
from mopse._formulas import (
    expected_candidates,
    expected_density,
    expected_queries,
    expected_rank_recovery,
    limit_window_advantage,
    subtree_share,
    window_advantage,
)
from mopse.attacks import (
    Auxiliary,
    Deployment,
    View,
    exposure,
    labelled,
    locate,
    ordered_posterior,
    rank,
    simulate_queries,
    sorting,
)
from mopse.evaluate._survey import fields
from mopse.evaluate.security._setting import dealt, halves

__all__ = ["oracles"]


@measured()
def oracles(seed: int = 1) -> pl.DataFrame:
    """Return attacks beside what theory says they must give (table T2).

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
    schema = fields(["age"])
    target, _ = halves(schema, seed)
    made = Deployment(schemes.MOPSE, dealt(target, 4, seed), schema, seed=seed)
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
