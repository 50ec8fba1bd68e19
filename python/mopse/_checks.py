"""What callers hand in, as the core takes it: nothing is cast in silence."""

import contextlib
import io
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse
from mopse._arrays import integers, refuse_masked
from mopse.errors import (
    DecryptionError,
    InvalidInputError,
    WrongPasswordError,
    WrongTypeError,
)

__all__ = [
    "LARGE",
    "associated",
    "byte_array",
    "bytes_of",
    "ceiling",
    "filled",
    "instance",
    "integer",
    "integers",
    "is_integer",
    "items",
    "key_bytes",
    "listed",
    "mapping",
    "near",
    "number",
    "password_bytes",
    "proof_kind",
    "require_memory",
    "spelt",
    "string",
    "text",
    "truth",
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
    fault: str | None = None,
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
    fault : str, optional
        The message for a number out of bounds, with places for ``{what}`` and ``{value}``; without,
        it names the bound.

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
        if fault is None and (least, most) == (-_LARGEST - 1, _LARGEST):
            fault = "{what} does not fit an int64"
        elif fault is None:
            fault = (
                f"{{what}} is less than {least}" if value < least else f"{{what}} is over {most}"
            )
        raise InvalidInputError(fault.format(what=what, value=value))
    return int(value)


def number(value: Any, name: str, least: float, most: float) -> float:
    """Return an argument that measures something, within bounds; NaN is in none."""
    is_number = is_integer(value) or isinstance(value, float | np.floating)
    if not is_number:
        raise WrongTypeError(f"{name} is a {type(value).__name__}, expected a number")
    if not least <= value <= most:
        raise InvalidInputError(f"{name} is not from {least:g} to {most:g}")
    return float(value)


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


def truths(values: Any, what: str, dimensions: int = 1) -> NDArray[np.bool_]:
    """Return an array of truth values."""
    if not isinstance(values, np.ndarray) or values.dtype.kind != "b" or values.ndim != dimensions:
        raise WrongTypeError(f"{what} must hold truth values in {dimensions} dimensions")
    return np.ascontiguousarray(values, dtype=np.bool_)


def truth(value: object, what: str) -> bool:
    """Return a truth value, Python's or NumPy's."""
    if not isinstance(value, bool | np.bool_):
        raise WrongTypeError(f"{what} must be a truth value, not {type(value).__name__}")
    return bool(value)


def proof_kind(proof: Any, default: str) -> str | None:
    """Return how an answer is to be proven: None, "sums" or "signatures"."""
    if isinstance(proof, bool | np.bool_):
        return default if proof else None
    if proof is None or (isinstance(proof, str) and proof in ("sums", "signatures")):
        return proof
    if isinstance(proof, str):
        raise InvalidInputError("proof must be None, True, 'sums' or 'signatures'")
    kind = type(proof).__name__
    raise WrongTypeError(f"proof must be None, True, 'sums' or 'signatures', not {kind}")


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
    refuse_masked(buffer, what)
    try:
        view = memoryview(buffer)
    except TypeError:
        raise WrongTypeError(f"{what} must be bytes-like, not {type(buffer).__name__}") from None
    if view.itemsize != 1 or not view.c_contiguous:
        raise WrongTypeError(f"{what} must be a contiguous buffer of bytes")
    if view.nbytes == 0:  # NumPy makes no array of an empty buffer
        return np.empty(0, dtype=np.uint8)
    return np.frombuffer(view, dtype=np.uint8)


LARGE = 1 << 26
"""Bytes from which on new memory is made piece by piece, so that Ctrl-C is not kept waiting."""


def filled(size: int, fill: Callable[[NDArray[np.uint8]], int | None]) -> bytes:
    """Return so many bytes that a function writes, or as many of them as it says."""
    memory, piece = io.BytesIO(), bytes(1 << 24)
    for at in range(0, size, len(piece)):
        memory.write(piece[: size - at])
    with memory.getbuffer() as view:
        written = fill(np.frombuffer(view, dtype=np.uint8))
    memory.truncate(size if written is None else written)
    return memory.getvalue()


def require_memory(size: int, what: str) -> None:
    """Refuse what takes more bytes than the machine has memory."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # the system does not say
        return
    if 0 < memory < size:
        raise InvalidInputError(
            f"{what} would take {size / 2**30:,.1f} GiB of memory, of which there is "
            f"{memory / 2**30:,.1f} GiB: do it in parts"
        )


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
