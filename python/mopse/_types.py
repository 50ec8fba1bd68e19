"""The types of columns: in words, as a schema declares them, and where those of several meet."""

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from mopse import _mopse
from mopse._checks import mapping, spelt, text
from mopse.errors import InvalidInputError, WrongTypeError

__all__ = [
    "PROVIDER",
    "as_type",
    "check_times",
    "declared",
    "dtype_of",
    "dtype_words",
    "has_values",
    "holding",
    "holds",
    "is_known",
    "name_of",
    "typed",
]

PROVIDER = "provider"
"""The column that says whose a record or file is."""

_DTYPES: dict[str, Any] = {
    dtype.__name__: dtype
    for dtype in (
        *(pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64),
        *(pl.Float32, pl.Float64, pl.Boolean, pl.String, pl.Categorical, pl.Date, pl.Time, pl.Null),
    )
}
_SIGNED: list[pl.DataType] = [pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64()]
_UNSIGNED: list[pl.DataType] = [pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64()]
_UNITS = ["ns", "us", "ms"]
"""The finest first."""


def dtype_words(column: pl.Series) -> str:
    """Return a column's dtype in words that `dtype_of` understands.

    Raises
    ------
    mopse.errors.WrongTypeError
        If records cannot hold it; the message names the column.
    """
    dtype = column.dtype
    if isinstance(dtype, pl.Enum):
        return "Enum\n" + json.dumps(dtype.categories.to_list())
    if isinstance(dtype, pl.Datetime):
        return f"Datetime\n{dtype.time_unit}\n{dtype.time_zone or ''}"
    if isinstance(dtype, pl.Duration):
        return f"Duration\n{dtype.time_unit}"
    if isinstance(dtype, pl.Decimal):
        return f"Decimal\n{dtype.precision}\n{dtype.scale}"
    name = dtype.base_type().__name__
    if name not in _DTYPES or dtype != _DTYPES[name]():
        raise WrongTypeError(f"column {column.name!r}: records cannot hold {name_of(dtype)}")
    return name


def dtype_of(words: str) -> Any:
    """Return the dtype that words say; the core has read them before."""
    said = _mopse.party.type_of(words)
    if said is None:
        raise InvalidInputError("a column is of no type that records have")
    name, arguments = said
    if name == "Enum":
        return pl.Enum(arguments)
    if name == "Datetime":
        return pl.Datetime(*arguments)  # type: ignore[arg-type]
    if name == "Duration":
        return pl.Duration(*arguments)  # type: ignore[arg-type]
    if name == "Decimal":
        return pl.Decimal(*map(int, arguments))
    return _DTYPES[name]


@functools.lru_cache(maxsize=256)
def is_known(words: str) -> bool:
    """Say whether Polars has the type that words say: it alone knows which time zones there are."""
    if not words.startswith("Datetime"):
        return True
    try:
        pl.Series([0], dtype=pl.Int64).cast(dtype_of(words))
    except pl.exceptions.PolarsError:
        return False
    return True


def name_of(dtype: pl.DataType) -> str:
    """Return how messages call a dtype: without the categories of an Enum, which are values."""
    is_wide = isinstance(dtype, pl.Enum) or dtype.is_nested()
    return dtype.base_type().__name__ if is_wide else str(dtype)


def declared(types: Any) -> dict[str, pl.DataType]:
    """Return the dtypes that a schema declares, by the name of their column.

    Raises
    ------
    mopse.errors.WrongTypeError
        If they are no mapping from names to dtypes, or records cannot hold one.
    mopse.errors.InvalidInputError
        If a column is given twice.
    """
    found = {}
    for name, given in mapping({} if types is None else types, "types").items():
        column = spelt(text(name, "the name of a column"))
        if column in found:
            raise InvalidInputError(f"types: column {column!r} is given twice")
        try:
            dtype = given() if isinstance(given, type) else given
        except TypeError:  # an Enum without categories
            dtype = None
        if not isinstance(dtype, pl.DataType):
            raise WrongTypeError(f"types: column {column!r} must have a Polars dtype")
        dtype_words(pl.Series(column, [], dtype=dtype))
        found[column] = dtype
    return found


def typed(frame: pl.DataFrame, types: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return a frame whose columns have the types that a schema declares.

    Raises
    ------
    mopse.errors.WrongTypeError
        If a column is of a type that does not become the declared one.
    mopse.errors.InvalidInputError
        If the declared type does not hold a value as it is; the message names column and row.
    """
    cast = []
    for name, dtype in types.items():
        if name not in frame.columns or frame[name].dtype == dtype:
            continue
        column = frame[name]
        if has_values(column) and not _is_kin(column.dtype, dtype):
            of = f"{name_of(column.dtype)}, declared as {name_of(dtype)}"
            raise WrongTypeError(f"column {name!r} is {of}")
        is_lost = _lost(column, dtype)
        if is_lost.any():
            row = is_lost.arg_max()
            raise InvalidInputError(
                f"column {name!r}, row {row}: {name_of(dtype)} does not hold the value"
            )
        cast.append(as_type(column, dtype))
    return frame.with_columns(cast)


def check_times(frame: pl.DataFrame) -> None:
    """Refuse days and moments that Polars holds and cannot show.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is one; the message names column and row.
    """
    for column in frame:
        if isinstance(column.dtype, pl.Date | pl.Datetime):
            numbers = column.to_physical().cast(pl.Int64).fill_null(0).to_numpy()
            row = _mopse.party.first_fault(
                dtype_words(column),
                np.ascontiguousarray(numbers),
                column.is_not_null().to_numpy(),
            )
            if row is not None:
                raise InvalidInputError(
                    f"column {column.name!r}, row {row}: no table shows a time so far away"
                )


def has_values(column: pl.Series) -> bool:
    """Say whether not all of a column is null."""
    return column.null_count() < len(column)


def as_type(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return a column as a type that holds it; nulls are of every type."""
    if has_values(column):
        return column.cast(dtype)
    return pl.Series(column.name, [], dtype=dtype).clear(len(column))


def holds(dtype: pl.DataType, column: pl.Series) -> bool:
    """Say whether a type holds all values of a column as they are."""
    if column.dtype == dtype or not has_values(column):
        return True
    return _is_kin(column.dtype, dtype) and not _lost(column, dtype).any()


def _lost(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return which values of a column are others, or none, after a cast there and back."""
    if not has_values(column):
        return pl.Series([False], dtype=pl.Boolean)
    back = column.cast(dtype, strict=False).cast(column.dtype, strict=False)
    return back.ne_missing(column)


def _is_kin(one: pl.DataType, other: pl.DataType) -> bool:
    """Say whether values of one type can be those of another: numbers numbers, texts texts."""
    return bool(_kind(one) == _kind(other))


def _kind(dtype: pl.DataType) -> Any:
    if dtype.is_numeric():
        return "number"
    if isinstance(dtype, pl.String | pl.Enum | pl.Categorical):
        return "text"
    if isinstance(dtype, pl.Date | pl.Datetime):  # a day is the moment it begins
        return "moment", getattr(dtype, "time_zone", None)
    return dtype.base_type()


def holding(columns: Sequence[pl.Series]) -> pl.DataType | None:
    """Return the narrowest type that holds all values of some columns as they are, if there is one.

    A column without values fits any other.
    """
    held = [column for column in columns if has_values(column)]
    dtypes = list(dict.fromkeys(column.dtype for column in held or columns))
    if not held:
        dtypes = [dtype for dtype in dtypes if dtype != pl.Null] or dtypes
    for target in _wider(dtypes):
        if all(holds(target, column) for column in held):
            return target
    return None if held else dtypes[0]


def _wider(dtypes: list[pl.DataType]) -> Iterable[pl.DataType]:
    """Return the types that may hold values of all of some types, the best first."""
    if len(dtypes) == 1:
        return dtypes
    if all(dtype.is_integer() for dtype in dtypes):
        signed = max((_SIGNED.index(dtype) for dtype in dtypes if dtype in _SIGNED), default=None)
        unsigned = max(
            (_UNSIGNED.index(dtype) for dtype in dtypes if dtype in _UNSIGNED), default=None
        )
        if signed is None or unsigned is None:
            return [_SIGNED[signed]] if signed is not None else [_UNSIGNED[unsigned or 0]]
        return [*_SIGNED[max(signed, unsigned + 1) :], pl.Int64(), pl.UInt64()]
    if all(_kind(dtype) == "number" for dtype in dtypes):
        if any(dtype.is_float() for dtype in dtypes):
            return [pl.Float64()]
        return [pl.Decimal(38, max(getattr(dtype, "scale", 0) for dtype in dtypes))]
    if all(_kind(dtype) == "text" for dtype in dtypes):
        return [pl.String()]
    if all(isinstance(dtype, pl.Duration) for dtype in dtypes):
        return [pl.Duration(unit) for unit in _units(dtypes)]
    first = dtypes[0]
    if isinstance(first, pl.Datetime) and all(
        isinstance(dtype, pl.Datetime) and dtype.time_zone == first.time_zone for dtype in dtypes
    ):
        return [pl.Datetime(unit, first.time_zone) for unit in _units(dtypes)]
    if all(_is_kin(dtype, first) and isinstance(dtype, pl.Date | pl.Datetime) for dtype in dtypes):
        return [pl.Date()]  # of pandas days are moments too
    return []


def _units(dtypes: list[Any]) -> list[Any]:
    return [unit for unit in _UNITS if any(dtype.time_unit == unit for dtype in dtypes)]
