"""What callers hand in, as arrays the core takes: nothing is cast in silence."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse.errors import InvalidInputError, WrongTypeError

__all__ = ["integers", "is_integer", "key_bytes"]


def is_integer(value: object) -> bool:
    """Say whether a value is one whole number; truth values are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)


def integers(values: Any, what: str) -> NDArray[np.int64]:
    """Return a contiguous int64 array of integers, without a copy where it is one already.

    Parameters
    ----------
    values : array-like
        An integer array, or a Polars, pandas or Arrow column.
    what : str
        What the array is, for messages.

    Returns
    -------
    (n,) int64 array
        The same numbers.

    Raises
    ------
    mopse.errors.WrongTypeError
        If it is not a one-dimensional array of integers.
    mopse.errors.InvalidInputError
        If an entry is null, or above the largest int64.
    """
    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        values = pl.Series(values)
    if isinstance(values, pl.Series):
        if values.null_count():
            row = int(values.is_null().arg_max() or 0)
            raise InvalidInputError(f"{what}: entry {row} is null")
        values = values.to_numpy()
    array = np.asarray(values)
    if array.ndim != 1:
        raise WrongTypeError(f"{what} must have one dimension, not {array.ndim}")
    if array.size == 0 and array.dtype == np.float64:  # what NumPy makes of an empty list
        return np.empty(0, dtype=np.int64)
    if not np.issubdtype(array.dtype, np.integer):
        raise WrongTypeError(f"{what} must hold integers, not {array.dtype}")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        row = int(np.argmax(array > np.iinfo(np.int64).max))
        raise InvalidInputError(f"{what}: entry {row} is 2^63 or more")
    return np.ascontiguousarray(array, dtype=np.int64)


def key_bytes(key: object) -> bytes:
    """Return a key's bytes; the core checks how many there are."""
    if not isinstance(key, bytes | bytearray | memoryview):
        raise WrongTypeError(f"a key must be bytes, not {type(key).__name__}")
    return bytes(key)
