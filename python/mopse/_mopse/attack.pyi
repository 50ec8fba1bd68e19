from typing import final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Marks",
    "assign",
    "change_points",
    "co_occurrence",
    "dyadic",
    "entropies",
    "frequencies",
    "increasing",
    "ordered_posterior",
    "rank_guesses",
    "ruler_spans",
    "windows",
]

@final
class Marks:
    def __new__(cls, ruler: bytes, provider: bytes, domain: int, cell: int) -> Marks: ...
    def encrypt(
        self, plaintexts: NDArray[np.int64], handles: NDArray[np.uint64]
    ) -> NDArray[np.int64]: ...
    def spans(self) -> NDArray[np.int64]: ...

def assign(costs: NDArray[np.float64]) -> NDArray[np.int64]: ...
def change_points(
    ciphertexts: NDArray[np.int64], low: int, high: int, penalty: float
) -> NDArray[np.int64]: ...
def co_occurrence(
    offsets: NDArray[np.int64], entries: NDArray[np.int64], records: int, anchor: int
) -> NDArray[np.uint64]: ...
def dyadic(
    ciphertexts: NDArray[np.int64], bits: int, penalty: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...
def entropies(
    ciphertexts: NDArray[np.int64], plaintexts: int, range_size: int
) -> NDArray[np.float64]: ...
def frequencies(
    offsets: NDArray[np.int64], entries: NDArray[np.int64], records: int
) -> NDArray[np.uint64]: ...
def increasing(costs: NDArray[np.float64]) -> NDArray[np.int64]: ...
def ordered_posterior(
    counts: NDArray[np.float64], probabilities: NDArray[np.float64]
) -> NDArray[np.float64]: ...
def rank_guesses(
    ranks: int, probabilities: NDArray[np.float64], tolerance: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...
def ruler_spans(ruler: bytes, domain: int, cell: int) -> NDArray[np.int64]: ...
def windows(
    ciphertexts: NDArray[np.int64], plaintexts: int, range_size: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...
