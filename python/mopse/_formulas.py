"""Closed forms of what order tells: for the report of leakage, and for the attacks."""

import math

import numpy as np
from numpy.typing import NDArray

from mopse import _mopse

__all__ = ["expected_queries", "expected_rank_recovery", "information", "limit_information"]


def expected_queries(plaintexts: int) -> float:
    """Return how many uniform ranges are expected to expose all boundaries between values."""
    m = plaintexts
    if m == 1:
        return 0.0
    terms = [1 / s for s in range(1, m)]
    terms.append(1 / (2 * m + 1))
    if m < 500:  # beyond, the last term is far below the smallest float
        terms.append((-1) ** m / ((m + 2) * math.comb(2 * m + 1, m - 1)))
    return m * (m + 1) / (2 * m + 1) * math.fsum(terms)


def expected_rank_recovery(probabilities: NDArray[np.float64], n: int) -> float:
    """Return the share of `n` records that ranks alone are expected to tell."""
    _, masses = _mopse.rank_guesses(n, probabilities / probabilities.sum(), 0)
    return float(masses.mean())


def information(plaintexts: int, range_size: int) -> float:
    """Return the bits that one ciphertext tells of a uniform plaintext, by a sum over all."""
    ciphertexts = np.arange(range_size, dtype=np.int64)
    entropies = _mopse.entropies(ciphertexts, plaintexts, range_size)
    return float(math.log2(plaintexts) - entropies.mean())


def limit_information(plaintexts: int) -> float:
    """Return what `information` tends to in a range much larger than a large domain."""
    return (math.log2(plaintexts) - math.log2(2 * math.pi / math.e)) / 2
