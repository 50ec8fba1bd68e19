"""Columns of tidy tables, as the core draws them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from mopse._checks import as_array
from mopse._fork import check_tables
from mopse.errors import InvalidInputError, WrongTypeError
from mopse.plot._style import CONTROL, OPEN, Range, Role, Scale

__all__ = ["by_role", "column_of", "existing", "from_zero", "groups_of", "named", "numbers_of"]


def column_of(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Return an array of numbers as the core takes it; what it is, errors name."""
    array = as_array(values, what)
    if array.size == 0 and array.dtype.kind == "O":
        array = array.astype(np.float64)
    if array.dtype.kind not in "iuf":
        raise WrongTypeError(f"{what}: expected an array of numbers, got {array.dtype}")
    if array.ndim != 1:
        raise WrongTypeError(f"{what}: expected one dimension, got {array.ndim}")
    return np.ascontiguousarray(array, dtype=np.float64)


def existing(table: pl.DataFrame, name: str) -> pl.Series:
    """Return a column that is there and has no null."""
    check_tables()
    if name not in table.columns:
        raise InvalidInputError(f'the table has no column "{name}"')
    column = table[name]
    if column.null_count():
        row = column.is_null().arg_max()
        raise InvalidInputError(f'the column "{name}" has a null in row {row}')
    return column


def numbers_of(table: pl.DataFrame, name: str) -> pl.Series:
    """Return a column of numbers."""
    column = existing(table, name)
    if not column.dtype.is_numeric():
        raise WrongTypeError(f'the column "{name}" holds {column.dtype}, expected numbers')
    return column.cast(pl.Float64)


def named(table: pl.DataFrame, name: str) -> tuple[pl.Series, list[str] | None]:
    """Return a column as numbers, and what the numbers are called if it holds strings."""
    column = existing(table, name)
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return numbers_of(table, name), None
    names = column.cast(pl.String).unique(maintain_order=True).to_list()
    places = dict(zip(names, range(len(names)), strict=True))
    positions = [float(places[value]) for value in column.cast(pl.String)]
    return pl.Series(positions, dtype=pl.Float64), names


def groups_of(table: pl.DataFrame, by: str | None) -> pl.Series:
    """Return the series of each row: that of one name if there is no column of them."""
    if by is None:
        return pl.Series([""] * table.height, dtype=pl.String)
    return existing(table, by).cast(pl.String)


def by_role(
    tidy: pl.DataFrame, control: str | None, expected: Sequence[str]
) -> Iterator[tuple[str, Role, pl.DataFrame]]:
    """Yield the name, role and rows of each series, in order of appearance."""
    parts: dict[Any, pl.DataFrame] = tidy.partition_by("by", maintain_order=True, as_dict=True)
    names = [name for (name,) in parts]
    for wanted in [*expected, *([] if control is None else [control])]:
        if wanted not in names:
            raise InvalidInputError(f'there is no series "{wanted}" among {names}')
    grey = CONTROL if control is None else control
    for (name,), part in parts.items():
        role: Role = "control" if name == grey else "expected" if name in expected else "series"
        yield name, role, part


def from_zero(heights: pl.Series, scale: Scale) -> Range:
    """Return bounds that begin at 0, where that leaves nothing out."""
    least = heights.min()
    is_above = isinstance(least, float) and least >= 0
    return (0.0, None) if scale == "linear" and is_above and heights.max() != 0 else OPEN
