"""What an attack on a snapshot costs (table T5)."""

import math
from collections.abc import Callable

import numpy as np
import polars as pl

from mopse import _scheme_names as schemes
from mopse._checked import measured
from mopse._formulas import expected_queries
from mopse.attacks import Auxiliary, Deployment, Posterior, View, labelled, locate, simulate_queries
from mopse.evaluate._measure import seconds
from mopse.evaluate._survey import fields
from mopse.evaluate.security._applied import APPLY, ATTACKS
from mopse.evaluate.security._setting import dealt, halves

__all__ = ["costs"]


@measured()
def costs(field: str = "age", *, repeats: int = 5, seed: int = 1) -> pl.DataFrame:
    """Time each attack on a snapshot, and count what it needs (table T5).

    Returns
    -------
    polars.DataFrame
        ``attack``, ``scheme``, ``records``, ``time_s`` (median of wall time; the guess included),
        ``queries`` and ``encryptions`` that the adversary needs.
    """
    schema = fields([field])
    target, aux = halves(schema, seed)
    tables = dealt(target, 8, seed)
    rows = []
    for scheme, applied in APPLY.items():
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
        guess = ATTACKS[attack](view, field, aux)
        return guess.guess() if isinstance(guess, Posterior) else guess

    return whole


def _timed(
    attack: str, scheme: str, view: View, repeats: int, whole: Callable[[], object]
) -> dict[str, str | int | float]:
    """Return the median time of an attack that needs neither queries nor encryptions."""
    times = [seconds(whole)[0] for _ in range(repeats)]
    return {
        "attack": attack,
        "scheme": scheme,
        "records": view.records,
        "time_s": float(np.median(times)),
        "queries": 0,
        "encryptions": 0,
    }
