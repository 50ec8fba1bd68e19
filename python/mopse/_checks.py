"""What callers hand in, as the core takes it: nothing is cast in silence."""

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mopse import _mopse
from mopse.errors import (
    DecryptionError,
    InvalidInputError,
    WrongPasswordError,
    WrongTypeError,
)

__all__ = [
    "as_array",
    "associated",
    "byte_array",
    "bytes_of",
    "ceiling",
    "instance",
    "integer",
    "integers",
    "is_integer",
    "items",
    "key_bytes",
    "listed",
    "mapping",
    "near",
    "numbers",
    "password_bytes",
    "spelt",
    "string",
    "text",
    "truths",
    "whole",
    "wholes",
    "with_password",
    "writable_array",
]

_Kind = TypeVar("_Kind")
_Opened = TypeVar("_Opened")
_LARGEST = np.iinfo(np.int64).max
_LARGEST_COUNT = 2**32 - 1


def instance(value: object, kind: type[_Kind], what: str) -> _Kind:
    """Return a value of a class, or say what it is instead."""
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        given = type(value).__name__
        raise WrongTypeError(f"{what} must be {article} {kind.__name__}, not {given}")
    return value


def items(values: Any, what: str, expected: str) -> list[Any]:
    """Return what an iterable holds; a string or bytes is none, although it could be."""
    is_one = isinstance(values, str | bytes | bytearray | memoryview)
    is_scalar = isinstance(values, np.ndarray) and values.ndim == 0
    if is_one or is_scalar or not isinstance(values, Iterable):
        raise WrongTypeError(f"{what} must be a {expected}, not {type(values).__name__}")
    try:
        return list(values)
    except Exception as error:  # whatever the object's own methods raise
        raise WrongTypeError(f"{what} cannot be read to the end") from error


def mapping(value: Any, what: str) -> Mapping[Any, Any]:
    """Return a mapping, or say what it is instead."""
    if not isinstance(value, Mapping):
        raise WrongTypeError(f"{what} must be a mapping, not {type(value).__name__}")
    return value


def is_integer(value: object) -> bool:
    """Say whether a value is one whole number; truth values are none."""
    # A NumPy duration counts as one of its signed integers.
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.timedelta64)


def integer(
    value: Any,
    what: str,
    least: float = -_LARGEST - 1,
    most: float = _LARGEST,
    *,
    fault: str = "{what} does not fit an int64",
) -> int:
    """Return a whole number within bounds as an int.

    Parameters
    ----------
    value : int
        Python's or NumPy's.
    what : str
        What it is, for messages.
    least, most : int or infinite
        Bounds, both included; those of an int64 by default.
    fault : str
        The message for a number out of bounds, with places for ``{what}`` and ``{value}``.

    Raises
    ------
    mopse.errors.WrongTypeError
        If it is not a whole number.
    mopse.errors.InvalidInputError
        If it is out of bounds.
    """
    if not is_integer(value):
        raise WrongTypeError(f"{what} must be an integer, not {type(value).__name__}")
    if not least <= value <= most:
        raise InvalidInputError(fault.format(what=what, value=value))
    return int(value)


def whole(value: int, name: str, *, least: int) -> int:
    """Return an argument that counts something, named as in the signature."""
    if not is_integer(value):
        raise WrongTypeError(f"{name} is a {type(value).__name__}, expected an int")
    if value < least:
        raise InvalidInputError(f"{name} is {value}, expected at least {least}")
    return int(value)


def wholes(values: Iterable[int], name: str, *, least: int) -> list[int]:
    """Return some values, each as `whole` does; none is a mistake."""
    given = items(values, name, "list of integers")
    numbers = [whole(value, f"one of {name}", least=least) for value in given]
    if not numbers:
        raise InvalidInputError(f"{name} is empty")
    return numbers


def integers(values: Any, what: str) -> NDArray[np.int64]:
    """Return a contiguous int64 array of integers, without a copy where it is one already.

    Parameters
    ----------
    values : array-like
        An integer array, or a Polars, pandas or Arrow column.
    what : str
        What the array is, for messages.

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
    array = as_array(values, what)
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


def as_array(values: Any, what: str) -> NDArray[Any]:
    """Return an array of what may be a list, of two levels at the most, or of one's own making."""
    if isinstance(values, list | tuple) and any(_is_deep(value) for value in values):
        raise WrongTypeError(f"{what} must be an array of numbers, not lists of lists of lists")
    try:
        return np.asarray(values)
    except Exception as error:  # rows of several lengths, or what the object's own methods raise
        raise WrongTypeError(f"{what} must be an array of numbers") from error


def _is_deep(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(one, list | tuple) for one in value)


def numbers(values: Any, what: str, dimensions: int = 1) -> NDArray[np.float64]:
    """Return a float64 array of numbers, which may be NaN or infinite.

    Raises
    ------
    mopse.errors.WrongTypeError
        If it is no array of numbers of so many dimensions.
    mopse.errors.InvalidInputError
        If an entry is null.
    """
    if np.ma.is_masked(values):
        raise InvalidInputError(f"{what}: a number is null")
    array = as_array(values, what)
    if array.dtype.kind not in "iuf":
        raise WrongTypeError(f"{what} must hold numbers, not {array.dtype}")
    if array.ndim != dimensions:
        raise WrongTypeError(f"{what} must have {dimensions} dimensions, not {array.ndim}")
    return np.ascontiguousarray(array, dtype=np.float64)


def truths(values: Any, what: str, dimensions: int = 1) -> NDArray[np.bool_]:
    """Return an array of truth values."""
    array = as_array(values, what)
    if array.dtype.kind != "b" or array.ndim != dimensions:
        raise WrongTypeError(f"{what} must hold truth values in {dimensions} dimensions")
    return np.ascontiguousarray(array, dtype=np.bool_)


def string(value: object, what: str) -> str:
    """Return a string, or say what it is instead."""
    if not isinstance(value, str):
        raise WrongTypeError(f"{what} must be a string, not {type(value).__name__}")
    return value


def text(value: object, what: str) -> str:
    """Return a string that can be written down, which half of a surrogate pair cannot."""
    written = string(value, what)
    try:
        written.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(f"{what} holds half of a surrogate pair") from None
    return written


def spelt(name: Any) -> Any:
    """Return a name or label in its one spelling, NFC; what is no text is left as it is."""
    try:
        return _mopse.wire.category(name)
    except (TypeError, UnicodeEncodeError):
        return name


def near(name: Any, others: Iterable[str]) -> str | None:
    """Return the first of some names of which another one is probably a slip, if there is one.

    Case, spaces, signs and what cannot be seen do not count. Beyond that, one letter in one word
    may be left out, added, replaced, or have changed places with the next. Digits count:
    ``phone_1`` is no ``phone_2``; and so do short words, as ``am`` and ``pm``.

    Examples
    --------
    >>> near("phnoe", ["name", "phone"]), near("Home Phone ", ["home_phone"])
    ('phone', 'home_phone')
    >>> near("weight", ["height"]), near("glucose_am", ["glucose_pm"])
    (None, None)
    """
    words = _words(name)
    return next((other for other in others if _is_like(words, _words(other))), None)


def _words(name: Any) -> list[str]:
    try:
        return re.findall(r"[^\W_]+", _mopse.wire.keyword(name) or "")
    except (TypeError, UnicodeEncodeError):  # no text, or none that can be written down
        return []


def _is_like(one: list[str], other: list[str]) -> bool:
    if "".join(one) == "".join(other):
        return bool(one)
    if len(one) != len(other):
        return False
    odd = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
    return len(odd) == 1 and _is_slip(*odd[0])


def _is_slip(one: str, other: str) -> bool:
    if re.findall(r"\d", one) != re.findall(r"\d", other):
        return False
    short, long = sorted((one, other), key=len)
    at = next(
        (at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short)
    )
    if len(short) < len(long):
        return len(short) >= 3 and at > 0 and short[at:] == long[at + 1 :]
    is_swapped = short[at : at + 2] == long[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :]
    is_replaced = len(short) >= 5 and at > 0 and short[at + 1 :] == long[at + 1 :]
    return is_swapped or is_replaced


def listed(name: Any, others: Iterable[str]) -> str:
    """Return what messages say of a name that is none of some others: the near one, or all."""
    known = list(others)
    like = near(name, known)
    if like is not None:
        return f"did you mean {like!r}?"
    more = f" and {len(known) - 12} more" if len(known) > 12 else ""
    return f"there are {', '.join(map(repr, known[:12]))}{more}"


def key_bytes(key: object) -> bytes:
    """Return a key's bytes; the core checks how many there are."""
    if not isinstance(key, bytes | bytearray | memoryview):
        raise WrongTypeError(f"a key must be bytes, not {type(key).__name__}")
    return bytes(key)


def password_bytes(password: object) -> bytes:
    """Return the bytes of a password to seal with; the core refuses an empty one.

    Bytes are taken as they are, a string in its one form, see `mopse.passwords`.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the string holds a character that no password does, or not beside these others, or half
        of a surrogate pair. The message says where, and not which.
    mopse.errors.WrongTypeError
        If it is neither.
    """
    given = _password(password)
    return given if isinstance(given, bytes) else _mopse.cipher.enforce_password(given)


def with_password(password: object, attempt: Callable[[bytes], _Opened]) -> _Opened:
    """Return what an attempt to open something with a password returns.

    It is made with the form that `password_bytes` seals with, and, if that does not open it, with
    the string as it was typed: so what was sealed before there was one form still opens.
    """
    given = _password(password)
    if isinstance(given, bytes):
        return attempt(given)
    *first, last = _mopse.cipher.password_forms(given)
    for form in first:
        with contextlib.suppress(DecryptionError, WrongPasswordError):
            return attempt(form)
    return attempt(last)


def _password(password: object) -> str | bytes:
    if isinstance(password, bytes | bytearray):
        return bytes(password)
    if not isinstance(password, str):
        raise WrongTypeError(f"a password must be a string or bytes, not {type(password).__name__}")
    return text(password, "a password")


def ceiling(
    most_memory: int, most_passes: int, most_iterations: int = _LARGEST_COUNT
) -> tuple[int, int, int]:
    """Return what a reader pays at most for a password, as the core takes it."""
    named = {
        "most_memory": most_memory,
        "most_passes": most_passes,
        "most_iterations": most_iterations,
    }
    memory, passes, iterations = (
        min(whole(most, name, least=1), _LARGEST_COUNT) for name, most in named.items()
    )
    return memory, passes, iterations


def bytes_of(buffer: Any, what: str) -> bytes:
    """Return the bytes of a short buffer, copied; see `byte_array`."""
    return byte_array(buffer, what).tobytes()


def associated(aad: Any) -> bytes:
    """Return associated data as bytes."""
    return bytes_of(aad, "the associated data")


def byte_array(buffer: Any, what: str) -> NDArray[np.uint8]:
    """Return a (n,) uint8 view of the bytes of a buffer, without a copy.

    It takes any contiguous buffer of bytes: bytes, bytearray, memoryview, uint8 array, mmap.
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
