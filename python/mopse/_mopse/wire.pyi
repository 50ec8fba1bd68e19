import numpy as np
from numpy.typing import NDArray

__all__ = [
    "category",
    "first_id_fault",
    "hides",
    "keyword",
]

def category(typed: str) -> str: ...
def first_id_fault(ends: NDArray[np.uint64], joined: bytes) -> tuple[int, str] | None: ...
def hides(typed: str) -> bool: ...
def keyword(typed: str) -> str | None: ...
