"""Scores with what tells their cases apart."""

from typing import Any

import polars as pl

from mopse._checked import measured
from mopse.attacks import Auxiliary, Deployment, Guess, Posterior, score
from mopse.evaluate.security._setting import steps_of

__all__ = ["literals", "scored", "tolerated"]


@measured()
def literals(**values: Any) -> dict[str, pl.Expr]:
    """Return columns that have one value in every row."""
    return {name: pl.lit(value) for name, value in values.items()}


@measured()
def tolerated(steps: int) -> pl.Expr:
    """Return the metric's name, for guesses within a field's tolerance the same for all fields."""
    return pl.col("metric").replace(f"within {steps}", "within tolerance")


@measured()
def scored(
    deployment: Deployment,
    guess: Guess | Posterior,
    field: str,
    beforehand: Auxiliary | None,
    **about: Any,
) -> pl.DataFrame:
    """Return the score of a guess with what tells its case apart."""
    steps = steps_of(field)
    table = score(
        guess,
        deployment.truth[field],
        deployment.domains[field],
        deployment.senders,
        aux=beforehand,
        field=field,
        tolerances=[steps] if steps else [],
    )
    values = deployment.domains[field].plaintexts
    case = literals(scheme=deployment.scheme, field=field, **about, M=values)
    return table.with_columns(tolerated(steps), **case)
