from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Field",
    "Schema",
]

@final
class Field:
    def __new__(
        cls,
        kind: str,
        minimum: float,
        maximum: float,
        step: float,
        cell: int | None,
        categories: Sequence[str],
    ) -> Field: ...
    @property
    def plaintexts(self) -> int: ...
    @property
    def cell(self) -> int: ...
    @property
    def cells(self) -> int: ...
    def of_floats(
        self, values: NDArray[np.float64], is_valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]: ...
    def of_integers(
        self, values: NDArray[np.int64], is_valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]: ...
    def range(self, low: float | None, high: float | None) -> tuple[int, int] | None: ...

@final
class Schema:
    def __new__(cls, fields: Sequence[tuple[str, Field]]) -> Schema: ...
    def digest(self) -> bytes: ...
