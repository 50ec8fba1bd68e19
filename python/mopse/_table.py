"""Tables of any library as Polars frames, and frames as columns that the core seals."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from mopse import _mopse
from mopse._arrays import UNREADABLE, column_of, integers, is_pandas
from mopse._checks import listed, text
from mopse._fork import check_tables
from mopse._types import dtype_of, dtype_words
from mopse.errors import InvalidInputError, WrongTypeError

__all__ = ["Column", "as_column", "as_frame", "from_columns", "record_ids", "to_columns"]

Column = tuple[str, str, str, Any, Any]
"""Name, kind for the core, Polars dtype in words, values, and which rows hold one.

The kind is ``"int64"``, ``"uint64"``, ``"float64"``, ``"boolean"`` or ``"text"``. Values of text
are a pair: end of each row's bytes, and all bytes.
"""

_KINDS = {"int64": pl.Int64, "uint64": pl.UInt64, "float64": pl.Float64, "boolean": pl.Boolean}


def as_frame(table: Any, what: str = "the table") -> pl.DataFrame:
    """Return a table as a Polars frame, which shares its memory where possible.

    Parameters
    ----------
    table : table
        A Polars, pandas or Arrow table, anything with the Arrow PyCapsule interface, or a mapping
        from names to arrays. What pandas takes for missing, NaN among it, becomes null; its row
        labels are columns where they have a name that no column has, and are left out otherwise.
    what : str
        What it is, for messages.

    Raises
    ------
    mopse.errors.WrongTypeError
        If it is none of these, columns share a name, or one mixes types.
    mopse.errors.InvalidInputError
        If there is no row, or columns differ in length.
    ImportError
        If a pandas column needs pyarrow to be read, and it is not there.
    """
    check_tables()
    given = type(table).__name__
    try:
        frame = _frame_of(table)
    except WrongTypeError as error:
        raise WrongTypeError(f"the {given} cannot be read: {error}") from None
    except UNREADABLE:  # whose message may hold values
        fault = "it holds what no column does"
        raise WrongTypeError(f"the {given} cannot be read: {fault}") from None
    if frame is None:
        raise WrongTypeError(
            f"{what} must be Polars, pandas, Arrow or a dict of arrays, not {given}"
        )
    if frame.is_empty():
        raise InvalidInputError(f"{what} has no row")
    return frame


def _frame_of(table: Any) -> pl.DataFrame | None:
    """Return a table of any library as a frame; None for what is no table."""
    if isinstance(table, pl.DataFrame):
        return table
    if isinstance(table, pl.LazyFrame):
        return table.collect()
    if is_pandas(table) and hasattr(table, "columns"):
        labels = [(str(name), at) for at, name in enumerate(table.index.names) if name is not None]
        named = [(str(name), table.iloc[:, at]) for at, name in enumerate(table.columns)]
        taken = {name for name, _ in named}
        levels = [(name, table.index.get_level_values(at)) for name, at in labels]
        return _joined([level for level in levels if level[0] not in taken] + named)
    if isinstance(table, Mapping):
        return _joined(table.items())
    if type(table).__module__.split(".")[0] == "pyarrow" and hasattr(table, "schema"):
        whole = table.read_all() if hasattr(table, "read_all") else table
        return _joined(zip(whole.schema.names, whole.columns, strict=True))
    if hasattr(table, "__arrow_c_stream__"):
        frame = pl.from_arrow(table)
        return frame if isinstance(frame, pl.DataFrame) else None
    return None


def _joined(columns: Iterable[tuple[Any, Any]]) -> pl.DataFrame:
    """Return columns as a frame, if all have names of their own and are equally long."""
    read: dict[str, pl.Series] = {}
    for name, values in columns:
        if not isinstance(name, str):
            raise WrongTypeError(f"a column has a name of type {type(name).__name__}")
        text(name, "the name of a column")
        if name in read:
            raise WrongTypeError(f"two columns are called {name!r}")
        read[name] = column_of(values, f"column {name!r}", name=name, may_nest=True)
    lengths = {name: len(column) for name, column in read.items()}
    for name, length in lengths.items():
        first = next(iter(lengths))
        if length != lengths[first]:
            raise WrongTypeError(
                f"columns differ in length: {first!r} has {lengths[first]} rows, {name!r} {length}"
            )
    return pl.DataFrame(list(read.values()))


def as_column(name: str, values: Any) -> pl.Series:
    """Return values as a column of one type.

    Raises
    ------
    mopse.errors.WrongTypeError
        If they are of several types, or of none that a column has; the message names the first row
        that differs from those before it, and no value.
    """
    return column_of(values, f"column {name!r}", name=name)


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


def as_ids(ids: Any) -> pl.Series:
    """Return record ids as a column."""
    if isinstance(ids, Mapping) or hasattr(type(ids), "columns"):  # whose names would be taken
        raise WrongTypeError(f"ids must be a sequence, not {type(ids).__name__}")
    try:
        column = as_column("ids", list(ids) if isinstance(ids, set | frozenset) else ids)
    except WrongTypeError as error:
        raise WrongTypeError(f"ids must be all integers of 64 bits or all text: {error}") from None
    return column.cast(pl.Int64) if column.is_empty() else column.alias("ids")
