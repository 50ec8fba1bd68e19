"""What callers hand in, as arrays the core takes: nothing is cast in silence."""

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse.errors import InvalidInputError, WrongTypeError

__all__ = [
    "byte_array",
    "integers",
    "is_integer",
    "key_bytes",
    "password_bytes",
    "whole",
    "wholes",
    "writable_array",
]

_LARGEST = np.iinfo(np.int64).max


def is_integer(value: object) -> bool:
    """Say whether a value is one whole number; truth values are none."""
    # A NumPy duration counts as one of its signed integers.
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.timedelta64)


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
        If an entry is null, or does not fit an int64.
    """
    is_arrow = hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__")
    if is_arrow and not isinstance(values, pl.DataFrame):
        values = pl.Series(values)
    if isinstance(values, pl.Series):
        if not values.dtype.is_integer():
            raise WrongTypeError(f"{what} must hold integers, not {values.dtype}")
        if values.null_count():
            raise InvalidInputError(f"{what}: entry {values.is_null().arg_max()} is null")
        column = values.cast(pl.Int64, strict=False)
        if column.null_count():
            row = column.is_null().arg_max()
            raise InvalidInputError(f"{what}: entry {row} does not fit an int64")
        return np.ascontiguousarray(column.to_numpy())
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        masked = np.argmax(np.ma.getmaskarray(values))
        raise InvalidInputError(f"{what}: entry {masked} is null")
    array = np.asarray(values)
    if array.shape == (0,) and array.dtype == np.float64:  # what NumPy makes of an empty list
        return np.empty(0, dtype=np.int64)
    if array.dtype.kind not in "iu":
        raise WrongTypeError(f"{what} must hold integers, not {array.dtype}")
    if array.ndim != 1:
        raise WrongTypeError(f"{what} must have one dimension, not {array.ndim}")
    if array.dtype.kind == "u" and array.size and array.max() > _LARGEST:
        large = np.argmax(array > _LARGEST)
        raise InvalidInputError(f"{what}: entry {large} does not fit an int64")
    return np.ascontiguousarray(array, dtype=np.int64)


def key_bytes(key: object) -> bytes:
    """Return a key's bytes; the core checks how many there are."""
    if not isinstance(key, bytes | bytearray | memoryview):
        raise WrongTypeError(f"a key must be bytes, not {type(key).__name__}")
    return bytes(key)


def password_bytes(password: object) -> bytes:
    """Return a password's bytes, those of a string in UTF-8; the core refuses an empty one."""
    if isinstance(password, bytes | bytearray):
        return bytes(password)
    if not isinstance(password, str):
        raise WrongTypeError(f"a password must be a string or bytes, not {type(password).__name__}")
    try:
        return password.encode()
    except UnicodeEncodeError:
        raise InvalidInputError("a password holds half of a surrogate pair") from None


def byte_array(buffer: Any, what: str) -> NDArray[np.uint8]:
    """Return a view of the bytes of a buffer, without a copy.

    Parameters
    ----------
    buffer : bytes-like
        Any contiguous buffer of bytes: bytes, bytearray, memoryview, uint8 array, mmap.
    what : str
        What it is, for messages.

    Returns
    -------
    (n,) uint8 array
        The same memory.

    Raises
    ------
    mopse.errors.WrongTypeError
        If it is no contiguous buffer of bytes.
    """
    try:
        view = memoryview(buffer)
    except TypeError:
        raise WrongTypeError(f"{what} must be bytes-like, not {type(buffer).__name__}") from None
    if view.itemsize != 1 or not view.c_contiguous:
        raise WrongTypeError(f"{what} must be a contiguous buffer of bytes")
    if view.nbytes == 0:  # NumPy makes no array of an empty buffer
        return np.empty(0, dtype=np.uint8)
    return np.frombuffer(view, dtype=np.uint8)


def writable_array(buffer: Any, what: str, *inputs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a view of a buffer to write to, which shares no memory with the inputs.

    Parameters
    ----------
    buffer : writable bytes-like
        A bytearray, or a uint8 array.
    what : str
        What it is, for messages.
    *inputs : (n,) uint8 array
        What is read meanwhile.

    Returns
    -------
    (n,) uint8 array
        The same memory.

    Raises
    ------
    mopse.errors.WrongTypeError
        If it is no contiguous buffer of bytes, or cannot be written to.
    mopse.errors.InvalidInputError
        If it overlaps an input.
    """
    array = byte_array(buffer, what)
    if not array.flags.writeable:
        raise WrongTypeError(f"{what} cannot be written to")
    if any(np.may_share_memory(array, other) for other in inputs):
        raise InvalidInputError(f"{what} overlaps the input")
    return array


def whole(value: int, name: str, *, least: int) -> int:
    """Return the value as an int of at least `least`; a bool counts as a mistake."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number: int = operator.index(value)
    except TypeError:
        raise WrongTypeError(f"{name} is a {type(value).__name__}, expected an int") from None
    if number < least:
        raise InvalidInputError(f"{name} is {number}, expected at least {least}")
    return number


def wholes(values: Iterable[int], name: str, *, least: int) -> list[int]:
    """Return some values, each as `whole` does; none is a mistake."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise WrongTypeError(f"{name} must be a list of integers, not {type(values).__name__}")
    numbers = [whole(value, f"one of {name}", least=least) for value in values]
    if not numbers:
        raise InvalidInputError(f"{name} is empty")
    return numbers
