from collections.abc import Sequence
from fractions import Fraction
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
        minimum: Fraction,
        maximum: Fraction,
        step: Fraction,
        cell: int | None,
        categories: Sequence[str],
    ) -> Field: ...
    @staticmethod
    def of_label(label: bytes) -> Field: ...
    def label(self) -> bytes: ...
    @property
    def kind(self) -> str: ...
    @property
    def categories(self) -> list[str]: ...
    @property
    def grid(self) -> list[Fraction]: ...
    @property
    def plaintexts(self) -> int: ...
    @property
    def cell(self) -> int: ...
    @property
    def cells(self) -> int: ...
    def of_floats(
        self, values: NDArray[np.float64], is_valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]: ...
    def of_singles(
        self, values: NDArray[np.float32], is_valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]: ...
    def of_integers(
        self, values: NDArray[np.int64], is_valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]: ...
    def of_unsigned(
        self, values: NDArray[np.uint64], is_valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]: ...
    def of_decimals(
        self,
        upper: NDArray[np.int64],
        lower: NDArray[np.uint64],
        places: int,
        is_valid: NDArray[np.bool_],
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]: ...
    def of_moments(
        self, values: NDArray[np.int64], per_day: int, is_valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]: ...
    def range(
        self, low: Fraction | int | float | None, high: Fraction | int | float | None
    ) -> tuple[int, int] | None: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Schema:
    def __new__(cls, fields: Sequence[tuple[str, Field]]) -> Schema: ...
    def digest(self) -> bytes: ...
