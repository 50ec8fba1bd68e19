from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ControlQuerier",
    "ControlServer",
    "operations",
]

@final
class ControlQuerier:
    def __new__(cls, keys: Sequence[bytes], domain: int) -> ControlQuerier: ...
    @staticmethod
    def plain(domain: int) -> ControlQuerier: ...
    @property
    def verification_key(self) -> bytes: ...
    def requests(self, low: int, high: int, per_message: int) -> list[bytes]: ...

@final
class ControlServer:
    def __new__(cls, verification_key: bytes, indexes: int) -> ControlServer: ...
    def add(self, index: int, ciphertexts: NDArray[np.int64]) -> None: ...
    def count(self, request: bytes) -> int: ...

def operations() -> list[tuple[str, int]]: ...
