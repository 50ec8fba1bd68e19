"""Tables of any library as Polars frames, and frames as columns that the core seals."""

from typing import Any

import numpy as np
import polars as pl

from mopse import _mopse
from mopse._checks import integers, listed
from mopse._fork import check_tables
from mopse._types import dtype_of, dtype_words
from mopse.errors import InvalidInputError, WrongTypeError

__all__ = ["Column", "as_column", "as_frame", "from_columns", "record_ids", "to_columns"]

Column = tuple[str, str, str, Any, Any]
"""Name, kind for the core, Polars dtype in words, values, and which rows hold one.

The kind is ``"int64"``, ``"uint64"``, ``"float64"``, ``"boolean"`` or ``"text"``. Values of text
are a pair: end of each row's bytes, and all bytes.
"""

_UNREADABLE = (Exception, pl.exceptions.PanicException)
"""What Polars, or an object's own methods, raise for values that are no column."""

_KINDS = {"int64": pl.Int64, "uint64": pl.UInt64, "float64": pl.Float64, "boolean": pl.Boolean}


def as_frame(table: Any) -> pl.DataFrame:
    """Return a table as a Polars frame, which shares its memory where possible.

    Parameters
    ----------
    table : table
        A Polars, pandas or Arrow table, anything with the Arrow PyCapsule interface, or a dict from
        names to arrays. What pandas takes for missing, NaN among it, becomes null; its row labels
        are left out.

    Raises
    ------
    mopse.errors.WrongTypeError
        If it is none of these.
    mopse.errors.InvalidInputError
        If there is no row, columns differ in length or share a name, or one mixes types.
    ImportError
        If a pandas column needs pyarrow to be read, and it is not there.
    """
    check_tables()
    given = type(table).__name__
    try:
        if isinstance(table, pl.LazyFrame):
            table = table.collect()
        elif _is_pandas(table):
            table = pl.from_pandas(table)
        elif isinstance(table, dict):
            if any(_mixes_truths(column) or _is_nested(column) for column in table.values()):
                raise TypeError
            table = pl.DataFrame(table)
        elif hasattr(table, "__arrow_c_stream__") and not isinstance(table, pl.DataFrame):
            table = pl.from_arrow(table)
    except _UNREADABLE:  # whose message may hold values
        raise WrongTypeError(f"the {given} cannot be read: {_fault(table)}") from None
    if not isinstance(table, pl.DataFrame):
        raise WrongTypeError(
            f"a table must be Polars, pandas, Arrow or a dict of arrays, not {given}"
        )
    if table.is_empty():
        raise InvalidInputError("the table has no row")
    return table


def _is_pandas(table: Any) -> bool:
    return type(table).__module__.split(".")[0] == "pandas" and hasattr(table, "columns")


def _fault(table: Any) -> str:
    """Say which column of a mapping or pandas table is no column, if it is that."""
    for name in table if isinstance(table, dict) or _is_pandas(table) else ():
        if not isinstance(name, str):
            return f"a column has a name of type {type(name).__name__}"
        try:
            as_column(name, table[name])
        except WrongTypeError as error:
            return str(error)
    return "its columns differ in length, share a name, or are of a kind that cannot be sealed"


def as_column(name: str, values: Any) -> pl.Series:
    """Return values as a column of one type.

    Raises
    ------
    mopse.errors.WrongTypeError
        If they are of several types, or of none that a column has; the message names the first row
        that differs from those before it, and no value.
    """
    try:
        if not _mixes_truths(values) and not _is_nested(values):
            return pl.Series(name, values)
    except _UNREADABLE:
        pass
    raise WrongTypeError(f"column {name!r} {_odd(values)}")


def _is_nested(values: Any) -> bool:
    """Say whether a list holds lists, which records cannot hold and Polars may read for ever."""
    return isinstance(values, list | tuple) and any(
        isinstance(value, list | tuple | set | dict) for value in values
    )


def _mixes_truths(values: Any) -> bool:
    """Say whether a list holds truth values beside numbers, which Polars makes numbers of."""
    if not isinstance(values, list | tuple):
        return False
    truths = sum(isinstance(value, bool | np.bool_) for value in values)
    return 0 < truths < sum(value is not None for value in values)


def _odd(values: Any) -> str:
    """Say of values of several types which is the first that differs from those before it."""
    unclear = "holds values of several types, or of none that can be sealed"
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        return unclear
    first: str | None = None
    for row, value in enumerate(values):
        if _is_missing(value):
            continue
        kind = _kind_of(value)
        first = first or kind
        if kind != first:
            return (
                f"holds values of several types: {first} up to row {row - 1}, {kind} in row {row}"
            )
        if kind == "integer" and not -(2**63) <= value < 2**64:
            return f"holds an integer of more than 64 bits in row {row}"
    return unclear


def _is_missing(value: Any) -> bool:
    """Say whether a value is none, also as pandas has it."""
    is_nan = isinstance(value, float) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def _kind_of(value: Any) -> str:
    kinds = {
        "truth value": bool | np.bool_,
        "integer": int | np.integer,
        "float": float | np.floating,
    }
    return next((kind for kind, of in kinds.items() if isinstance(value, of)), type(value).__name__)


def record_ids(frame: pl.DataFrame, name: str) -> Any:
    """Return the ids of all rows as the core takes them.

    They are an (n,) int64 array, or of text a pair: the ends of each, as such an array, and all
    bytes.

    Raises
    ------
    mopse.errors.InvalidInputError
        If there is no such column, an id is null, or one is text that reads like another: it is
        not in Unicode's form NFC, or holds what cannot be seen.
    mopse.errors.WrongTypeError
        If ids are neither integers nor text.
    """
    check_tables()
    if name not in frame.columns:
        raise InvalidInputError(
            f"the table has no column {name!r} of ids: {listed(name, frame.columns)}"
        )
    ids = frame[name]
    if ids.null_count():
        raise InvalidInputError(f"column {name!r}, row {ids.is_null().arg_max()}: the id is null")
    if ids.dtype.is_integer() and ids.dtype not in (pl.Int128, pl.UInt128):
        return integers(ids, f"column {name!r}")
    if ids.dtype == pl.String or isinstance(ids.dtype, pl.Enum | pl.Categorical):
        ends, joined = _text(ids.cast(pl.String))
        fault = _mopse.wire.first_id_fault(ends, joined)
        if fault is not None:
            raise InvalidInputError(f"column {name!r}, row {fault[0]}: {fault[1]}")
        return ends, joined
    raise WrongTypeError(f"column {name!r}: ids must be 64-bit integers or text, not {ids.dtype}")


def to_columns(frame: pl.DataFrame) -> list[Column]:
    """Return the columns of a frame, in order, as the core seals them.

    Raises
    ------
    mopse.errors.WrongTypeError
        If a column's type cannot be sealed and restored exactly; the message names the column.
    """
    check_tables()
    return [_to_column(column) for column in frame]


def _to_column(column: pl.Series) -> Column:
    dtype = column.dtype
    words = dtype_words(column)
    is_valid = column.is_not_null().to_numpy()
    if dtype == pl.String or isinstance(dtype, pl.Enum | pl.Categorical):
        text = _text(column.cast(pl.String).fill_null(""))
        return column.name, "text", words, text, is_valid
    if dtype == pl.Boolean:
        kind, values = "boolean", column.fill_null(value=False)
    elif dtype == pl.Null:
        kind, values = "boolean", pl.repeat(False, len(column), eager=True)
    elif dtype.is_float():
        kind, values = "float64", column.cast(pl.Float64).fill_null(0.0)
    elif dtype == pl.UInt64:
        kind, values = "uint64", column.fill_null(0)
    elif isinstance(dtype, pl.Decimal):
        kind, values = "int64", _without_point(column).fill_null(0)
    else:  # whole numbers, and dates and times as such
        kind, values = "int64", column.to_physical().cast(pl.Int64).fill_null(0)
    return column.name, kind, words, np.ascontiguousarray(values.to_numpy()), is_valid


def _without_point(column: pl.Series) -> pl.Series:
    """Return decimals as whole numbers in units of their last digit."""
    whole = column.to_physical().cast(pl.Int64, strict=False)
    is_long = whole.is_null() & column.is_not_null()
    if is_long.any():
        row = is_long.arg_max()
        raise InvalidInputError(
            f"column {column.name!r}, row {row}: records hold decimals of at most 18 digits"
        )
    return whole


def _with_point(column: pl.Series, dtype: pl.Decimal) -> pl.Series:
    """Return the decimals that `_without_point` took."""
    digits = pl.col("x").abs().cast(pl.String).str.zfill(dtype.scale + 1)
    whole = digits.str.len_chars() - dtype.scale
    parts = [digits.str.slice(0, whole), pl.lit("."), digits.str.slice(whole)]
    text = pl.concat_str(pl.when(pl.col("x") < 0).then(pl.lit("-")).otherwise(pl.lit("")), *parts)
    return column.cast(pl.Int128).to_frame("x").select(text.cast(dtype)).to_series()


def _text(column: pl.Series) -> tuple[Any, bytes]:
    ends = column.str.len_bytes().cast(pl.UInt64).cum_sum().to_numpy()
    joined = column.str.join("").item()
    return np.ascontiguousarray(ends), joined.encode()


def from_columns(columns: list[tuple[str, str, str, Any, Any]]) -> pl.DataFrame:
    """Return the frame of columns that the core has opened, with the types they had.

    They are as `to_columns` made them, but values of text are a list of strings.
    """
    check_tables()
    series = []
    for name, kind, words, values, is_valid in columns:
        if kind == "text":
            column = pl.Series(name, values, dtype=pl.String)
        else:
            column = pl.Series(name, values, dtype=_KINDS[kind])
        if not is_valid.all():
            valid = pl.Series(is_valid, dtype=pl.Boolean)
            column = pl.select(pl.when(valid).then(column).alias(name)).to_series()
        dtype = dtype_of(words)
        if isinstance(dtype, pl.Decimal):
            column = _with_point(column, dtype).alias(name)
        elif column.dtype != dtype:
            column = column.cast(dtype)
        series.append(column)
    return pl.DataFrame(series)
