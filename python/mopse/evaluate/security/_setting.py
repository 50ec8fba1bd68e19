"""Whom the attacks are run on: the survey's records, whose half is known, and who has them."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from mopse import datasets
from mopse._checked import measured
from mopse.attacks import Auxiliary
from mopse.evaluate._survey import card_columns, people_with
from mopse.evaluate._tree import tree
from mopse.schema import Schema

__all__ = ["FIELDS", "HELD_OUT", "SHUFFLED", "TOLERANCES", "dealt", "halves", "steps_of"]

SHUFFLED = "random order"
"""The view of the control: entries that were dealt to records at random."""

HELD_OUT = "held-out half"
"""What is known beforehand: the people who are no target."""

TOLERANCES = {
    "age": 5.0, "systolic_1": 10.0, "systolic_2": 10.0, "systolic_3": 10.0, "diastolic_1": 10.0,
    "diastolic_2": 10.0, "diastolic_3": 10.0, "pulse": 10.0, "weight": 2.0, "height": 2.0,
    "bmi": 1.0, "waist": 2.0, "cholesterol": 10.0, "hdl": 5.0, "glycohemoglobin": 0.3,
    "lead": 0.2, "cadmium": 0.1, "mercury": 0.2,
}  # fmt: skip
"""How far a guess may be off to do harm nevertheless, in each column's unit: chosen here."""

FIELDS = ("sex", "age", "bmi", "systolic_1", "glycohemoglobin", "cholesterol")
"""Columns from few values to many, for the figures."""


@measured()
def steps_of(name: str) -> int:
    """Return a column's tolerance in steps; 0 for categories."""
    grid = card_columns()[name].get("grid")
    return 0 if grid is None else round(TOLERANCES[name] / grid["step"])


@measured()
def halves(
    schema: Schema, seed: int, pairs: Sequence[tuple[str, str]] = ()
) -> tuple[pl.DataFrame, Auxiliary]:
    """Return one half of the survey as the target, and knowledge of the other half.

    For pairs of fields only people who have both, so that margins and pairs are of the same people.
    """
    people = people_with([*schema])
    if pairs:
        people = people.drop_nulls()
    order = np.random.default_rng([seed, 11]).permutation(people.height)
    half = people.height // 2
    held_out = people[order[half:]]
    return people[order[:half]], Auxiliary.from_table(held_out, schema, pairs=pairs)


@measured()
def dealt(
    target: pl.DataFrame, providers: int, seed: int, *, skew: float | None = None
) -> dict[str, pl.DataFrame]:
    """Return the records of each provider, in a tree of three levels where there are enough.

    Under schemes without a hierarchy the paths are names and no more.
    """
    parts = datasets.providers(target, providers, skew=skew, seed=seed)
    placed = tree(providers, fan_out=max(2, providers // 4))
    paths: list[str] = []
    for name, under in placed:
        paths.append(name if under is None else f"{under}/{name}")
    return {path: part for path, part in zip(paths, parts.values(), strict=True) if part.height}
