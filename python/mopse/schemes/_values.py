"""Plaintexts and ciphertexts of the schemes, as the core takes them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mopse._checks import as_array, integer, integers, is_integer
from mopse.errors import InvalidInputError, WrongTypeError

__all__ = ["domain_size", "numbers_of", "plaintexts_of"]


def domain_size(domain: Any) -> int:
    """Return how many plaintexts there are; the core says whether it takes so many."""
    return integer(domain, "the domain", 0, fault="{what} is {value}, expected 1 to 2^32")


def plaintexts_of(x: Any) -> NDArray[np.int64]:
    """Return one or many plaintexts as an array."""
    if not is_integer(x):
        return integers(x, "the plaintexts")
    return np.array([integer(x, "the plaintext")], dtype=np.int64)


def numbers_of(c: Any) -> NDArray[np.uint64]:
    """Return one or many ciphertexts of 64 bits as an array."""
    if is_integer(c):
        fault = "{what} does not fit a uint64"
        return np.array([integer(c, "the ciphertext", 0, 2**64 - 1, fault=fault)], dtype=np.uint64)
    if isinstance(c, list | tuple) and all(is_integer(number) for number in c):
        # NumPy makes floats of integers on both sides of 2^63, and of an empty list.
        for position, number in enumerate(c):
            if not 0 <= number < 2**64:
                raise InvalidInputError(
                    f"the ciphertexts: entry {position} is negative or does not fit a uint64"
                )
        return np.array(c, dtype=np.uint64)
    array = as_array(c, "the ciphertexts")
    if array.dtype.kind not in "iu":
        raise WrongTypeError(f"the ciphertexts must hold integers, not {array.dtype}")
    if array.ndim != 1:
        raise WrongTypeError(f"the ciphertexts must have one dimension, not {array.ndim}")
    if array.dtype.kind == "i" and array.size and array.min() < 0:
        raise InvalidInputError(f"the ciphertexts: entry {np.argmax(array < 0)} is negative")
    return np.ascontiguousarray(array, dtype=np.uint64)
