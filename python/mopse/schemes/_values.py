"""Plaintexts and ciphertexts of the schemes, as the core takes them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mopse._arrays import unsigned
from mopse._checks import integer, integers, is_integer

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
    return unsigned(c, "the ciphertexts")
