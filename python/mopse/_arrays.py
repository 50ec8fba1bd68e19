"""Arrays of any library as columns: what they hold is read as it is, or refused by name and row."""

import datetime
import decimal
import sys
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse.errors import InvalidInputError, WrongTypeError

__all__ = [
    "UNREADABLE",
    "column_of",
    "floats",
    "handles_of",
    "integers",
    "is_pandas",
    "matrix",
    "refuse_masked",
    "unsigned",
]

UNREADABLE = (Exception, pl.exceptions.PanicException)
"""What libraries, or an object's own methods, raise for values that are no column."""

_EXACT = (int, float, str, bool, datetime.date)
"""Types of which a list of one is a column that holds all of it, where Polars takes it."""

_NO_ARRAYS = (str, bytes, bytearray, memoryview, np.generic, Mapping, set, frozenset)
"""What can be iterated over, and is no array for that."""

_NESTED = (list, tuple, set, frozenset, dict, np.ndarray, pl.Series)

_UNITS = {
    **dict.fromkeys(("Y", "M", "W", "D"), "D"),
    **dict.fromkeys(("h", "m", "s", "ms"), "ms"),
    **{"us": "us", "ns": "ns"},
}
"""What NumPy counts moments in, and the unit of a column that holds it."""

_LENGTHS = {"Y": None, "M": None, "W": "ms", "D": "ms"}
"""The same for durations, where it differs: those of months have no length."""


class _UnreadableError(Exception):
    """Why something is no column, without a value of it."""


def column_of(
    values: Any, what: str, *, name: str = "", place: str = "row", may_nest: bool = False
) -> pl.Series:
    """Return an array as a column that holds just what the array does.

    Parameters
    ----------
    values : array-like
        An array of NumPy, masked or not, a column of Polars, pandas or Arrow, or any ordered
        iterable of values of one type, None among them. Of pandas NaN is missing, as pandas has it.
    what : str
        What the array is, for messages.
    name : str
        The column's name.
    place : str
        What messages call a position: a row, or an entry.
    may_nest : bool
        Whether a value may be a list, as tables hold them.

    Raises
    ------
    mopse.errors.WrongTypeError
        If it is no array of one dimension, its values are of several types, or no type holds them
        as they are. The message names the first position at fault, and no value.
    """
    try:
        column = _read(values, place)
        if column.dtype.is_nested() and not may_nest:
            raise _UnreadableError(f"must have one dimension, and holds {_called(column.dtype)}")
        if column.dtype == pl.Object:
            raise _UnreadableError("holds objects, which no column does")
    except _UnreadableError as error:
        reason = str(error)
    except UNREADABLE:  # whose message may hold values
        reason = f"is a {_type_of(values)} of values that no column holds"
    else:
        return column.alias(name)
    is_of_array = place == "entry" and not reason.startswith("must")
    raise WrongTypeError(f"{what}: the array {reason}" if is_of_array else f"{what} {reason}")


def integers(values: Any, what: str) -> NDArray[np.int64]:
    """Return a contiguous int64 array of integers, without a copy where it is one already.

    Parameters
    ----------
    values : array-like
        Integers as `column_of` takes them.
    what : str
        What the array is, for messages.

    Raises
    ------
    mopse.errors.WrongTypeError
        If it is not a one-dimensional array of integers.
    mopse.errors.InvalidInputError
        If an entry is null, or does not fit an int64.
    """
    whole: NDArray[np.int64] = _whole(values, what, pl.Int64)
    return whole


def unsigned(values: Any, what: str) -> NDArray[np.uint64]:
    """Return a contiguous uint64 array of integers; see `integers`."""
    whole: NDArray[np.uint64] = _whole(values, what, pl.UInt64)
    return whole


def _whole(values: Any, what: str, dtype: type[pl.DataType]) -> Any:
    target = np.dtype(dtype.__name__.lower())
    if type(values) is np.ndarray and values.dtype.kind in "iu" and values.ndim == 1:
        limits = np.iinfo(target)
        is_safe = np.can_cast(values.dtype, target) or not values.size
        if not is_safe and (values.min() < limits.min or values.max() > limits.max):
            entry = int(((values < limits.min) | (values > limits.max)).argmax())
            _refuse_number(what, entry, bool(values[entry] < 0), dtype)
        return np.ascontiguousarray(values, dtype=target)
    if isinstance(values, list | tuple) and values and set(map(type, values)) == {int}:
        limits = np.iinfo(target)
        if min(values) < limits.min or max(values) > limits.max:
            is_in = (limits.min <= number <= limits.max for number in values)
            entry = next(at for at, is_right in enumerate(is_in) if not is_right)
            _refuse_number(what, entry, values[entry] < 0, dtype)
        return np.array(values, dtype=target)
    column = column_of(values, what, place="entry")
    if not len(column) and (column.dtype == pl.Null or column.dtype == pl.Float64):
        return np.empty(0, dtype=target)  # what an empty list is
    if column.null_count():
        # Where None stands in a list, or all is null, it is a type as well.
        is_list = not hasattr(values, "dtype") and not hasattr(values, "type")
        is_typed = column.dtype != pl.Null and not is_list and not _holds_objects(values)
        error = InvalidInputError if is_typed else WrongTypeError
        raise error(f"{what}: entry {column.is_null().arg_max()} is null")
    if not column.dtype.is_integer():
        raise WrongTypeError(f"{what} must hold integers, not {_called(column.dtype)}")
    fitting = column.cast(dtype, strict=False)
    if fitting.null_count():
        entry = int(fitting.is_null().arg_max() or 0)
        _refuse_number(what, entry, column[entry] < 0, dtype)
    return np.ascontiguousarray(fitting.to_numpy())


def _holds_objects(values: Any) -> bool:
    dtype = getattr(values, "dtype", None)
    return isinstance(dtype, np.dtype) and dtype.kind == "O"


def _refuse_number(what: str, entry: int, is_negative: bool, dtype: type[pl.DataType]) -> NoReturn:
    if is_negative and dtype == pl.UInt64:
        raise InvalidInputError(f"{what}: entry {entry} is negative")
    target = "an int64" if dtype == pl.Int64 else "a uint64"
    raise InvalidInputError(f"{what}: entry {entry} does not fit {target}")


def floats(values: Any, what: str) -> NDArray[np.float64]:
    """Return a contiguous float64 array of numbers, which may be infinite or NaN.

    Raises
    ------
    mopse.errors.WrongTypeError
        If it is not a one-dimensional array of numbers.
    mopse.errors.InvalidInputError
        If an entry is null.
    """
    if type(values) is np.ndarray and values.dtype == np.float64 and values.ndim == 1:
        return np.ascontiguousarray(values)
    column = column_of(values, what, place="entry")
    if not len(column) and column.dtype == pl.Null:
        return np.empty(0, dtype=np.float64)
    if column.null_count():
        raise InvalidInputError(f"{what}: entry {column.is_null().arg_max()} is null")
    if not column.dtype.is_numeric():
        raise WrongTypeError(f"{what} must hold numbers, not {_called(column.dtype)}")
    return np.ascontiguousarray(column.cast(pl.Float64).to_numpy())


def matrix(values: Any, what: str) -> NDArray[np.float64]:
    """Return a float64 array of two dimensions, read row by row.

    Raises
    ------
    mopse.errors.WrongTypeError
        If it is not a two-dimensional array of numbers.
    mopse.errors.InvalidInputError
        If an entry is null.
    """
    if isinstance(values, pl.DataFrame):
        rows: list[Any] = list(values.rows())
    elif isinstance(values, np.ndarray):
        if values.ndim != 2:
            raise WrongTypeError(f"{what} must have two dimensions, not {values.ndim}")
        if not np.ma.isMaskedArray(values) and values.dtype.kind in "iuf":
            return np.ascontiguousarray(values, dtype=np.float64)
        rows = list(values)
    elif is_pandas(values) and hasattr(values, "columns"):
        return matrix(values.to_numpy(), what)
    elif isinstance(values, list | tuple):
        rows = list(values)
    else:
        raise WrongTypeError(f"{what} must have two dimensions, and is a {_type_of(values)}")
    if any(not isinstance(row, Iterable) or isinstance(row, str | bytes) for row in rows):
        raise WrongTypeError(f"{what} must have two dimensions, not 1")
    read = [floats(row, f"{what}, row {number}") for number, row in enumerate(rows)]
    if len({len(row) for row in read}) > 1:
        raise WrongTypeError(f"{what} must have two dimensions, and its rows differ in length")
    return np.stack(read) if read else np.empty((0, 0))


def handles_of(handles: Any, count: int) -> NDArray[np.uint64]:
    """Return the pseudonyms of so many records, as `mopse.Provider.handles` makes them.

    Raises
    ------
    mopse.errors.WrongTypeError
        If it is no uint64 array.
    mopse.errors.InvalidInputError
        If there are not as many, or one is null.
    """
    if not (isinstance(handles, np.ndarray) and handles.dtype == np.uint64):
        raise WrongTypeError("handles must be a uint64 array, as `mopse.Provider.handles` makes it")
    if handles.shape != (count, 2):
        raise InvalidInputError(f"handles have shape {handles.shape}, not ({count}, 2)")
    refuse_masked(handles, "handles")
    return np.ascontiguousarray(handles)


def refuse_masked(values: Any, what: str) -> None:
    """Refuse an array of NumPy of which something is masked, where nothing can be null."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        masked = int(np.argmax(np.ma.getmaskarray(values)))
        raise InvalidInputError(f"{what}: entry {masked} is null")


def is_pandas(values: Any) -> bool:
    """Say whether something is of pandas, which is not imported here."""
    return type(values).__module__.split(".")[0] == "pandas"


def _type_of(values: Any) -> str:
    return type(values).__name__


def _called(dtype: pl.DataType) -> str:
    """Return how messages call a dtype: without the categories of an Enum, which are values."""
    is_wide = isinstance(dtype, pl.Enum) or dtype.is_nested()
    return dtype.base_type().__name__ if is_wide else str(dtype)


def _read(values: Any, place: str) -> pl.Series:
    if isinstance(values, pl.Series):
        return values
    if is_table(values):
        raise _UnreadableError(f"must be an array, not {_type_of(values)}")
    if is_pandas(values) and not hasattr(values, "columns") and hasattr(values, "dtype"):
        return _of_pandas(values, place)
    if isinstance(values, np.ndarray):
        return _of_numpy(values, place)
    if hasattr(values, "__arrow_c_array__") or hasattr(values, "__arrow_c_stream__"):
        return _of_arrow(values)
    if isinstance(values, range):
        return pl.Series(values)
    if hasattr(values, "__array__") and not isinstance(values, np.generic):
        return _of_numpy(np.asarray(values), place)
    if isinstance(values, memoryview) or _type_of(values) == "array":
        buffer = memoryview(values)
        if buffer.format not in ("B", "b", "c"):
            return _of_numpy(np.asarray(buffer), place)
    if isinstance(values, _NO_ARRAYS) or not isinstance(values, Iterable):
        raise _UnreadableError(f"must be an array, not {_type_of(values)}")
    return _of_list(list(values), place)


def is_table(values: Any) -> bool:
    """Say whether something has columns: a table, or an expression over one."""
    return isinstance(values, pl.DataFrame | pl.LazyFrame | pl.Expr) or (
        is_pandas(values) and hasattr(values, "columns")
    )


def _of_numpy(values: NDArray[Any], place: str, *, is_nan_null: bool = False) -> pl.Series:
    if values.ndim != 1:
        raise _UnreadableError(f"must have one dimension, not {values.ndim}")
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
        bare = np.ma.getdata(values)
        if bare.dtype.kind == "O":
            bare = bare.copy()
            bare[mask] = None
        column = _of_numpy(np.asarray(bare), place)
        valid = pl.Series(~mask, dtype=pl.Boolean)
        return pl.select(pl.when(valid).then(column)).to_series()
    dtype = values.dtype
    if dtype.kind == "O":
        return _of_list(values.tolist(), place, is_nan_null=is_nan_null)
    if dtype.kind in "Mm":
        return _of_times(values, place)
    if dtype.kind == "T":
        return pl.Series(values)
    if dtype.kind in "iubU" or (dtype.kind == "f" and dtype.itemsize <= 8):
        native = np.ascontiguousarray(values, dtype=dtype.newbyteorder("="))
        return pl.Series(native, nan_to_null=is_nan_null)
    raise _UnreadableError(f"is an array of {dtype}, which no column holds")


def _of_times(values: NDArray[Any], place: str) -> pl.Series:
    """Return days, moments or durations in a unit that columns have."""
    kind, (unit, _) = values.dtype.kind, np.datetime_data(values.dtype)
    target = (_UNITS if kind == "M" else {**_UNITS, **_LENGTHS}).get(unit)
    if target is None and np.isnat(values).all():  # of no unit
        return pl.Series([None] * len(values), dtype=pl.Null)
    if target is None:
        raise _UnreadableError(f"is an array of {values.dtype}, which no column holds")
    moved = np.ascontiguousarray(values, dtype=f"{kind}8[{target}]")
    column = pl.Series(moved)
    is_lost = (moved.astype(values.dtype) != values) | column.is_null().to_numpy()
    is_lost &= ~np.isnat(values)
    if is_lost.any():
        at = int(is_lost.argmax())
        raise _UnreadableError(f"holds a time in {place} {at} so far away that no column does")
    return column


def _of_pandas(values: Any, place: str) -> pl.Series:
    read: Any
    pandas = sys.modules["pandas"]
    column = values if isinstance(values, pandas.Series) else pandas.Series(values)
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return _of_numpy(column.to_numpy(), place, is_nan_null=True)
    if hasattr(dtype, "pyarrow_dtype"):
        read = _of_arrow(column.array.__arrow_array__())
    else:
        if getattr(dtype, "unit", None) == "s":
            column = column.dt.as_unit("ms")
        read = pl.from_pandas(column)
    if type(read.dtype).__name__ == "Extension":
        raise _UnreadableError(f"is a column of {dtype}, which no other holds")
    found: pl.Series = read.fill_nan(None) if read.dtype.is_float() else read
    return found


def _of_arrow(values: Any) -> pl.Series:
    kind = str(getattr(values, "type", ""))
    if kind.startswith(("timestamp[s", "duration[s")):
        # Polars makes milliseconds of them, and does not see if they are too many.
        arrow = sys.modules["pyarrow"]
        is_moment = kind.startswith("timestamp")
        finer = arrow.timestamp("ms", values.type.tz) if is_moment else arrow.duration("ms")
        values = values.cast(finer)
    return pl.Series(values)


def _of_list(values: list[Any], place: str, *, is_nan_null: bool = False) -> pl.Series:
    kinds = set(map(type, values)) - {type(None)}
    is_nan_null = is_nan_null and any(issubclass(kind, float | np.floating) for kind in kinds)
    if is_nan_null or any(kind.__name__ in ("NAType", "NaTType") for kind in kinds):
        values = [None if is_missing(value, is_nan_null=is_nan_null) else value for value in values]
        kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return pl.Series([None] * len(values), dtype=pl.Null)
    try:
        if len(kinds) == 1 and kinds <= {*_EXACT}:
            return pl.Series(values)
        if kinds in ({np.datetime64}, {np.timedelta64}):
            missing = kinds.pop()("NaT")
            return _of_times(np.array([missing if v is None else v for v in values]), place)
        column = _of_mixed(values, kinds)
    except UNREADABLE:
        raise _UnreadableError(_odd(values, place)) from None
    if column is None:
        raise _UnreadableError(_odd(values, place))
    lost = _first_lost(values, column)
    if lost is not None:
        kind, dtype = _kind_of(values[lost]), _called(column.dtype)
        raise _UnreadableError(
            f"holds a value of type {kind} in {place} {lost} that {dtype} does not hold as it is"
        )
    return column


def _of_mixed(values: list[Any], kinds: set[type]) -> pl.Series | None:
    """Return a column that may hold values, or None if they are of kinds that never share one."""
    truths = {kind for kind in kinds if issubclass(kind, bool | np.bool_)}
    if truths and truths != kinds:
        return None
    nested = {kind for kind in kinds if issubclass(kind, _NESTED)}
    if nested:
        is_plain = all(issubclass(kind, list | tuple | np.ndarray | pl.Series) for kind in kinds)
        if not is_plain or any(_is_deep(value) for value in values):
            return None  # Polars may read for ever what holds itself
        return pl.Series(values)
    if decimal.Decimal in kinds and not all(
        value.is_finite() for value in values if isinstance(value, decimal.Decimal)
    ):
        return None
    if len({_width(kind) for kind in kinds} - {None}) > 1 or Fraction in kinds:
        return None  # one number reads otherwise as another type
    doubles = {kind for kind in kinds if issubclass(kind, float)}
    if doubles and all(issubclass(kind, int | np.integer | float) for kind in kinds):
        return pl.Series(values, dtype=pl.Float64, strict=False)
    if decimal.Decimal in kinds and all(issubclass(kind, int | decimal.Decimal) for kind in kinds):
        return pl.Series([None if value is None else decimal.Decimal(value) for value in values])
    return pl.Series(values)


def _is_deep(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(one, _NESTED) for one in value)


def _width(kind: type) -> Any:
    """Return what sets a type of numbers that are not whole apart; None for any other type."""
    if issubclass(kind, np.floating | float):
        return np.dtype(kind)
    return decimal.Decimal if issubclass(kind, decimal.Decimal) else None


def _first_lost(values: list[Any], column: pl.Series) -> int | None:
    """Return where a column first holds something else than was given."""
    if column.dtype == pl.Object:
        raise _UnreadableError("holds values of a type that no column has")
    if column.dtype.is_nested():
        return None  # no record holds them
    if len(column) != len(values):
        return 0
    for at, (value, held) in enumerate(zip(values, column.to_list(), strict=True)):
        if value is held or (value is not None and held is not None and value == held):
            continue
        if value is not None and held is not None and value != value and held != held:
            continue
        return at
    return None


def is_missing(value: Any, *, is_nan_null: bool = True) -> bool:
    """Say whether a value is none, also as pandas has it."""
    is_nan = is_nan_null and isinstance(value, float | np.floating) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def _odd(values: list[Any], place: str) -> str:
    """Say of values that are no column which is the first at fault."""
    first: str | None = None
    for at, value in enumerate(values):
        if is_missing(value, is_nan_null=False):
            continue
        kind = _kind_of(value)
        first = first or kind
        if kind != first:
            before = f"{first} up to {place} {at - 1}"
            return f"holds values of several types: {before}, {kind} in {place} {at}"
        if kind == "integer" and not -(2**63) <= value < 2**64:
            return f"holds an integer of more than 64 bits in {place} {at}"
        if isinstance(value, decimal.Decimal) and not value.is_finite():
            return f"holds a decimal that is no number in {place} {at}"
        if isinstance(value, str) and not _is_written(value):
            return f"holds half of a surrogate pair in {place} {at}"
    return f"holds values of type {first}, and no column holds all of them"


def _is_written(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind_of(value: Any) -> str:
    kinds = {
        "truth value": bool | np.bool_,
        "integer": int | np.integer,
        "float": float,
    }
    is_time = isinstance(value, np.timedelta64)  # which counts as one of NumPy's integers
    named = next((kind for kind, of in kinds.items() if isinstance(value, of)), None)
    return type(value).__name__ if is_time or named is None else named
