"""The survey whose records are encrypted and attacked, and the fields of its index."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import polars as pl

from mopse import datasets
from mopse._checked import checked
from mopse.errors import InvalidInputError
from mopse.schema import Field, Schema

__all__ = ["DATA", "card_columns", "fields", "grid_field", "people_with"]

DATA = "nhanes-2017-2018"


@cache
def card_columns() -> Mapping[str, Any]:
    """Return what the card says of each column."""
    columns: Mapping[str, Any] = datasets.card(DATA)["columns"]
    return columns


@cache
def _everybody() -> pl.DataFrame:
    return datasets.load(DATA)


def people_with(names: Sequence[str]) -> pl.DataFrame:
    """Return columns of all people, after their ``record_id``."""
    return _everybody().select("record_id", *names)


def grid_field(name: str, cell: int = 1) -> tuple[Field, float, float]:
    """Return a column's field over its card's grid, with that grid's minimum and step."""
    about = card_columns()[name]["grid"]
    low, step = about["minimum"], about["step"]
    return Field(low, about["maximum"], step=step, cell=cell), low, step


@checked(cell=(1, 2**32))
def fields(names: Sequence[str] | None = None, *, cell: int = 1) -> Schema:
    """Return the schema of columns of the survey, each over its card's grid.

    Parameters
    ----------
    names : sequence of str, optional
        Columns; by default all that can be indexed.
    cell : int
        Steps to a cell, at most as many as there are.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such column, or it cannot be indexed.
    """
    chosen = [n for n in card_columns() if n != "record_id"] if names is None else list(names)
    made = {}
    for name in chosen:
        about = card_columns().get(name, {})
        if "levels" in about:
            made[name] = Field.categories(about["levels"], cell=min(cell, len(about["levels"])))
        elif "grid" in about:
            made[name], _, _ = grid_field(name, cell)
        else:
            raise InvalidInputError(f"there is no column {name!r} to index")
    return Schema(made)
